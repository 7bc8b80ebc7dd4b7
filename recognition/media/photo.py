"""Read one photograph upright, whatever its kind: found by content, not by name. It happens in the sandbox."""

from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recognition.media.decoder_requests import DECODER, PhotoRequest
from recognition.media.limits import MAX_PHOTO_PIXELS

MAX_SECONDS = 30  # of the processor


class StoredPhoto(Protocol):
    """A photo that is kept in another way than as a plain file. Errors are those of a file."""

    def read_bytes(self) -> bytes: ...


def read_photo(
    photo: Path | StoredPhoto, max_pixels: int = MAX_PHOTO_PIXELS, max_side: int | None = None
) -> tuple[NDArray[np.uint8], str, datetime | None]:
    """The photo as uint8 RGB of shape (height, width, 3), upright; its format ("jpeg", ...); and when it was taken, if
    that is known.

    It is shrunk if a side is longer than `max_side`. Of an animated image the first picture counts. Raises
    UnreadableRecording for a damaged photo, and RecordingOutOfLimits for one of more than `max_pixels`, which is not
    decoded, or that takes absurdly much memory or time.
    """
    path, content = (str(photo.absolute()), None) if isinstance(photo, Path) else ("", photo.read_bytes())
    request = PhotoRequest(path=path, seconds=MAX_SECONDS, max_pixels=max_pixels, max_side=max_side)
    image, (image_format, taken_at) = DECODER.read_picture(
        request, max_pixels * 3, tuple[str, datetime | None], content
    )
    return image, image_format, taken_at
