"""Where to search for faces in which frame.

Seated people stay where they are. Searching the whole frame takes most of the time, so it is done every few seconds and
where the scene changes. In the frames between, faces are searched for where they were found just before and just after.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recognition.boxes import Boxes, iou
from recognition.detection.detector import Detector
from recognition.detection.gallery_view import find_cells
from recognition.media.image_statistics import thumbnail_vector
from recognition.types import Face, Frame

FULL_SEARCH_INTERVAL_SECONDS = 8.0  # somebody who comes in is found within it
DUPLICATE_IOU = 0.6  # boxes that overlap more are one place to search
SAME_SCENE_MIN_CORRELATION = 0.5  # of two frames' thumbnails; below it, the camera was switched or turned
MIN_CHANGED_CELLS = 2  # of a gallery view, by the same measure; with one, a participant may have moved


@dataclass(frozen=True, slots=True)
class SearchedFrame:
    """A frame and its faces. When it starts a new scene, a face at the same place as before is somebody else's."""

    frame: Frame
    faces: list[Face]
    starts_scene: bool


def find_faces(frames: Iterable[Frame], detector: Detector, min_score: float) -> Iterator[SearchedFrame]:
    """Each frame, in the order of time, with its faces whose score is at least `min_score`."""

    def search_near(boxes: Boxes) -> Iterator[SearchedFrame]:
        distinct = _without_duplicates(boxes)
        faces_by_frame = detector.detect_near([frame.image for frame in skipped], [distinct] * len(skipped))
        for frame, faces in zip(skipped, faces_by_frame, strict=True):
            yield SearchedFrame(frame, _with_score(faces, min_score), starts_scene=False)

    before: NDArray[np.uint8] | None = None
    last_search = float("-inf")
    boxes_before: Boxes = np.empty((0, 4), np.float32)
    skipped: list[Frame] = []  # since the last full search
    remaining = iter(frames)
    following = next(remaining, None)
    while (frame := following) is not None:
        following = next(remaining, None)
        starts_scene = before is not None and is_other_scene(before, frame.image)
        before = frame.image
        is_due = frame.time - last_search >= FULL_SEARCH_INTERVAL_SECONDS
        if not starts_scene and following is not None and not is_due:
            skipped.append(frame)
            continue
        faces = _with_score(detector.detect([frame.image])[0], min_score)
        boxes: Boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
        yield from search_near(boxes_before if starts_scene else np.concatenate([boxes_before, boxes]))
        yield SearchedFrame(frame, faces, starts_scene)
        skipped, boxes_before, last_search = [], boxes, frame.time


def is_other_scene(before: NDArray[np.uint8], image: NDArray[np.uint8]) -> bool:
    """Whether the camera was switched or turned between two frames (height, width, 3), or the participants of a
    gallery view have changed their cells."""
    if _correlation(before, image) < SAME_SCENE_MIN_CORRELATION:
        return True
    changed_cells = sum(
        _correlation(before[y1:y2, x1:x2], image[y1:y2, x1:x2]) < SAME_SCENE_MIN_CORRELATION
        for x1, y1, x2, y2 in find_cells(before)
    )
    return changed_cells >= MIN_CHANGED_CELLS


def _correlation(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(thumbnail_vector(a) @ thumbnail_vector(b))


def _with_score(faces: Sequence[Face], min_score: float) -> list[Face]:
    return [face for face in faces if face.score >= min_score]


def _without_duplicates(boxes: Boxes) -> Boxes:
    """The boxes (n, 4) that don't overlap an earlier one."""
    is_duplicate = np.triu(iou(boxes, boxes) > DUPLICATE_IOU, k=1).any(axis=0)
    return boxes[~is_duplicate]
