"""What `recognition.media.photo` does in the sandbox: the function of the same name is documented there."""

from datetime import datetime
from pathlib import Path

import av
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from recognition.errors import RecognitionError, RecordingOutOfLimits, UnreadableRecording
from recognition.media.file_kind import HEIF_SEQUENCE_BRANDS, PHOTO, PHOTO_FORMATS, reader_for
from recognition.media.limits import MAX_PHOTO_PIXELS

pillow_heif.register_heif_opener()

JPEG2000_START = b"\xff\x4f\xff\x51"  # of the picture, in its file
JPEG2000_DEPTH_AT = 42  # bytes after that: the bits of its first colour, less one
DEEP_GREY_MODES = ("I", "I;16", "I;16B", "I;16L", "F")
MAX_SCANS = 100  # of a progressive JPEG, each of which is a pass over all pixels; ordinary ones have ten
SCAN_MARKER = b"\xff\xda"
STRIP_ROWS = 256


def read_photo(
    path: Path, max_pixels: int = MAX_PHOTO_PIXELS, max_side: int | None = None
) -> tuple[NDArray[np.uint8], str, datetime | None]:
    try:
        with Image.open(path, formats=PHOTO_FORMATS) as image:
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
            if image_format in ("jpeg", "mpo"):
                _check_scans(path)
            if max_side:
                image.draft("RGB", (max_side, max_side))
            taken_at = _taken_at(image.getexif())
            if image.format == "JPEG2000" and image.mode not in DEEP_GREY_MODES and _jpeg2000_depth(path) > 8:
                upright = _decode_jpeg2000(path, image.mode, max_pixels)
            else:
                ImageOps.exif_transpose(image, in_place=True)
                upright = image
            if upright.mode in DEEP_GREY_MODES:
                upright = _as_8_bit(upright)
            if max_side:
                upright.thumbnail((max_side, max_side))
            return _as_rgb(upright), image_format, taken_at
    except UnidentifiedImageError as error:
        raise _describe_unreadable(path) from error
    except Image.DecompressionBombError as error:
        raise RecordingOutOfLimits("The photo is absurdly large. Make it smaller and try again.") from error
    except (FileNotFoundError, MemoryError, RecognitionError):
        raise
    except Exception as error:  # the readers' errors for damaged photos are of many classes
        raise UnreadableRecording("The photo is damaged or incomplete. Copy it again, or take another one.") from error


def _check_scans(path: Path) -> None:
    scans = path.read_bytes().count(SCAN_MARKER)
    if scans > MAX_SCANS:
        raise RecordingOutOfLimits(
            "The photo is stored in {n} passes; at most {most} are read. Save it as an ordinary JPEG.",
            n=scans,
            most=MAX_SCANS,
        )


def _describe_unreadable(path: Path) -> UnreadableRecording:
    try:
        if reader_for(path) != PHOTO:
            return UnreadableRecording("This is a video. Choose a photo.")
    except UnreadableRecording as error:
        return error
    with path.open("rb") as file:
        if file.read(12)[4:] in HEIF_SEQUENCE_BRANDS:
            return UnreadableRecording("This is a series of photos in one file (HEIF). Save one of them as JPEG.")
    return UnreadableRecording(
        "The photo is damaged or incomplete, or of a kind that is not read here. Save it as JPEG or PNG, copy it "
        "again, or take another one."
    )


def has_several_pictures(path: Path) -> bool:
    """Whether the photo is an animation or has several pages. Phones' photos with a second picture are none."""
    with Image.open(path, formats=PHOTO_FORMATS) as image:
        return image.format != "MPO" and getattr(image, "is_animated", False)


def _jpeg2000_depth(path: Path) -> int:
    """Bits of each colour; 0 where the file does not say it."""
    content = path.read_bytes()
    at = content.find(JPEG2000_START) + JPEG2000_DEPTH_AT
    return (content[at] & 0x7F) + 1 if JPEG2000_START in content and at < len(content) else 0


def _decode_jpeg2000(path: Path, mode: str, max_pixels: int) -> Image.Image:
    """A JPEG 2000 picture of more than 8 bits a colour, in which Pillow turns white into black."""
    limit = {"max_pixels": str(max_pixels)}
    confined = {"protocol_whitelist": "", "format_whitelist": "j2k_pipe", "codec_whitelist": "jpeg2000"}
    with (
        path.open("rb") as file,
        av.open(file, format="j2k_pipe", options=limit, container_options=confined) as container,
    ):
        container.streams.video[0].codec_context.options = limit
        picture = next(container.decode(video=0))
    # FFmpeg takes the four inks for three colours and the transparency.
    if mode == "CMYK":
        return Image.frombytes(mode, (picture.width, picture.height), picture.to_ndarray(format="rgba").tobytes())
    return Image.fromarray(picture.to_ndarray(format="rgb24"))


def _as_8_bit(image: Image.Image) -> Image.Image:
    """A grey image of more than 8 bits, from its darkest to its brightest point: cameras fill 10, 12 or 16 of them."""
    values = np.asarray(image, np.float32)
    low, high = float(values.min()), float(values.max())
    if high <= 255 and low >= 0:
        low, high = 0.0, 255.0
    return Image.fromarray(((values - low) * (255 / max(high - low, 1.0))).astype(np.uint8))


def _as_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels, uint8 RGB of shape (height, width, 3), strip by strip: Pillow would have the whole several times."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, STRIP_ROWS):
        strip = image.crop((0, top, image.width, min(top + STRIP_ROWS, image.height)))
        pixels[top : top + strip.height] = np.asarray(strip.convert("RGB"))
    return pixels


def _taken_at(exif: Image.Exif) -> datetime | None:
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
