"""What the parts of the vision library hand to each other. Times are seconds from the start of the recording."""

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from recognition.messages import Message

Interval = tuple[float, float]
Box = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels of the upright picture
Mark = tuple[float, Box]  # when and where a face was


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a recording is, read from its headers. A photo is a recording of one frame.

    `width` and `height` are in pixels as shown, that is after `rotation` (clockwise: 0, 90, 180 or 270 degrees).
    `fps` is the average frame rate, `duration` is in seconds; both are 0 for a photo.
    `started_at` is the time that the camera wrote into the file, where it wrote one.
    """

    container: str
    codec: str
    width: int
    height: int
    rotation: int
    fps: float
    duration: float
    started_at: datetime | None = None
    is_photo: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """The part [start, end) of a recording, in seconds; it starts on a key frame. The last one's end is the duration."""

    index: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture: uint8 RGB of shape (height, width, 3), upright, and its time in seconds."""

    time: float
    image: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Face:
    """One detected face, in pixels of its frame.

    `box` is (x1, y1, x2, y2) and may leave the frame; `score` is in 0..1; `points` is (5, 2): image-left eye,
    image-right eye, nose, image-left and image-right corner of the mouth.
    """

    box: NDArray[np.float32]
    score: float
    points: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Crop:
    """A picture of a face kept as evidence: JPEG bytes, the moment, how good a look it is (0..1), and after the vote where it was."""

    time: float
    quality: float
    jpeg: bytes
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """One face followed through one segment.

    `times` (n,) and `boxes` (n, 4) are where it was seen; `embeddings` (k, d) float32 unit vectors and `qualities`
    (k,) 0..1 are its best looks; `crops` are pictures of at most three of them, the most telling first. `motion` is how much the
    place where it was first seen changed later: 1 less the correlation, so 0 is never and 1 altogether.
    """

    segment: int
    times: NDArray[np.float64]
    boxes: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    qualities: NDArray[np.float32]
    crops: tuple[Crop, ...]
    motion: float = 1.0


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """The tracks of one segment, which embedder made them, and how many frames and faces were looked at. `light` and `motion` are
    as in `scene.Scene`; they are not kept in the file with the tracks."""

    embedder: str
    frames: int
    faces: int
    tracks: tuple[Track, ...]
    light: float | None = None
    motion: float | None = None

    def later(self, seconds: float) -> "SegmentResult":
        """The same in a recording in which all of it is so many seconds later."""
        tracks = tuple(
            replace(
                track,
                times=track.times + seconds,
                crops=tuple(replace(crop, time=crop.time + seconds) for crop in track.crops),
            )
            for track in self.tracks
        )
        return replace(self, tracks=tracks)


@dataclass(frozen=True, slots=True)
class EnrolmentPhoto:
    """What an enrolment photo is worth.

    `verdict` is "accepted", "warning" or "rejected"; `reason` is a message for people (empty when accepted);
    `face_px` is the face's height in pixels, `sharpness` and `quality` are as in `quality.py`; `embedding` (d,) is a unit
    vector and `crop` the face as JPEG: both None when no face can be used.
    """

    verdict: str
    reason: Message
    face_px: float = 0.0
    sharpness: float = 0.0
    quality: float = 0.0
    embedding: NDArray[np.float32] | None = None
    crop: bytes | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose face a track or a person is: a gallery label, or None for a stranger.

    `score` is the similarity to the best candidate, `margin` how far ahead of the second it is.
    """

    label: str | None
    score: float
    margin: float


@dataclass(frozen=True, slots=True)
class IdentityOverride:
    """What a person said of the face at `marks` in an earlier look at this recording: it is `label`'s, or with `denied` it is not;
    without a label it is nobody's on the roster. `key` is given back with what is found there."""

    key: str
    marks: tuple[Mark, ...]
    label: str | None = None
    denied: bool = False


@dataclass(frozen=True, slots=True)
class Presence:
    """One student of the roster in one recording.

    `intervals` are when the student was there, short gaps bridged; `seconds` their sum and `share` their part of the
    recording (0..1); `confidence` 0..1; `crops` at most three, best first. `to_confirm`: not present by the evidence, but
    somebody nearly certainly this student was seen, which a person has to confirm; never together with `present`.
    `marks`: one moment and place of each time that the face was followed.
    """

    label: str
    present: bool
    intervals: tuple[Interval, ...] = ()
    seconds: float = 0.0
    share: float = 0.0
    confidence: float = 0.0
    crops: tuple[Crop, ...] = ()
    to_confirm: bool = False
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class UnknownPerson:
    """Somebody in the room whom the vote takes for nobody on the roster. `is_static`: a portrait, a poster or a face on a screen, which
    never moved and never changed in the whole recording; it is nobody, whomever it resembles. `override_key`: the key of what a person
    said of this face, "" where nobody did. `marks` as in Presence."""

    intervals: tuple[Interval, ...]
    seconds: float
    crops: tuple[Crop, ...]
    is_static: bool = False
    override_key: str = ""
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Attendance:
    """Who was there: one Presence for every student of the roster, in roster order, and the distinct unknown people."""

    duration: float
    presences: tuple[Presence, ...]
    unknown: tuple[UnknownPerson, ...]
