"""A whole picture of a recording, as evidence of what was seen in it."""

import io
from contextlib import suppress
from pathlib import Path

import cv2
from PIL import Image

from recognition.errors import UnreadableRecording
from recognition.media.sampler import MOMENT
from recognition.media.video import sample_frames
from recognition.types import Frame, Segment, VideoInfo

MAX_SIDE_PX = 1920  # pixels at most
EVERY_PICTURE = 0.001  # seconds
PREVIEW_SECONDS = 2.0


def read_snapshot(path: Path, info: VideoInfo, time: float) -> bytes:
    """The picture at that second of the recording as JPEG. Raises UnreadableRecording where there is none."""
    frame = next(sample_frames(path, info, Segment(0, time, time + 3 * MOMENT), EVERY_PICTURE), None)
    if frame is None:
        raise UnreadableRecording("There is no picture at that moment of the recording.")
    return _as_jpeg(frame)


def read_preview(path: Path, info: VideoInfo, time: float) -> bytes:
    """A picture of the recording as JPEG, from about that second if there is one. Raises UnreadableRecording if nothing
    can be read."""
    for start in (time, info.duration / 4, 0.0):
        segment = Segment(0, start, min(start + PREVIEW_SECONDS, info.duration))
        with suppress(UnreadableRecording):
            for frame in sample_frames(path, info, segment, PREVIEW_SECONDS):
                return _as_jpeg(frame)
    raise UnreadableRecording("No picture of the recording can be read.")


def _as_jpeg(frame: Frame) -> bytes:
    image = frame.image
    shrunk = MAX_SIDE_PX / max(image.shape[:2])
    if shrunk < 1:
        image = cv2.resize(image, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
