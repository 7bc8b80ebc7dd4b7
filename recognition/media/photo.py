"""Read one photograph upright: JPEG, PNG, WebP or HEIC, found by content."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from recognition.errors import RecordingOutOfLimits, UnreadableRecording

pillow_heif.register_heif_opener()

FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
MAX_PIXELS = 64_000_000  # a phone's largest usual photo has 50 million


def is_photo(head: bytes) -> bool:
    """Whether a file that begins with `head` (16 bytes or more) is a photograph of one of the known formats."""
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS)
    )


def read_photo(path: Path, max_pixels: int = MAX_PIXELS) -> tuple[NDArray[np.uint8], str, datetime | None]:
    """The photo as uint8 RGB of shape (height, width, 3), upright; its format ("jpeg", ...); and when it was taken, if
    that is known.

    Of an animated image the first picture counts. Raises UnreadableRecording for a damaged photo and
    RecordingOutOfLimits for one of more than `max_pixels`, which is not decoded.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise RecordingOutOfLimits(
                    "The photo has {width} x {height} pixels; at most {most:.0f} million are read. Make it smaller "
                    "and try again.",
                    width=width,
                    height=height,
                    most=max_pixels / 1e6,
                )
            image_format = (image.format or "").lower()
            taken = _taken(image.getexif())
            upright = ImageOps.exif_transpose(image).convert("RGB")
            return np.array(upright), image_format, taken
    except Image.DecompressionBombError as error:
        raise RecordingOutOfLimits("The photo is absurdly large. Make it smaller and try again.") from error
    except FileNotFoundError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise UnreadableRecording("The photo is damaged or incomplete. Copy it again, or take another one.") from error


def _taken(exif: Image.Exif) -> datetime | None:
    """When the camera says that it took the photo; without the zone that newer cameras write, the moment is not
    known."""
    details = exif.get_ifd(ExifTags.IFD.Exif)
    try:
        return datetime.strptime(
            f"{details[ExifTags.Base.DateTimeOriginal]} {details[ExifTags.Base.OffsetTimeOriginal]}",
            "%Y:%m:%d %H:%M:%S %z",
        )
    except (KeyError, ValueError):
        return None
