"""Where in which frame faces are looked for. Seated people stay where they are: the search through the whole picture, which takes most
of the time, is made every few seconds and where the scene changes. In the frames between, faces are looked for where they were found
just before and just after."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recognition.boxes import iou
from recognition.detection.detector import Detector
from recognition.media.image_statistics import thumbnail_vector
from recognition.types import Face, Frame

FULL_SEARCH_INTERVAL_SECONDS = (
    8.0  # seconds between searches through the whole picture: who comes in is found within them
)
SAME_PLACE = 0.6  # overlap from which two boxes are one place to look at
SAME_SCENE = 0.5  # correlation of thumbs of the whole frame under which the camera was switched or turned

Boxes = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SearchedFrame:
    """A frame, its faces, and whether it begins a new scene: who is then at the same place is somebody else."""

    frame: Frame
    faces: list[Face]
    starts_scene: bool


def find_faces(frames: Iterable[Frame], detector: Detector, least_score: float) -> Iterator[SearchedFrame]:
    """Each frame, in the order of time, with its faces whose score is at least `least_score`."""

    def near(places: list[Boxes]) -> Iterator[SearchedFrame]:
        boxes = _distinct(np.concatenate(places))
        found = detector.detect_near([frame.image for frame in between], [boxes] * len(between))
        for frame, faces in zip(between, found, strict=True):
            yield SearchedFrame(frame, sure(faces), starts_scene=False)

    def sure(faces: list[Face]) -> list[Face]:
        return [face for face in faces if face.score >= least_score]

    scene: NDArray[np.float32] | None = None
    searched = float("-inf")
    before: Boxes = np.empty((0, 4), np.float32)
    between: list[Frame] = []
    pictures = iter(frames)
    following = next(pictures, None)
    while (frame := following) is not None:
        following = next(pictures, None)
        now = thumbnail_vector(frame.image)
        cut = scene is not None and float(scene @ now) < SAME_SCENE
        scene = now
        if not cut and following is not None and frame.time - searched < FULL_SEARCH_INTERVAL_SECONDS:
            between.append(frame)
            continue
        faces = sure(detector.detect([frame.image])[0])
        after: Boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
        yield from near([before] if cut else [before, after])
        yield SearchedFrame(frame, faces, cut)
        between, before, searched = [], after, frame.time


def _distinct(boxes: Boxes) -> Boxes:
    """The boxes (n, 4) without those that overlap an earlier one."""
    again = np.triu(iou(boxes, boxes) > SAME_PLACE, k=1).any(axis=0)
    return boxes[~again]
