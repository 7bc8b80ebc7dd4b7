"""People as the gallery and the vote see them: unit vectors around a centre of their own."""

import numpy as np

from recognition.identification.gallery import Gallery, train_gallery, unit
from recognition.types import Crop, SegmentResult, Track

EMBEDDER = "dlib-resnet-v1"
DIMENSION = 128
COMMON = 2.4  # every face of this embedder is a good deal like every other


def centre(person: int) -> np.ndarray:
    common, own = (
        np.random.default_rng(10_000).normal(size=DIMENSION),
        np.random.default_rng(person).normal(size=DIMENSION),
    )
    return unit(COMMON * common + own)


def looks_of(person: int, count: int, seed: int = 0, spread: float = 0.25) -> np.ndarray:
    noise = np.random.default_rng((person + 1) * 1000 + seed).normal(size=(count, DIMENSION)) / np.sqrt(DIMENSION)
    return unit(centre(person) + spread * noise)


def a_class(count: int = 20, photos: int = 8) -> Gallery:
    return train_gallery({str(i): list(looks_of(i, photos)) for i in range(count)}, EMBEDDER)


def track(
    person: int,
    times: np.ndarray,
    x: float = 100,
    segment: int = 0,
    looks: int = 6,
    seed: int = 7,
    spread: float = 0.25,
) -> Track:
    count = min(looks, len(times))
    box = np.array([x, 100, x + 60, 170], np.float32)
    crops = tuple(Crop(float(t), 0.5, b"jpeg of %d" % person) for t in times[:3])
    embeddings = looks_of(person, count, seed, spread)
    return Track(
        segment,
        np.asarray(times, float),
        np.tile(box, (len(times), 1)),
        embeddings,
        np.full(count, 0.5, np.float32),
        crops,
    )


def result(*tracks: Track) -> SegmentResult:
    return SegmentResult(EMBEDDER, 30, sum(len(t.times) for t in tracks), tracks)
