"""Reads the layers of a Keras weights file (.h5, the layout of Keras 2: `layer_names` at the root, `weight_names` at each layer)."""

from itertools import count, takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LARGEST = 10_000_000  # numbers in one array


def read(path: Path) -> list[list[Array]]:
    """The arrays of each layer that has some, in the file's order. Raises ValueError, KeyError, OSError when it is something else.

    A whole model's file is read too: it keeps the same under `model_weights`.
    """
    import h5py

    with h5py.File(path) as file:
        root = file.get("model_weights", file)
        layers = [[root[_text(name)][_text(weight)] for weight in root[_text(name)].attrs["weight_names"]] for name in _names(root)]
        for array in (array for layer in layers for array in layer):
            if array.dtype != np.float32 or array.size > LARGEST:
                raise ValueError(f"{array.name} is no float32 array of a face model")
        return [[array[()] for array in layer] for layer in layers if layer]


def _names(root: Any) -> list[Any]:
    """Keras cuts a list of names that is too long for one attribute into layer_names0, layer_names1, ..."""
    if "layer_names0" not in root.attrs:
        return list(root.attrs["layer_names"])
    parts = takewhile(root.attrs.__contains__, (f"layer_names{i}" for i in count()))
    return [name for part in parts for name in root.attrs[part]]


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
