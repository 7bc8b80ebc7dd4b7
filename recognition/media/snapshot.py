"""A whole picture of a recording, as evidence of what was seen in it."""

import io
from pathlib import Path

import cv2
from PIL import Image

from recognition.errors import UnreadableRecording
from recognition.media.sampler import MOMENT
from recognition.media.video import sample_frames
from recognition.types import Segment, VideoInfo

MAX_SIDE_PX = 1920  # pixels at most
EVERY_PICTURE = 0.001  # seconds


def read_snapshot(path: Path, info: VideoInfo, time: float) -> bytes:
    """The picture at that second of the recording as JPEG. Raises UnreadableRecording where there is none."""
    frame = next(sample_frames(path, info, Segment(0, time, time + 3 * MOMENT), EVERY_PICTURE), None)
    if frame is None:
        raise UnreadableRecording("There is no picture at that moment of the recording.")
    image = frame.image
    shrunk = MAX_SIDE_PX / max(image.shape[:2])
    if shrunk < 1:
        image = cv2.resize(image, None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
