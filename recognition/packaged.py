"""Weights that come with a Python package. The package is not imported: it may print, or need what is not installed."""

import importlib.util
from pathlib import Path

from recognition.errors import WeightsMissing


def packaged_file(module: str, file: str, install: str) -> Path:
    """The file or folder by its path in the package. Raises WeightsMissing, which says how to `install` the package."""
    package = importlib.util.find_spec(module)
    path = Path(package.origin).parent / file if package and package.origin else None
    if path is None or not path.exists():
        raise WeightsMissing("The package with these weights is not installed. Install it: {install}", install=install)
    return path
