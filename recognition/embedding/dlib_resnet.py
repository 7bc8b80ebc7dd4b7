"""dlib's face recognition network (dlib_face_recognition_resnet_model_v1, Davis King, CC0) in Keras."""

from pathlib import Path
from typing import TYPE_CHECKING

from recognition.detection.alignment import CROP_PX
from recognition.embedding.base import Embedder
from recognition.embedding.weights import dlib_file
from recognition.inference import Runtime
from recognition.network_cache import load_networks
from recognition.packaged import packaged_file

if TYPE_CHECKING:
    import keras

ID = "dlib-resnet-v1"
TRAINED_ON = "VGG Face and FaceScrub, which were collected for research, and pictures from the web"
INSTALL = "pip install face_recognition_models"
MEAN_RGB = (122.782, 117.001, 104.298)
BLOCKS = (
    [(32, 1)] * 3 + [(64, 2)] + [(64, 1)] * 3 + [(128, 2)] + [(128, 1)] * 2 + [(256, 2)] + [(256, 1)] * 2 + [(256, 2)]
)


def load(weights: Path | None = None, runtime: Runtime | None = None) -> Embedder:
    """The embedder with the weights of the package face_recognition_models, or with those of a copy of its file.

    Raises WeightsMissing.
    """
    return Embedder(
        id=ID,
        version="1",
        crop_size=CROP_PX,
        dimension=128,
        crop=lambda image, face, aligned: aligned,
        network=load_networks(build_from_file, weights or packaged_weights(), runtime)[ID],
    )


def build_from_file(weights: Path) -> dict[str, "keras.Model"]:
    """The network by the embedder's id. Raises WeightsMissing."""
    return {ID: build(dlib_file.read(weights))}


def packaged_weights() -> Path:
    """The file in the package face_recognition_models. Raises WeightsMissing."""
    return packaged_file("face_recognition_models", "models/dlib_face_recognition_resnet_model_v1.dat", INSTALL)


def build(weights: dlib_file.Weights) -> "keras.Model":
    """The network: RGB face crops (n, 150, 150, 3) uint8 to (n, 128), as dlib's `compute_face_descriptor`."""
    from keras import Input, Model, layers, ops

    convolutions = iter(weights.convolutions)

    def convolution(x: "keras.KerasTensor", stride: int = 1) -> "keras.KerasTensor":
        kernel, bias = next(convolutions)
        layer = layers.Conv2D(
            kernel.shape[3], kernel.shape[:2], strides=stride, padding="same" if stride == 1 else "valid"
        )
        y = layer(x)
        layer.set_weights([kernel, bias])
        return y

    def residual(x: "keras.KerasTensor", filters: int, stride: int) -> "keras.KerasTensor":
        y = convolution(layers.ReLU()(convolution(x, stride)))
        if stride == 2:
            # dlib adds tensors of different shapes as if zeros followed the smaller one, in space as in channels.
            x = layers.AveragePooling2D(2)(x)
            x = ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, filters - x.shape[3])))
            y = layers.ZeroPadding2D(((0, x.shape[1] - y.shape[1]), (0, x.shape[2] - y.shape[2])))(y)
        return layers.ReLU()(layers.Add()([x, y]))

    crops = Input((CROP_PX, CROP_PX, 3), dtype="uint8")
    x = layers.Rescaling(1 / 256, offset=[-colour / 256 for colour in MEAN_RGB])(crops)
    x = layers.MaxPooling2D(3, 2)(layers.ReLU()(convolution(x, 2)))
    for filters, stride in BLOCKS:
        x = residual(x, filters, stride)
    projection = layers.Dense(weights.projection.shape[1], use_bias=False)
    vectors = projection(layers.GlobalAveragePooling2D()(x))
    projection.set_weights([weights.projection])
    return Model(crops, vectors)
