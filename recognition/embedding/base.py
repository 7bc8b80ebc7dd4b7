"""What an embedder is: a network that turns a face crop of a face into a unit vector; the nearer two vectors, the more alike the faces."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Embedder:
    """`id` and `version` say which model made a vector: vectors of different ones are never compared.

    `crop_size` is the side of a face crop in pixels and `targets` (5, 2) float32 where in it the face's five points go, (x, y) in the order of
    `Face.points`; `dimension` is the length of a vector. `network` takes face crops and gives [raw vectors], before they are made unit length.
    """

    id: str
    version: str
    crop_size: int
    dimension: int
    targets: NDArray[np.float32] = field(repr=False)
    network: Callable[[NDArray[np.uint8]], list[NDArray[np.float32]]] = field(repr=False)

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit vectors (n, dimension) float32 of RGB face crops (n, chip_size, chip_size, 3) uint8; n may be 0."""
        raw = self.network(crops)[0]
        lengths: NDArray[np.float32] = np.linalg.norm(raw, axis=1, keepdims=True)
        return raw / lengths
