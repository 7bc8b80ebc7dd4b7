"""One embedding from several renderings of the same face crop, which say more together than one of them does."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from recognition.detection.alignment import jitter_crop, simulate_distance
from recognition.embedding.base import RGB, Embedder
from recognition.vectors import Floats


def embed_crops(crops: Sequence[RGB], embedder: Embedder) -> Floats:
    """Unit vectors (n, d) float32 of n face crops (s, s, 3): means of a crop's embedding and its mirror image's."""
    return embedder.normalise(add_mirrored(crops, embedder.crop_size, embedder.embed))


def add_mirrored(crops: Sequence[RGB], size: int, embed: Callable[[RGB], Floats]) -> Floats:
    """The vectors (n, d) that `embed` makes of face crops (size, size, 3), plus those of their mirror images."""
    if not crops:
        return embed(np.empty((0, size, size, 3), np.uint8))
    return embed(np.stack(crops)) + embed(np.stack([cv2.flip(crop, 1) for crop in crops]))


def embed_single_crops(crops: Sequence[RGB], embedder: Embedder) -> Floats:
    """Unit vectors (n, d) float32 of n face crops (s, s, 3), each the only observation of its face.

    Each is the mean over several slightly turned, scaled and shifted views of the crop.
    """
    embeddings = embed_crops([view for crop in crops for view in jitter_crop(crop)], embedder)
    if not crops:
        return embeddings
    return embedder.normalise(embeddings.reshape(len(crops), -1, embedder.dimension).sum(axis=1))


def embed_enrolment_crops(crops: Sequence[RGB], embedder: Embedder) -> Floats:
    """Unit vectors (n, d) float32 of enrolment photos' face crops (s, s, 3), each half from near and half from far.

    A photo shows a large face and the camera in the room a small one, so the mean is taken of the crop as it is and of
    what a distant camera would have made of it.
    """
    embeddings = embed_crops([view for crop in crops for view in (crop, *simulate_distance(crop))], embedder)
    if not crops:
        return embeddings
    near_and_far = embeddings.reshape(len(crops), -1, embedder.dimension)
    return embedder.normalise(near_and_far[:, 0] + near_and_far[:, 1:].mean(axis=1))
