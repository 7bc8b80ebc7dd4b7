"""A person: the tracks of one face in one seat."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recognition.boxes import iou
from recognition.types import Box, Crop, FacePosition, Track
from recognition.vectors import Floats, normalise

MAX_CROPS_PER_PERSON = 3
POSITION_MAX_SECONDS = 3.0  # between a position and a sample of another run over the recording, which took other frames
POSITION_MIN_IOU = 0.3  # from which a box of one run and one of another are the same face


@dataclass(slots=True)
class Person:
    """Tracks, in the order of time, that are one face."""

    tracks: list[Track]

    @property
    def start(self) -> float:
        return float(self.tracks[0].times[0])

    @property
    def end(self) -> float:
        return float(self.tracks[-1].times[-1])

    @property
    def times(self) -> NDArray[np.float64]:
        """When the face was seen, in seconds, (n,)."""
        return np.concatenate([track.times for track in self.tracks])

    @property
    def observation_count(self) -> int:
        return sum(len(track.embeddings) for track in self.tracks)

    @property
    def median_box(self) -> NDArray[np.float32]:
        """The usual place of the face, (4,)."""
        return np.asarray(np.median(np.concatenate([track.boxes for track in self.tracks]), axis=0), np.float32)

    @property
    def face_px(self) -> float:
        """The usual height of the face."""
        return float(self.median_box[3] - self.median_box[1])

    @property
    def face_position(self) -> FacePosition:
        """When and where this face can be found again: the middle of the longest track."""
        track = max(self.tracks, key=lambda track: len(track.times))
        middle = len(track.times) // 2
        return float(track.times[middle]), _rounded_box(track.boxes[middle])

    def was_seen_at(self, positions: Sequence[FacePosition]) -> bool:
        """Whether this face was seen at one of the positions, give or take what two runs over a recording differ by."""
        return any(self._was_seen_at(time, box) for time, box in positions)

    def _was_seen_at(self, time: float, box: Box) -> bool:
        if not self.start - POSITION_MAX_SECONDS <= time <= self.end + POSITION_MAX_SECONDS:
            return False
        wanted = np.array([box], np.float32)
        for track in self.tracks:
            boxes = track.boxes[np.abs(track.times - time) <= POSITION_MAX_SECONDS]
            if (iou(boxes, wanted) >= POSITION_MIN_IOU).any():
                return True
        return False

    def embedding(self) -> Floats:
        """The mean of all observations' embeddings, weighted by their quality, as a unit vector (d,).

        A track weighs by the number of samples that show it, however many of its observations were embedded.
        """
        total = np.zeros(self.tracks[0].embeddings.shape[1], np.float32)
        for track in self.tracks:
            total += track.qualities @ track.embeddings * np.float32(len(track.times) / len(track.embeddings))
        return normalise(total)


def co_occurrence(people: Sequence[Person]) -> NDArray[np.bool_]:
    """Which of the people, (n, n), were seen at the same moment, and so can't be one person."""
    times = np.concatenate([person.times for person in people])
    moments, moment_of_time = np.unique(times, return_inverse=True)
    person_of_time = np.repeat(np.arange(len(people)), [len(person.times) for person in people])
    seen = np.zeros((len(people), len(moments)), np.float32)
    seen[person_of_time, moment_of_time] = 1
    return np.asarray(seen @ seen.T > 0)


def best_crops(people: Sequence[Person]) -> tuple[Crop, ...]:
    """At most three crops of the tracks of all these people, each with its box.

    The first crop of every track comes before any track's second one; among crops of one rank, quality decides.
    """
    ranked = [
        (rank, crop, track) for person in people for track in person.tracks for rank, crop in enumerate(track.crops)
    ]
    ranked.sort(key=lambda entry: (entry[0], -entry[1].quality))
    return tuple(
        replace(crop, box=_rounded_box(track.boxes[np.abs(track.times - crop.time).argmin()]))
        for _, crop, track in ranked[:MAX_CROPS_PER_PERSON]
    )


def _rounded_box(box: NDArray[np.float32]) -> Box:
    x1, y1, x2, y2 = (round(float(side), 1) for side in box)
    return x1, y1, x2, y2
