"""Few observations are embedded of a face that the class knows for certain, all of one in doubt, and who it is doesn't
depend on how many they were.
"""

import numpy as np
import pytest

from recognition.embedding.base import RGB, Embedder
from recognition.evidence import SLOW_OBSERVATIONS, embed_observations
from recognition.identification.gallery import Gallery, train_gallery
from recognition.tracking.person import Person
from recognition.tracking.tracker import Observation
from recognition.types import Face, Track, VideoInfo
from recognition.vectors import Floats, normalise

FACE = Face(np.array([10, 10, 60, 60], np.float32), 0.99, np.zeros((5, 2), np.float32))
KNOWN, RELATED = 0, 1
PEOPLE = normalise(np.random.default_rng(0).standard_normal((12, 128)).astype(np.float32))


def info(minutes: float, container: str = "mp4") -> VideoInfo:
    return VideoInfo(
        container=container, codec="h264", width=640, height=480, rotation=0, fps=25.0, duration=60 * minutes
    )


class CountingEmbedder:
    """Crops are pictures of one number: the person. The second network says the same, in other directions."""

    def __init__(self, slow: bool) -> None:
        self.fast_crops = self.slow_crops = 0
        self.embedder = Embedder(
            id="dlib-resnet-v1",
            version="1",
            crop_size=4,
            dimension=256 if slow else 128,
            crop=lambda image, face, aligned: aligned,
            network=self._count_fast,
            slow_network=self._count_slow if slow else None,
            slow_weight=0.1 if slow else 0.0,
            slow_dimension=128 if slow else 0,
        )

    def _count_fast(self, crops: RGB) -> list[Floats]:
        self.fast_crops += len(crops)
        return [_looks(crops)]

    def _count_slow(self, crops: RGB) -> list[Floats]:
        self.slow_crops += len(crops)
        return [_looks(crops)[:, ::-1]]


def _looks(crops: RGB) -> Floats:
    """Person 1 looks half like person 0."""
    people = PEOPLE.copy()
    people[RELATED] = normalise(PEOPLE[KNOWN] + PEOPLE[RELATED])
    return people[crops[:, 0, 0, 0]] if len(crops) else np.empty((0, 128), np.float32)


def track_of(person: int, seconds: float = 60) -> list[Observation]:
    crop = np.full((4, 4, 3), person, np.uint8)
    return [
        Observation(time=time, face=FACE, quality=0.5 + time / 1000, crop=crop, stored_crop=crop, embedder_crop=crop)
        for time in np.arange(0, seconds, 4.0).tolist()
    ]


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return train_gallery({str(i): [PEOPLE[i]] * 3 for i in (KNOWN, *range(2, 12))}, "dlib-resnet-v1")


def test_only_a_face_in_doubt_is_embedded_from_all_observations(gallery: Gallery) -> None:
    embedder = CountingEmbedder(slow=False).embedder
    known, related = embed_observations([track_of(KNOWN), track_of(RELATED)], info(minutes=50), embedder, gallery)
    assert ([seen.time for seen in known[0]], len(known[1])) == ([12.0, 28.0, 44.0, 56.0], 4)
    assert sorted(seen.time for seen in related[0]) == [seen.time for seen in track_of(RELATED)]
    assert related[1].shape == (15, 128)


def test_without_a_gallery_there_are_fewer_a_minute_in_long_recordings() -> None:
    embedder = CountingEmbedder(slow=False).embedder
    for minutes, count in ((1, 15), (3, 7), (50, 4)):
        [(seen, vectors)] = embed_observations([track_of(KNOWN)], info(minutes), embedder)
        assert (len(seen), len(vectors)) == (count, count)


def test_the_slow_network_sees_the_best_observations_of_a_track_alone(gallery: Gallery) -> None:
    counting = CountingEmbedder(slow=True)
    [(_, vectors)] = embed_observations([track_of(KNOWN)], info(minutes=1), counting.embedder)
    assert (counting.fast_crops, counting.slow_crops) == (2 * 15, 2 * SLOW_OBSERVATIONS[0])  # with mirror images
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    expected = counting.embedder.embed(track_of(KNOWN)[0].embedder_crop[None])
    np.testing.assert_allclose(vectors, expected.repeat(15, axis=0), atol=1e-5)


@pytest.mark.parametrize(("person", "observations"), [(KNOWN, SLOW_OBSERVATIONS[0]), (RELATED, SLOW_OBSERVATIONS[1])])
def test_the_slow_network_sees_more_of_a_face_in_doubt(person: int, observations: int) -> None:
    counting = CountingEmbedder(slow=True)
    vectors = counting.embedder.join(PEOPLE, PEOPLE[:, ::-1])
    gallery = train_gallery({str(i): [vectors[i]] * 3 for i in (KNOWN, *range(2, 12))}, "dlib-resnet-v1")
    embed_observations([track_of(person)], info(minutes=50), counting.embedder, gallery)
    assert counting.slow_crops == 2 * observations


def test_no_faces_need_no_network(gallery: Gallery) -> None:
    assert embed_observations([], info(minutes=1), CountingEmbedder(slow=True).embedder, gallery) == []


def test_a_minute_in_doubt_weighs_no_more_than_a_certain_one() -> None:
    def track(embedding: Floats, count: int) -> Track:
        return Track(
            segment=0,
            times=np.linspace(0.0, 58.0, 30),
            boxes=np.tile(FACE.box, (30, 1)),
            embeddings=np.tile(embedding, (count, 1)),
            qualities=np.ones(count, np.float32),
            crops=(),
            motion=1.0,
        )

    person = Person([track(PEOPLE[0], 4), track(PEOPLE[2], 15)])
    np.testing.assert_allclose(person.embedding(), normalise(PEOPLE[0] + PEOPLE[2]), atol=1e-5)
