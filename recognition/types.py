"""What the packages of the library hand to each other.

Times are in seconds from the start of the recording, boxes in pixels of the upright picture.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recognition.messages import Message

Interval = tuple[float, float]
Box = tuple[float, float, float, float]  # x1, y1, x2, y2
FacePosition = tuple[float, Box]  # when and where a face was


class ClockRun(NamedTuple):
    """A stretch of a file with one clock. It begins at second `start` of the recording, `raw_start` of its own clock,
    and byte `position`."""

    start: float
    raw_start: float
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInfo:
    """What a recording is, as a reading of all its packets shows. A photo is a recording of one frame.

    `width` and `height` are in pixels as shown: with square pixels, after `rotation` (clockwise: 0, 90, 180 or 270
    degrees); `is_mirrored`: after that, left and right are swapped. `fps` is the average frame rate, `duration` is in
    seconds to the end of the last picture; both are 0 for a photo. `claimed_duration` is what the header says, where
    that is longer. `started_at` is the time that the camera wrote into the file, where it wrote one.

    `stream` is the index of the video stream, and `other_streams` are those of the others. `runs` are the file's
    clocks, more than one where they start again or jump; `gaps` are when it has no pictures. `counts_pictures`: times
    between key frames are nonsense or missing, so pictures are counted. `preroll` is how many seconds before a moment
    the decoding has to begin, in a file whose key frames are no whole pictures; else 0. `has_unread_pictures`: the
    photo is an animation or has several pages, of which only the first is looked at.
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
    is_mirrored: bool = False
    claimed_duration: float = 0.0
    stream: int = 0
    other_streams: tuple[int, ...] = ()
    runs: tuple[ClockRun, ...] = ()
    gaps: tuple[Interval, ...] = ()
    counts_pictures: bool = False
    preroll: float = 0.0
    has_unread_pictures: bool = False

    @property
    def streams(self) -> tuple[int, ...]:
        """The indexes of all video streams, in the file's order."""
        return tuple(sorted((self.stream, *self.other_streams)))

    @property
    def size_before_turning(self) -> tuple[int, int]:
        """Width and height, with square pixels."""
        return (self.height, self.width) if self.rotation in (90, 270) else (self.width, self.height)

    def to_json(self) -> dict[str, Any]:
        """The values as JSON can hold them."""
        started = self.started_at and self.started_at.isoformat()
        return asdict(self) | {"started_at": started}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "VideoInfo":
        """What `to_json` gave."""
        started = values.get("started_at")
        own = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        return cls(
            **own
            | {
                "started_at": started and datetime.fromisoformat(started),
                "other_streams": tuple(values.get("other_streams", ())),
                "runs": tuple(ClockRun(*run) for run in values.get("runs", ())),
                "gaps": tuple((start, end) for start, end in values.get("gaps", ())),
            }
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """The part [start, end) of a recording, in seconds. It starts on a key frame; the last one ends at the duration."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """A picture of a face that is kept as evidence: JPEG bytes, as `embedding/stored_crops.py` cuts them, its time, and
    its quality (0..1).

    `box` is where in the frame it was, which is filled in by the vote. `blurred` is a PNG of a few pixels, which pages
    show in its place.
    """

    time: float
    quality: float
    jpeg: bytes
    box: Box | None = None
    blurred: bytes = b""


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody whom a vote took for nobody on the roster, and whose embeddings are forgotten since.

    Tracks of one stranger have one `key`. `is_static` and `resembles` are as in `UnknownPerson`.
    """

    key: str
    is_static: bool = False
    resembles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One face followed through one segment.

    `times` (n,) and `boxes` (n, 4) are where it was seen. `embeddings` (k, d) float32 unit vectors and `qualities` (k,)
    0..1 are those of its k best observations. `crops` are pictures of at most three of these, the most typical first.
    `motion` says how much the place where the face was first seen changed later: 1 less the correlation of the
    pictures, so 0 is not at all and 1 entirely. It is 1 where the face was seen only once. A track of a `stranger` has
    no embeddings any more.
    """

    segment: int
    times: NDArray[np.float64]
    boxes: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    qualities: NDArray[np.float32]
    crops: tuple[Crop, ...]
    motion: float = 1.0
    stranger: Stranger | None = None

    def forget_embeddings(self, stranger: Stranger | None = None) -> "Track":
        """The same track without what says whose face it is by its looks."""
        return replace(self, embeddings=self.embeddings[:0], qualities=self.qualities[:0], stranger=stranger)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentResult:
    """The tracks of one segment, the embedder that made their embeddings, and how many frames and faces were processed.

    `light` and `motion` are as in `ImageStatistics`; they are not kept in the file with the tracks.
    """

    embedder: str
    frames: int
    faces: int
    tracks: tuple[Track, ...]
    light: float | None = None
    motion: float | None = None

    def shift_times(self, seconds: float) -> "SegmentResult":
        """The same result with all its times later by `seconds`, as in a recording that starts earlier."""
        tracks = tuple(
            replace(
                track,
                times=track.times + seconds,
                crops=tuple(replace(crop, time=crop.time + seconds) for crop in track.crops),
            )
            for track in self.tracks
        )
        return replace(self, tracks=tracks)


class PhotoFault(StrEnum):
    """What an enrolment photo is rejected for, or warned about."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    SMALL = "small"
    DARK = "dark"
    BLURRED = "blurred"
    TURNED = "turned"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentPhoto:
    """The judgement of an enrolment photo.

    `verdict` is "accepted", "warning" or "rejected"; `reason` is a message for people (empty when accepted), and
    `fault` what it is about, None where the photo is accepted or can't be read.
    `face_px` is the face's height in pixels; `sharpness` and `quality` are as in `Quality` of `detection/quality.py`.
    `embedding` (d,) is a unit vector and `crop` the face as JPEG; both are None where no face can be used. `thumbnail`
    is the photo itself as a small JPEG where there is no crop to show; None if it can't be read.
    """

    verdict: str
    reason: Message
    fault: PhotoFault | None = None
    face_px: float = 0.0
    sharpness: float = 0.0
    quality: float = 0.0
    embedding: NDArray[np.float32] | None = None
    crop: bytes | None = None
    thumbnail: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose face a person has: a label of the gallery, or None for a stranger.

    `score` is the cosine to the best student's template, `margin` how much lower the second best student's is.
    `runner_up` is whom the face resembles most among the other students.
    """

    label: str | None
    score: float
    margin: float
    runner_up: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityOverride:
    """What a person said of the face at `face_positions`, found by an earlier vote on the same recording.

    The face is that of `label`, or of nobody on the roster where `label` is None; with `denied` it is not that of
    `label`. `key` comes back with the face that the override applies to.
    """

    key: str
    face_positions: tuple[FacePosition, ...]
    label: str | None = None
    denied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """One student of the roster in one recording.

    `intervals` are when the student was there, with short gaps bridged; `seconds` is their sum and `share` their part
    of the recording (0..1). `confidence` is in 0..1. `crops` are at most three pictures, best first. `to_confirm`: the
    evidence is too weak for `present`, but a person should look at it; never together with `present`. Then `runner_up`
    is the label of the student whom the face resembles next, where the gallery has another one. `lead` is how far that
    student's similarity is below, in shares of the way from the threshold to 1; None where nobody was seen.
    `face_positions`
    has one time and box for each time that the face was followed, and `tracks` are these. Who is not `recognisable` is
    unknown to the gallery, and could not have been found.
    """

    label: str
    present: bool
    recognisable: bool = True
    intervals: tuple[Interval, ...] = ()
    seconds: float = 0.0
    share: float = 0.0
    confidence: float = 0.0
    crops: tuple[Crop, ...] = ()
    to_confirm: bool = False
    runner_up: str | None = None
    lead: float | None = None
    face_positions: tuple[FacePosition, ...] = ()
    tracks: tuple[Track, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownPerson:
    """Somebody in the room who is taken for nobody on the roster.

    `is_static`: a portrait, a poster or a face on a screen, which never moved in the whole recording; it counts as
    nobody, whomever it resembles. `override_key` is that of the override that applies to this face, "" where there is
    none. `face_positions` and `tracks` are as in `Presence`. `resembles` has the labels of the students whom the face
    resembles more than most strangers do, the most similar first.
    """

    intervals: tuple[Interval, ...]
    seconds: float
    crops: tuple[Crop, ...]
    is_static: bool = False
    override_key: str = ""
    face_positions: tuple[FacePosition, ...] = ()
    resembles: tuple[str, ...] = ()
    tracks: tuple[Track, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FacePath:
    """Where a face was while it was followed: `times` (n,) in seconds, ascending, and `boxes` (n, 4).

    It is that of the student with `label`, or of number `unknown` (from 0) of the attendance's unknown people. Where
    both are None, it was seen too shortly to count as anybody.
    """

    times: NDArray[np.float64]
    boxes: NDArray[np.float32]
    label: str | None = None
    unknown: int | None = None


@dataclass(frozen=True, slots=True)
class Attendance:
    """Who was there: one Presence for every student of the roster, in its order, and the distinct unknown people."""

    duration: float
    presences: tuple[Presence, ...]
    unknown: tuple[UnknownPerson, ...]
