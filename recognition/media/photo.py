"""Read one photograph upright, whatever its kind: found by content, not by name. It happens in the sandbox."""

from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recognition.media.decoder_requests import DECODER, PhotoRequest
from recognition.media.limits import MAX_PHOTO_PIXELS

MAX_SECONDS = 30  # of the processor


def read_photo(
    path: Path, max_pixels: int = MAX_PHOTO_PIXELS, max_side: int | None = None
) -> tuple[NDArray[np.uint8], str, datetime | None]:
    """The photo as uint8 RGB of shape (height, width, 3), upright; its format ("jpeg", ...); and when it was taken, if
    that is known.

    It is shrunk if a side is longer than `max_side`. Of an animated image the first picture counts. Raises
    UnreadableRecording for a damaged photo, and RecordingOutOfLimits for one of more than `max_pixels`, which is not
    decoded, or that takes absurdly much memory or time.
    """
    request = PhotoRequest(path=str(path.absolute()), seconds=MAX_SECONDS, max_pixels=max_pixels, max_side=max_side)
    image, (image_format, taken_at) = DECODER.read_picture(request, max_pixels * 3, tuple[str, datetime | None])
    return image, image_format, taken_at
