"""The commands of `python -m recognition`: each module adds its own parser, whose `run` takes the options and gives the
exit code."""
