"""`python -m workers.networks`: converts the networks of all models in use, and keeps them.

It runs once a release, so that workers start at once. A model whose weights are missing is left out and named.
"""

import sys

import django
import numpy as np


def main() -> int:
    django.setup()
    from campus.academics.selectors import embedders_in_use
    from recognition.errors import RecognitionError
    from workers import vision

    vision.detector().detect([np.zeros((240, 320, 3), np.uint8)])
    for embedder in sorted(embedders_in_use()):
        try:
            vision.embedder(embedder)
        except RecognitionError as error:
            sys.stderr.write(f"{error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
