"""What an embedder is: a network that turns a face crop into a unit vector.

The larger the cosine of two vectors, the more alike are the faces.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedder:
    """A loaded face recognition model.

    `id` and `version` say which model made a vector: vectors of different ones are never compared.
    `crop_size` is the side of a face crop in pixels. `targets` (5, 2) float32 is where in the crop the face's five
    points go, as (x, y) in the order of `Face.points`. `dimension` is the size of a vector. `network` takes face crops
    and returns [raw vectors], which are not of unit length.
    """

    id: str
    version: str
    crop_size: int
    dimension: int
    targets: NDArray[np.float32] = field(repr=False)
    network: Callable[[NDArray[np.uint8]], list[NDArray[np.float32]]] = field(repr=False)

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit vectors (n, dimension) float32 of RGB face crops (n, crop_size, crop_size, 3) uint8; n may be 0."""
        raw = self.network(crops)[0]
        norms: NDArray[np.float32] = np.linalg.norm(raw, axis=1, keepdims=True)
        return raw / norms
