"""People as the gallery and the vote see them: unit vectors around a centre of their own."""

import numpy as np

from recognition.identification.gallery import Gallery, train_gallery
from recognition.types import Crop, SegmentResult, Track
from recognition.vectors import normalise

EMBEDDER = "dlib-resnet-v1"
DIMENSION = 128
COMMON = 2.4  # every face of this embedder is a good deal like every other


def centre(person: int) -> np.ndarray:
    common, own = (
        np.random.default_rng(10_000).normal(size=DIMENSION),
        np.random.default_rng(person).normal(size=DIMENSION),
    )
    return normalise((COMMON * common + own).astype(np.float32))


def embeddings_of(person: int, count: int, seed: int = 0, spread: float = 0.25) -> np.ndarray:
    noise = np.random.default_rng((person + 1) * 1000 + seed).normal(size=(count, DIMENSION)) / np.sqrt(DIMENSION)
    return normalise(centre(person) + spread * noise)


def gallery_of_class(count: int = 20, photos: int = 8) -> Gallery:
    return train_gallery({str(i): list(embeddings_of(i, photos)) for i in range(count)}, EMBEDDER)


def track(
    person: int,
    times: np.ndarray,
    x: float = 100,
    segment: int = 0,
    observations: int = 6,
    seed: int = 7,
    spread: float = 0.25,
) -> Track:
    count = min(observations, len(times))
    box = np.array([x, 100, x + 60, 170], np.float32)
    crops = tuple(Crop(time=float(t), quality=0.5, jpeg=b"jpeg of %d" % person) for t in times[:3])
    embeddings = embeddings_of(person, count, seed, spread)
    return Track(
        segment=segment,
        times=np.asarray(times, float),
        boxes=np.tile(box, (len(times), 1)),
        embeddings=embeddings,
        qualities=np.full(count, 0.5, np.float32),
        crops=crops,
    )


def result(*tracks: Track) -> SegmentResult:
    return SegmentResult(embedder=EMBEDDER, frames=30, faces=sum(len(t.times) for t in tracks), tracks=tracks)
