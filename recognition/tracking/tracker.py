"""Following faces from sample to sample. Seated people hardly move between samples, so place decides and looks help.

Tracking by detection with one-to-one assignment, as in SORT (Bewley et al., "Simple online and realtime tracking", 2016),
without its motion model: at a sample every second or two a constant velocity predicts nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from recognition.types import Face, Frame

MAX_GAP = 10.0  # seconds that a face may be hidden without its track ending
LOOK_EVERY = (
    4.0,
    15.0,
)  # seconds, shortest and longest: the best look of each such time is kept, so that the looks of a track differ
LOOKS = 20  # so many in a recording are enough
REACH = 0.8  # how far a face may move between samples, in sides of its box
GROWTH = 1.6  # how much larger or smaller it may become
LOOKS_WEIGHT = 0.5
THUMB = 16  # pixels a side
PLACE = 64  # pixels: a larger place is compared in this size


@dataclass(frozen=True, slots=True)
class Look:
    """One sight of a face: its aligned face crop (s, s, 3) and how good a look it is (0..1)."""

    time: float
    face: Face
    quality: float
    crop: NDArray[np.uint8]


@dataclass(slots=True)
class OpenTrack:
    """A track in the making: where the face was at each sample, and the best look of each `look_every` seconds."""

    look_every: float

    times: list[float] = field(default_factory=list)
    boxes: list[NDArray[np.float32]] = field(default_factory=list)
    looks: dict[int, Look] = field(default_factory=dict)
    thumb: NDArray[np.float32] | None = None
    place: NDArray[np.float32] | None = None
    changes: list[float] = field(default_factory=list)

    @property
    def motion(self) -> float:
        """How much the place where the face was first seen looked otherwise at three of four later sights: see Track."""
        return float(np.quantile(self.changes, 0.75)) if self.changes else 1.0

    def watch(self, frame: Frame) -> None:
        """Compare the place where the face was first seen with what it was then."""
        now = _place(frame.image, self.boxes[0])
        if self.place is None:
            self.place = now
        else:
            self.changes.append(1 - float((now * self.place).sum()))

    def add(self, look: Look, thumb: NDArray[np.float32]) -> None:
        self.times.append(look.time)
        self.boxes.append(look.face.box)
        self.thumb = thumb
        part = int(look.time // self.look_every)
        if part not in self.looks or look.quality > self.looks[part].quality:
            self.looks[part] = look


def overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of each box of `a` (n, 4) with each of `b` (m, 4), as (n, m)."""
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    both = np.prod(np.maximum(sides, 0), axis=2)
    area_a, area_b = np.prod(a[:, 2:] - a[:, :2], axis=1), np.prod(b[:, 2:] - b[:, :2], axis=1)
    return both / np.maximum(area_a[:, None] + area_b[None, :] - both, 1e-9)


def near(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which boxes of `a` (n, 4) and `b` (m, 4) can be one face a moment apart, as (n, m)."""
    side_a, side_b = (a[:, 2:] - a[:, :2]).mean(axis=1)[:, None], (b[:, 2:] - b[:, :2]).mean(axis=1)[None, :]
    way = np.linalg.norm((a[:, None, :2] + a[:, None, 2:] - b[None, :, :2] - b[None, :, 2:]) / 2, axis=2)
    larger, smaller = np.maximum(side_a, side_b), np.maximum(np.minimum(side_a, side_b), 1e-9)
    return (way < REACH * larger) & (larger < GROWTH * smaller)


def assign(profit: NDArray[np.floating], allowed: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The one-to-one pairs (row, column) of greatest total `profit` (n, m), 0 or more, out of those that are `allowed`."""
    value = np.where(allowed, profit + 1e-6, 0.0)
    return [
        (int(i), int(j)) for i, j in zip(*linear_sum_assignment(value, maximize=True), strict=True) if allowed[i, j]
    ]


def thumb(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The picture (h, w, 3) as a small grey one of mean 0 and length 1: the product of two is their correlation."""
    step = max(min(picture.shape[:2]) // (4 * THUMB), 1)
    small = cv2.resize(picture[::step, ::step], (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32).ravel()
    grey -= grey.mean()
    return np.asarray(grey / max(float(np.linalg.norm(grey)), 1e-6), np.float32)


def _place(image: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is in the box, grey and without the sensor's noise, with mean 0 and length 1: the product of two is their correlation."""
    x1, y1, x2, y2 = np.clip(np.round(box), 0, [*image.shape[1::-1]] * 2).astype(int)
    grey = cv2.cvtColor(image[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)], cv2.COLOR_RGB2GRAY)
    if max(grey.shape) > PLACE:
        grey = cv2.resize(grey, (PLACE, PLACE), interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0)
    smooth -= smooth.mean()
    return np.asarray(smooth / max(float(np.linalg.norm(smooth)), 1e-6), np.float32)


class Tracker:
    """Give it each sample's time and looks in the order of time; `tracks` are then all tracks, in the order in which they began.

    With a cut all tracks end: who is then at the same place is somebody else.
    """

    def __init__(self, duration: float) -> None:
        """`duration`: of the whole recording, in seconds. The longer it is, the fewer looks are kept of each minute."""
        self.tracks: list[OpenTrack] = []
        self._look_every = float(np.clip(duration / LOOKS, *LOOK_EVERY))
        self._over = 0  # so many tracks are of earlier scenes

    def update(self, time: float, looks: Sequence[Look], cut: bool = False) -> None:
        if cut:
            self._over = len(self.tracks)
        live = [track for track in self.tracks[self._over :] if time - track.times[-1] <= MAX_GAP]
        thumbs = [thumb(look.crop) for look in looks]
        pairs = []
        if live and looks:
            before, now = np.stack([track.boxes[-1] for track in live]), np.stack([look.face.box for look in looks])
            alike = np.stack([track.thumb for track in live if track.thumb is not None]) @ np.stack(thumbs).T
            pairs = assign(overlap(before, now) + LOOKS_WEIGHT * (1 + alike), near(before, now))
        followed = {j: live[i] for i, j in pairs}
        for j, look in enumerate(looks):
            if j not in followed:
                self.tracks.append(OpenTrack(self._look_every))
            (followed.get(j) or self.tracks[-1]).add(look, thumbs[j])

    def watch(self, frame: Frame) -> None:
        """After `update`, let every track that was seen in the frame see whether anything moves there."""
        for track in self.tracks[self._over :]:
            if track.times[-1] == frame.time:
                track.watch(frame)
