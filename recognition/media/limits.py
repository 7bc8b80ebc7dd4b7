"""What a recording or photo may be, so that reading it does no harm."""

from dataclasses import dataclass

MAX_PHOTO_PIXELS = 64_000_000  # a phone's largest usual photo has 50 million


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a recording may be: pixels of a video's picture (8K) and of a photo, pictures a second, seconds, streams in
    the file."""

    pixels: int = 7680 * 4320
    photo_pixels: int = MAX_PHOTO_PIXELS
    fps: float = 240.0
    duration: float = 12 * 3600.0
    streams: int = 64


LIMITS = Limits()
