"""Bad input, as a table: hostile files and requests made by script, each with the limit that it meets, the sentence
that it gets, and what it costs. `python -m tests.hostile` prints it.
"""
