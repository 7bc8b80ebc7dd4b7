"""What an embedder is: it cuts faces out of pictures as its network was trained on them, and turns them into unit
vectors.

The larger the cosine of two vectors, the more alike are the faces.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recognition.types import Face
from recognition.vectors import Floats, normalise

RGB = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedder:
    """A loaded face recognition model.

    `id` and `version` say which model made a vector: vectors of different ones are never compared.
    `crop` makes what the network sees, `crop_size` pixels wide and high, of an RGB picture (height, width, 3), a face
    in it, and the aligned face crop, which is at hand and may be the same. `dimension` is the size of a vector.
    `network` takes such crops and returns [raw vectors], which are not of unit length. So does `slow_network`, where
    there is a second one; the cosine of two vectors is then the mean of both networks' cosines, in which that of the
    second one weighs `slow_weight` times as much as that of the first, and its part has `slow_dimension` numbers.
    """

    id: str
    version: str
    crop_size: int
    dimension: int
    crop: Callable[[RGB, Face, RGB], RGB] = field(repr=False)
    network: Callable[[RGB], list[Floats]] = field(repr=False)
    slow_network: Callable[[RGB], list[Floats]] | None = field(default=None, repr=False)
    slow_weight: float = 0.0
    slow_dimension: int = 0

    def embed(self, crops: RGB) -> Floats:
        """Unit vectors (n, dimension) float32 of RGB face crops (n, crop_size, crop_size, 3) uint8; n may be 0."""
        return self.join(self.embed_fast(crops), self.embed_slow(crops))

    def embed_fast(self, crops: RGB) -> Floats:
        """As `embed`, by the first network alone."""
        return _scale_to_unit(self.network(crops)[0])

    def embed_slow(self, crops: RGB) -> Floats:
        """As `embed`, by the second network alone; vectors of no numbers (n, 0) where there is none."""
        if self.slow_network is None:
            return np.empty((len(crops), 0), np.float32)
        return _scale_to_unit(self.slow_network(crops)[0])

    def join(self, fast: Floats, slow: Floats) -> Floats:
        """The vectors of the same faces by both networks as one; of unit length if both are."""
        share = 1 / (1 + self.slow_weight)
        return np.hstack([np.float32(share**0.5) * fast, np.float32((1 - share) ** 0.5) * slow])

    def normalise(self, vectors: Floats) -> Floats:
        """Sums (n, dimension) of vectors as unit vectors. Each network has its weight in them, however much its vectors
        of the same face differ."""
        if self.slow_network is None:
            return normalise(vectors)
        fast, slow = np.split(vectors, [self.dimension - self.slow_dimension], axis=1)
        return self.join(normalise(fast), normalise(slow))


def _scale_to_unit(raw: Floats) -> Floats:
    norms: Floats = np.linalg.norm(raw, axis=1, keepdims=True)
    return raw / norms
