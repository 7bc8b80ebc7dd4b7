"""What an embedder is: it cuts faces out of pictures as its network was trained on them, and turns them into unit
vectors.

The larger the cosine of two vectors, the more alike are the faces.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recognition.types import Face
from recognition.vectors import Floats

RGB = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedder:
    """A loaded face recognition model.

    `id` and `version` say which model made a vector: vectors of different ones are never compared.
    `crop` makes what the network sees, `crop_size` pixels wide and high, of an RGB picture (height, width, 3), a face
    in it, and the aligned face crop, which is at hand and may be the same. `dimension` is the size of a vector.
    `network` takes such crops and returns [raw vectors], which are not of unit length.
    """

    id: str
    version: str
    crop_size: int
    dimension: int
    crop: Callable[[RGB, Face, RGB], RGB] = field(repr=False)
    network: Callable[[RGB], list[Floats]] = field(repr=False)

    def embed(self, crops: RGB) -> Floats:
        """Unit vectors (n, dimension) float32 of RGB face crops (n, crop_size, crop_size, 3) uint8; n may be 0."""
        raw = self.network(crops)[0]
        norms: Floats = np.linalg.norm(raw, axis=1, keepdims=True)
        return raw / norms
