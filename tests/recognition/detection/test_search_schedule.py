from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import pytest

from recognition.detection.search_schedule import FULL_SEARCH_INTERVAL_SECONDS, SearchedFrame, find_faces
from recognition.types import Face, Frame

POINTS = np.zeros((5, 2), np.float32)


def face(x: float, score: float = 0.99) -> Face:
    return Face(np.array([x, 100, x + 40, 140], np.float32), score, POINTS)


def room(seed: int = 0, light: float = 1.0) -> np.ndarray:
    picture = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), np.uint8)
    return (cv2.resize(picture, (640, 360), interpolation=cv2.INTER_NEAREST) * light).astype(np.uint8)


class Detector:
    """Finds what is there at the frame's time, written into its first pixel; near a place only what is within ten
    pixels of it.
    """

    def __init__(self, there: dict[int, list[Face]]) -> None:
        self.there = there
        self.searched: list[Any] = []
        self.places: list[Any] = []

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        self.searched += [int(image[0, 0, 0]) for image in images]
        return [self.there.get(int(image[0, 0, 0]), []) for image in images]

    def detect_near(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray]) -> list[list[Face]]:
        self.places += [len(near) for near in boxes]
        return [
            [
                face
                for face in self.there.get(int(image[0, 0, 0]), [])
                if any(abs(face.box[0] - box[0]) <= 10 for box in near)
            ]
            for image, near in zip(images, boxes, strict=True)
        ]


def frames(count: int, rooms: Sequence[np.ndarray] | None = None) -> Iterator[Frame]:
    for index in range(count):
        image = (rooms[index] if rooms else room()).copy()
        image[0, 0] = 2 * index
        yield Frame(2.0 * index, image)


def run(detector: Detector, pictures: Iterator[Frame]) -> list[SearchedFrame]:
    return list(find_faces(pictures, detector, 0.8))  # type: ignore[arg-type]


def test_the_whole_picture_is_searched_every_few_seconds_and_at_the_end_and_no_frame_is_lost():
    detector = Detector({2 * n: [face(100)] for n in range(12)})
    seen = run(detector, frames(12))
    assert [s.frame.time for s in seen] == [2.0 * n for n in range(12)]
    assert all(len(s.faces) == 1 for s in seen)
    assert detector.searched == [0, 8, 16, 22]


def test_who_comes_in_between_is_found_from_then_on_and_who_leaves_until_then():
    comes = {2 * n: [face(300)] for n in range(3, 12)}
    leaves = {2 * n: [face(100)] for n in range(6)}
    there = {2 * n: leaves.get(2 * n, []) + comes.get(2 * n, []) for n in range(12)}
    seen = run(Detector(there), frames(12))
    assert [s.frame.time for s in seen if any(f.box[0] == 300 for f in s.faces)] == [2.0 * n for n in range(3, 12)]
    assert [s.frame.time for s in seen if any(f.box[0] == 100 for f in s.faces)] == [2.0 * n for n in range(6)]
    assert FULL_SEARCH_INTERVAL_SECONDS <= 10


def test_a_seat_is_looked_at_once_although_its_face_was_found_before_and_after():
    detector = Detector({0: [face(100)], 8: [face(102), face(400)]})
    run(detector, frames(5))
    assert detector.places == [2, 2, 2]


def test_a_new_scene_is_searched_at_once_and_light_makes_none():
    there = {2 * n: [face(100 if n < 3 else 500)] for n in range(6)}
    detector = Detector(there)
    seen = run(detector, frames(6, [room(seed=int(n >= 3)) for n in range(6)]))
    assert [s.frame.time for s in seen if s.starts_scene] == [6.0]
    assert detector.searched == [0, 6, 10]
    assert [f.box[0] for s in seen for f in s.faces] == [100] * 3 + [500] * 3
    detector = Detector(there)
    assert not any(
        s.starts_scene for s in run(detector, frames(6, [room(light=0.3 if n >= 3 else 1.0) for n in range(6)]))
    )


def test_doubtful_faces_are_none_and_nobody_is_looked_for_where_nobody_is():
    detector = Detector({0: [face(100, score=0.75)]})
    assert [len(s.faces) for s in run(detector, frames(3))] == [0, 0, 0]
    assert run(Detector({}), frames(0)) == []


def test_a_fault_of_the_recording_reaches_the_caller():
    def faulty() -> Iterator[Frame]:
        yield from frames(2)
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        run(Detector({}), faulty())
