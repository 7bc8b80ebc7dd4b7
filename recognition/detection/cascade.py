"""The three networks of the MTCNN cascade in Keras, with the weights that the package mtcnn ships."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recognition.packaged import packaged_file

if TYPE_CHECKING:
    import keras

RNET_CROP_PX = 24
ONET_CROP_PX = 48

# Filters, kernel, and size and padding of the pooling that follows.
Convolution = tuple[int, int, tuple[int, str] | None]


def packaged_weights() -> Path:
    """The folder in the package mtcnn. Raises WeightsMissing."""
    return packaged_file("mtcnn", "assets/weights", "pip install mtcnn")


def build(weights: Path) -> dict[str, "keras.Model"]:
    """P-Net, R-Net and O-Net, from RGB pictures (n, height, width, 3) uint8.

    Their outputs are 4 numbers of box regression, from O-Net 10 of landmarks, and the logit of the probability of a
    face: from P-Net (n, 5, rows, columns), from the others (n, 5) and (n, 15).
    """
    return {
        "pnet": _build_network(
            weights / "pnet.lz4", None, [(10, 3, (2, "same")), (16, 3, None), (32, 3, None)], 0, [4, 1]
        ),
        "rnet": _build_network(
            weights / "rnet.lz4",
            RNET_CROP_PX,
            [(28, 3, (3, "same")), (48, 3, (3, "valid")), (64, 2, None)],
            128,
            [4, 1],
        ),
        "onet": _build_network(
            weights / "onet.lz4",
            ONET_CROP_PX,
            [(32, 3, (3, "same")), (64, 3, (3, "valid")), (64, 3, (2, "same")), (128, 2, None)],
            256,
            [4, 10, 1],
        ),
    }


def _build_network(
    weights: Path, size: int | None, convolutions: Sequence[Convolution], dense: int, heads: Sequence[int]
) -> "keras.Model":
    """A network from uint8 pictures to the numbers of all heads side by side.

    One layer serves all heads. Of the softmax of two classes only the part that decides is kept: the logit of the
    probability of a face.
    """
    import joblib
    import keras
    from keras import layers

    picture = keras.Input((size, size, 3), dtype="uint8")
    x = layers.Rescaling(1 / 128, offset=-127.5 / 128)(picture)
    for filters, kernel, pool in convolutions:
        x = layers.Conv2D(filters, kernel)(x)
        x = layers.PReLU(shared_axes=[1, 2])(x)
        if pool:
            x = layers.MaxPooling2D(pool[0], 2, padding=pool[1])(x)
    if dense:
        x = layers.Flatten()(layers.Permute((2, 1, 3))(x))
        x = layers.PReLU()(layers.Dense(dense)(x))
        answer = layers.Dense(sum(heads))(x)
    else:
        answer = layers.Permute((3, 1, 2))(layers.Conv2D(sum(heads), 1)(x))  # channels first, as OpenVINO has them
    model = keras.Model(picture, answer)
    # joblib unpickles: harmless here, as the file is part of an installed package and as trusted as its code.
    arrays = joblib.load(weights)
    first = len(arrays) - 2 * len(heads)
    arrays[-2:] = [array[..., 1:] - array[..., :1] for array in arrays[-2:]]
    model.set_weights([*arrays[:first], *(np.concatenate(arrays[first + i :: 2], axis=-1) for i in range(2))])
    return model
