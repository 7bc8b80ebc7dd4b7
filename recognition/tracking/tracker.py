"""Following faces from sample to sample. Seated people hardly move in between: place decides, and appearance helps.

Tracking by detection with one-to-one assignment, as in SORT (Bewley et al., "Simple online and realtime tracking",
2016), without its motion model: with a sample every second or two, a constant velocity predicts nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition.boxes import Boxes, iou, is_near
from recognition.media.image_statistics import thumbnail_vector
from recognition.tracking.assignment import assign
from recognition.types import Face, Frame
from recognition.vectors import Floats

MAX_HIDDEN_SECONDS = 10.0  # for which a face may be out of sight without its track ending
OBSERVATION_SECONDS = 4.0  # of which the best observation of a face is kept; those within it hardly differ
APPEARANCE_WEIGHT = 0.5  # of the similarity of two crops, beside the IoU of their boxes
MAX_PATCH_SIDE = 64  # pixels: larger patches are compared in this size
MOTION_QUANTILE = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One detection of a face, with how good it is (0..1), its aligned crop (s, s, 3) uint8, the wider one that is
    stored as evidence, and what the embedder sees of it.
    """

    time: float
    face: Face
    quality: float
    crop: NDArray[np.uint8]
    stored_crop: NDArray[np.uint8]
    embedder_crop: NDArray[np.uint8]


@dataclass(slots=True, kw_only=True)
class OpenTrack:
    """A track in the making: where the face was in each sample, and its best observation of every few seconds."""

    times: list[float] = field(default_factory=list)
    boxes: list[NDArray[np.float32]] = field(default_factory=list)
    thumbnail: Floats | None = None
    _best: dict[int, Observation] = field(default_factory=dict)
    _first_patch: Floats | None = None
    _changes: list[float] = field(default_factory=list)

    def add(self, observation: Observation, thumbnail: Floats) -> None:
        self.times.append(observation.time)
        self.boxes.append(observation.face.box)
        self.thumbnail = thumbnail
        interval = int(observation.time // OBSERVATION_SECONDS)
        best = self._best.get(interval)
        if best is None or observation.quality > best.quality:
            self._best[interval] = observation

    def best_observations(self) -> list[Observation]:
        """The observations that are kept, in the order of time."""
        return [self._best[interval] for interval in sorted(self._best)]

    def measure_motion(self, frame: Frame) -> None:
        """Compare the place where the face was first seen with what was there at that time."""
        patch = _patch_vector(frame.image, self.boxes[0])
        if self._first_patch is None:
            self._first_patch = patch
        else:
            self._changes.append(1 - float((patch * self._first_patch).sum()))

    @property
    def motion(self) -> float:
        """As in `Track.motion`; 1 where the face was seen only once."""
        return float(np.quantile(self._changes, MOTION_QUANTILE)) if self._changes else 1.0


class Tracker:
    """Follows faces through the frames of a segment, which are given to it in the order of time.

    After each frame `tracks` has all tracks so far, in the order in which they began.
    """

    def __init__(self) -> None:
        self.tracks: list[OpenTrack] = []
        self._scene_start = 0  # index of the first track of the current scene

    def update(self, time: float, observations: Sequence[Observation], scene_cut: bool = False) -> None:
        """Continue tracks with the observations of one frame, or begin new ones.

        A scene cut ends all tracks: whoever is in the same place after it is somebody else.
        """
        if scene_cut:
            self._scene_start = len(self.tracks)
        live = [track for track in self._scene_tracks() if time - track.times[-1] <= MAX_HIDDEN_SECONDS]
        thumbnails = [thumbnail_vector(observation.crop) for observation in observations]
        continued = {}
        if live and observations:
            pairs = _match(live, [observation.face.box for observation in observations], thumbnails)
            continued = {j: live[i] for i, j in pairs}
        for j, observation in enumerate(observations):
            track = continued.get(j)
            if track is None:
                track = OpenTrack()
                self.tracks.append(track)
            track.add(observation, thumbnails[j])

    def measure_motion(self, frame: Frame) -> None:
        """After `update` with the same frame: for every track seen in it, measure whether anything moves there."""
        for track in self._scene_tracks():
            if track.times[-1] == frame.time:
                track.measure_motion(frame)

    def _scene_tracks(self) -> list[OpenTrack]:
        return self.tracks[self._scene_start :]


def _match(
    live: Sequence[OpenTrack], boxes: Sequence[NDArray[np.float32]], thumbnails: Sequence[Floats]
) -> list[tuple[int, int]]:
    """Which tracks go on with which boxes, as pairs of their indices."""
    last_boxes: Boxes = np.stack([track.boxes[-1] for track in live])
    new_boxes: Boxes = np.stack(boxes)
    last_thumbnails = np.stack([track.thumbnail for track in live if track.thumbnail is not None])
    appearance = last_thumbnails @ np.stack(thumbnails).T
    profit = iou(last_boxes, new_boxes) + APPEARANCE_WEIGHT * (1 + appearance)
    return assign(profit, is_near(last_boxes, new_boxes))


def _patch_vector(image: NDArray[np.uint8], box: NDArray[np.float32]) -> Floats:
    """What is in the box (4,) as a grey picture without the sensor's noise, of mean 0 and length 1.

    The sum of the product of two of them is their correlation.
    """
    x1, y1, x2, y2 = np.clip(np.round(box), 0, [*image.shape[1::-1]] * 2).astype(int)
    grey = cv2.cvtColor(image[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)], cv2.COLOR_RGB2GRAY)
    if max(grey.shape) > MAX_PATCH_SIDE:
        grey = cv2.resize(grey, (MAX_PATCH_SIDE, MAX_PATCH_SIDE), interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0)
    smooth -= smooth.mean()
    return np.asarray(smooth / max(float(np.linalg.norm(smooth)), 1e-6), np.float32)
