"""Read the layers of a Keras weights file (.h5).

Its layout is that of Keras 2: `layer_names` at the root, and `weight_names` at each layer.
"""

import io
import subprocess
import sys
from itertools import count, groupby, takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

MAX_ARRAY_NUMBERS = 10_000_000
READ_TIMEOUT_SECONDS = 300


def read(path: Path) -> list[list[Array]]:
    """The arrays of each layer that has any, in the file's order. The file may also be that of a whole model.

    A damaged file can crash the HDF5 library and the process with it, so the file is read in a process of its own.
    Raises ValueError if it is damaged.
    """
    command = [sys.executable, "-m", "recognition.embedding.weights.keras_file", str(path.resolve())]
    root = Path(__file__).parents[3]
    reader = subprocess.run(command, cwd=root, capture_output=True, timeout=READ_TIMEOUT_SECONDS, check=False)  # noqa: S603
    if reader.returncode:
        raise ValueError("no Keras weights file")
    with np.load(io.BytesIO(reader.stdout), allow_pickle=False) as file:
        # Named "<layer>.<array>"; zip files keep their order.
        return [[file[name] for name in names] for _, names in groupby(file.files, lambda name: name.split(".")[0])]


def _layers(path: Path) -> list[list[Array]]:
    import h5py

    with h5py.File(path) as file:
        root = file.get("model_weights", file)
        layers = [
            [root[_text(name)][_text(weight)] for weight in root[_text(name)].attrs["weight_names"]]
            for name in _names(root)
        ]
        for array in (array for layer in layers for array in layer):
            if array.dtype != np.float32 or array.size > MAX_ARRAY_NUMBERS:
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


if __name__ == "__main__":
    arrays = {f"{i}.{j}": array for i, layer in enumerate(_layers(Path(sys.argv[1]))) for j, array in enumerate(layer)}
    archive = io.BytesIO()
    np.savez(archive, allow_pickle=False, **arrays)
    sys.stdout.buffer.write(archive.getbuffer())
