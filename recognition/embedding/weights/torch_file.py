"""Read the tensors of a PyTorch weights file (.pt, zip or legacy format), with NumPy alone.

Both formats consist of a pickle that describes the tensors, and of the tensors' numbers beside it. A pickle can name
any function and have it called, so reading one is safe only if it can name nothing that does harm. Here four names are
allowed, each of which stands for something that only records what it is given; any other name ends the reading. What
was recorded is then checked against the numbers in the file, before an array is made of them.
"""

import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from recognition.errors import WeightsMissing
from recognition.messages import Message

MAX_BYTES = 1 << 30
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
REMEDY = Message("Give the file in which PyTorch saved the model's state_dict.")

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tensor:
    """Which part of which storage (a run of numbers in the file) a tensor is.

    `offset` and `strides` count numbers, not bytes.
    """

    storage: tuple[str, str]  # NumPy's type, key
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, storages: Mapping[str, bytes]) -> Array:
        dtype, key = self.storage
        numbers = np.frombuffer(storages[key], dtype)
        last = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        is_inside = last < numbers.size and math.prod(self.shape) <= numbers.size
        layout = (self.offset, *self.shape, *self.strides)
        if not is_inside or any(type(number) is not int or number < 0 for number in layout):
            raise ValueError("a tensor lies outside its storage")
        strides = [stride * numbers.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides, writeable=False)


# The unpickler in C would reserve memory for as many memo entries as a hostile file asks for; the one in Python keeps
# them in a dict.
class _RestrictedUnpickler(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        match module, name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return lambda storage, offset, shape, strides, *_training: _Tensor(
                    storage=storage, offset=offset, shape=shape, strides=strides
                )
            case "torch", "FloatStorage":
                return "<f4"
            case "torch", "LongStorage":
                return "<i8"
        raise pickle.UnpicklingError(f"a weights file has no use for {module}.{name}")

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        _kind, dtype, key, *_device = pid
        return dtype, key


def read(path: Path) -> dict[str, Array]:
    """The tensors of a saved `state_dict`, by name, as read-only arrays.

    Raises WeightsMissing if the file can't be read or is something else.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise WeightsMissing(
                "The weights {path} are too large for a face model: more than {max_mib} MiB. {remedy}",
                path=path,
                max_mib=MAX_BYTES >> 20,
                remedy=REMEDY,
            )
        file = BytesIO(path.read_bytes())
    except OSError as error:
        raise WeightsMissing(
            "The weights {path} can't be read ({strerror}). {remedy}", path=path, strerror=error.strerror, remedy=REMEDY
        ) from error
    try:
        tensors, storages = _read_zip(file) if zipfile.is_zipfile(file) else _read_legacy(file)
        return {name: tensor.array(storages) for name, tensor in tensors.items()}
    except Exception as error:  # what a damaged pickle raises can't be foreseen
        raise WeightsMissing(
            "The weights {path} are damaged or are no PyTorch weights file. {remedy}", path=path, remedy=REMEDY
        ) from error


def _read_zip(file: IO[bytes]) -> tuple[dict[str, _Tensor], dict[str, bytes]]:
    with zipfile.ZipFile(file) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("PyTorch compresses nothing")
        pickled = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        folder = pickled.removesuffix(".pkl") + "/"
        storages = {
            name.removeprefix(folder): archive.read(name) for name in archive.namelist() if name.startswith(folder)
        }
        return _RestrictedUnpickler(BytesIO(archive.read(pickled))).load(), storages


def _read_legacy(file: IO[bytes]) -> tuple[dict[str, _Tensor], dict[str, bytes]]:
    file.seek(0)
    magic, _protocol, _system, tensors, keys = (_RestrictedUnpickler(file).load() for _ in range(5))
    if magic != LEGACY_MAGIC:
        raise ValueError("the first number is another")
    dtypes = {key: np.dtype(dtype) for dtype, key in (tensor.storage for tensor in tensors.values())}
    storages = {}
    for key in keys:
        count = int.from_bytes(file.read(8), "little")
        storages[key] = file.read(count * dtypes[key].itemsize)
    return tensors, storages
