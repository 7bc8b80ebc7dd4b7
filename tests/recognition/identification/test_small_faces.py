"""Two networks: both decide on large faces, and on those that were seen once; the fast one alone on the other small
ones."""

from dataclasses import replace

import numpy as np
import pytest

from recognition.identification.gallery import Gallery, train_gallery
from recognition.identification.networks import FAR_FACE_PX
from recognition.identification.vote import vote
from recognition.types import SegmentResult, Track, VideoInfo
from recognition.vectors import normalise
from tests.recognition.people import embeddings_of, result, track

BOTH = "dlib-facenet-v1"
MINUTE = VideoInfo(container="mov", codec="h264", width=1920, height=1080, rotation=0, fps=25.0, duration=60.0)
SLOW = np.random.default_rng(0).normal(size=(20, 512)).astype(np.float32)


def joined(fast: np.ndarray, slow: np.ndarray) -> np.ndarray:
    return normalise(np.concatenate([fast, np.float32(0.1**0.5) * np.tile(normalise(slow), (len(fast), 1))], axis=1))


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return train_gallery({str(i): list(joined(embeddings_of(i, 8), SLOW[i])) for i in range(20)}, BOTH)


def misled(person: int, *, px: float, observations: int = 6) -> Track:
    """The slow network sees somebody in this face whom nobody knows."""
    seen = track(person, np.arange(0, 60, 2.0), observations=observations)
    boxes = seen.boxes.copy()
    boxes[:, 3] = boxes[:, 1] + px
    return replace(seen, boxes=boxes, embeddings=joined(seen.embeddings, -SLOW[person]))


def present(seen: Track, gallery: Gallery) -> set[str]:
    of_both: SegmentResult = replace(result(seen), embedder=BOTH)
    attendance = vote([of_both], gallery, [str(i) for i in range(20)], MINUTE)
    return {presence.label for presence in attendance.presences if presence.present}


def test_the_slow_network_has_no_say_in_small_faces_that_were_seen_often(gallery: Gallery) -> None:
    assert present(misled(4, px=FAR_FACE_PX + 1), gallery) == set()
    assert present(misled(4, px=FAR_FACE_PX - 1), gallery) == {"4"}
    assert present(misled(4, px=FAR_FACE_PX - 1, observations=2), gallery) == set()


def test_a_small_face_of_a_stranger_is_nobodys(gallery: Gallery) -> None:
    assert [
        present(replace(misled(0, px=30), embeddings=joined(embeddings_of(n, 6), SLOW[0])), gallery) for n in (600, 601)
    ] == [set(), set()]


def test_the_gallery_of_small_faces_is_kept(gallery: Gallery) -> None:
    loaded = Gallery.from_bytes(gallery.to_bytes(), BOTH)
    assert loaded.far
    assert loaded.far.embedder == "dlib-resnet-v1"
    assert loaded.labels == loaded.far.labels
    assert present(misled(4, px=30), loaded) == {"4"}
