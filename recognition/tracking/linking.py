"""From tracks to people: which tracks of a recording are one face, which faces are pictures, and which unknown ones are the same."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recognition.boxes import iou, is_near
from recognition.identification.calibration import unit
from recognition.identification.gallery import Gallery
from recognition.tracking.assignment import assign
from recognition.tracking.tracker import MAX_HIDDEN_SECONDS
from recognition.types import Box, Crop, Mark, Track

CROPS = 3
# A portrait, a poster or a face on a screen: the place changes no more than by the sensor's noise (at most 0.004 from 24 px on), where
# a sleeper who moves by a hundredth of the face's height while breathing changes it by twice this.
STILL = 0.005
STILL_SIGHTS = 10
STILL_WAY = 0.03  # sides of the box by which its usual place differs from one track to another
SAME_MOMENT = 3.0  # seconds: as near are the sights of two runs that looked at other frames
SAME_FACE = 0.3  # overlap from which a box of one run and one of another are the same face


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
        return np.concatenate([track.times for track in self.tracks])

    @property
    def looks(self) -> int:
        return sum(len(track.embeddings) for track in self.tracks)

    @property
    def box(self) -> NDArray[np.float32]:
        return np.asarray(np.median(np.concatenate([track.boxes for track in self.tracks]), axis=0), np.float32)

    @property
    def unmoved(self) -> bool:
        """Whether nothing moved where this person was seen, in no track and from none to another."""
        watched = [track.motion for track in self.tracks if len(track.times) > 1]
        boxes = [np.median(track.boxes, axis=0) for track in self.tracks]
        return max(watched, default=0.0) < STILL and not any(apart(self.box, box) for box in boxes)

    @property
    def mark(self) -> Mark:
        """When and where to find this face again: the middle of the longest track."""
        track = max(self.tracks, key=lambda track: len(track.times))
        middle = len(track.times) // 2
        return float(track.times[middle]), _box(track.boxes[middle])

    def was_at(self, marks: Sequence[Mark]) -> bool:
        """Whether this face was seen at one of the marks."""
        return any(
            bool(
                (
                    iou(track.boxes[np.abs(track.times - time) <= SAME_MOMENT], np.array([box], np.float32))
                    >= SAME_FACE
                ).any()
            )
            for time, box in marks
            if self.start - SAME_MOMENT <= time <= self.end + SAME_MOMENT
            for track in self.tracks
        )

    def embedding(self) -> NDArray[np.float32]:
        """The mean of all looks weighted by their quality, as a unit vector."""
        return unit(sum((track.qualities @ track.embeddings for track in self.tracks), np.float32(0)))  # type: ignore[arg-type]


def stitched(tracks: Sequence[Track], gallery: Gallery) -> list[Person]:
    """Tracks of one place that follow each other closely and don't look like two people, joined."""
    people: list[Person] = []
    for moment in _by_start(tracks):
        start = float(moment[0].times[0])
        live = [person for person in people if person.end < start <= person.end + MAX_HIDDEN_SECONDS]
        joined: dict[int, Person] = {}
        if live:
            before, now = (
                np.stack([person.tracks[-1].boxes[-1] for person in live]),
                np.stack([track.boxes[0] for track in moment]),
            )
            alike = (
                np.stack([person.embedding() for person in live])
                @ np.stack([Person([track]).embedding() for track in moment]).T
            )
            pairs = assign(iou(before, now) + np.maximum(alike, 0), is_near(before, now) & (alike > unlike(gallery)))
            joined = {j: live[i] for i, j in pairs}
        for j, track in enumerate(moment):
            if j in joined:
                joined[j].tracks.append(track)
            else:
                people.append(Person([track]))
    return people


def _by_start(tracks: Sequence[Track]) -> list[list[Track]]:
    """The tracks in the order in which they begin; those that begin together, together."""
    moments: dict[float, list[Track]] = {}
    for track in tracks:
        moments.setdefault(float(track.times[0]), []).append(track)
    return [moments[start] for start in sorted(moments)]


def parted(people: Sequence[Person], gallery: Gallery) -> tuple[list[Person], list[Person]]:
    """The living, and the pictures of people: those who never moved, whenever they were seen. Whoever was seen at the same place in
    another posture at another time, and looks the same, is somebody who slept."""
    if not any(person.unmoved for person in people):
        return list(people), []
    boxes, vectors = np.stack([person.box for person in people]), np.stack([person.embedding() for person in people])
    living: list[Person] = []
    pictures: list[Person] = []
    for i, person in enumerate(people):
        here: list[Person] = []
        if person.unmoved:
            same = is_near(boxes[i : i + 1], boxes)[0] & (vectors @ vectors[i] > unlike(gallery))
            here = [people[j] for j in np.flatnonzero(same).tolist()]
        stayed = all(other.unmoved and not apart(person.box, other.box) for other in here)
        (pictures if stayed and sum(len(other.times) for other in here) >= STILL_SIGHTS else living).append(person)
    return living, pictures


def apart(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    """Whether two boxes (4,) are so far from each other that what is in them moved."""
    return bool(np.abs((a[:2] + a[2:] - b[:2] - b[2:]) / 2).max() > STILL_WAY * (a[2:] - a[:2]).mean())


def seen_together(people: Sequence[Person]) -> NDArray[np.bool_]:
    """Which people (n, n) were seen at the same moment, and so can't be one."""
    moments, place = np.unique(np.concatenate([person.times for person in people]), return_inverse=True)
    seen = np.zeros((len(people), len(moments)), np.float32)
    seen[np.repeat(np.arange(len(people)), [len(person.times) for person in people]), place] = 1
    return np.asarray(seen @ seen.T > 0)


def unlike(gallery: Gallery) -> float:
    """The cosine below which two tracks can't be one face."""
    return 2 * gallery.points["lenient"].thresholds[0] - 1


def clustered(people: Sequence[Person], gallery: Gallery) -> list[list[Person]]:
    """People who are nobody on the roster: those who look the same and were never seen together are one. Longest seen first."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(people) < 2:
        return [[person] for person in people]
    vectors = np.stack([person.embedding() for person in people])
    apart = np.where(seen_together(people), 2.0, np.clip(1 - vectors @ vectors.T, 0, 2))
    np.fill_diagonal(apart, 0)
    groups = fcluster(
        linkage(squareform(apart, checks=False), "complete"), 1 - gallery.points["lenient"].thresholds[-1], "distance"
    )
    found = [
        [person for person, group in zip(people, groups, strict=True) if group == number]
        for number in np.unique(groups)
    ]
    return sorted(found, key=lambda group: -sum(len(person.times) for person in group))


def best_crops(people: Sequence[Person]) -> tuple[Crop, ...]:
    """The first pictures of the tracks before their second ones, good looks before poor ones."""
    ranked = [
        (rank, crop, track) for person in people for track in person.tracks for rank, crop in enumerate(track.crops)
    ]
    best = sorted(ranked, key=lambda entry: (entry[0], -entry[1].quality))[:CROPS]
    return tuple(
        replace(crop, box=_box(track.boxes[np.abs(track.times - crop.time).argmin()])) for _, crop, track in best
    )


def _box(box: NDArray[np.float32]) -> Box:
    x1, y1, x2, y2 = (round(float(side), 1) for side in box)
    return x1, y1, x2, y2
