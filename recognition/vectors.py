"""Unit vectors: embeddings are compared by their cosine, which is then their dot product."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def normalise(vectors: Floats) -> Floats:
    """The vectors (..., d) scaled to unit length, as float32. A vector of zeros stays one."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12), np.float32)
