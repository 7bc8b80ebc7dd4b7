"""A camera that went dark or stands still is told from a living one."""

import numpy as np
import pytest

from recognition.media.image_statistics import ImageStatistics
from recognition.types import Crop, SegmentResult, Track


def test_a_living_picture_a_frozen_one_and_a_dark_one() -> None:
    rng = np.random.default_rng(1)
    room = rng.integers(60, 200, (90, 160, 3))
    living, frozen, dark = ImageStatistics(), ImageStatistics(), ImageStatistics()
    for _ in range(5):
        living.add((room + rng.normal(0, 2, room.shape)).astype(np.uint8))
        frozen.add(room.astype(np.uint8))
        dark.add(np.full(room.shape, 3, np.uint8))
    assert (living.light, frozen.light) == (pytest.approx(0.51, abs=0.03), pytest.approx(0.51, abs=0.03))
    assert dark.light < 0.02
    assert living.motion is not None
    assert living.motion > 0.002
    assert frozen.motion == dark.motion == 0


def test_one_picture_says_nothing_of_motion() -> None:
    scene = ImageStatistics()
    scene.add(np.zeros((8, 8, 3), np.uint8))
    assert (scene.light, scene.motion) == (0, None)


def test_what_a_footage_file_shows_lies_later_in_the_lecture() -> None:
    boxes, vectors = np.zeros((2, 4), np.float32), np.zeros((1, 3), np.float32)
    track = Track(
        segment=0,
        times=np.array([1.0, 3.0]),
        boxes=boxes,
        embeddings=vectors,
        qualities=np.ones(1, np.float32),
        crops=(Crop(time=3.0, quality=0.5, jpeg=b"jpeg"),),
    )
    moved = SegmentResult(embedder="model", frames=2, faces=2, tracks=(track,), light=0.5, motion=0.1).shift_times(-0.5)
    assert moved.tracks[0].times.tolist() == [0.5, 2.5]
    assert moved.tracks[0].crops[0].time == 2.5
    assert (moved.light, moved.faces) == (0.5, 2)
    assert track.times.tolist() == [1.0, 3.0]
