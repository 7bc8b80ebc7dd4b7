"""The command line, without a server: `python -m recognition attend RECORDING --people FOLDER`, and the tools around
it.
"""

import argparse
import sys

from recognition.cli import align, attend, classifier, enrol, weights
from recognition.errors import RecognitionError


def make_parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m recognition", description="Who was in a lecture, from its recording.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for command in (attend, enrol, weights, align, classifier):
        command.add_parser(commands)
    return top


def main(arguments: list[str] | None = None) -> int:
    options = make_parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except RecognitionError as error:
        print(error, file=sys.stderr)
    except FileNotFoundError as error:
        print(f"There is no file {error.filename}. Check the path.", file=sys.stderr)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        print(f"{error.strerror or error}{where}. Free space or check the rights, then try again.", file=sys.stderr)
    except MemoryError:
        print("This machine ran out of memory. Close other programs, then try again.", file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
