"""The shape of a recording's pictures, and how they are turned and mirrored: as the file says, and as a person does."""

from dataclasses import replace

from recognition.types import VideoInfo

MAX_PIXEL_ASPECT = 4.0  # width to height of a pixel, or the other way round; more is a mistake


def stretch(width: int, height: int, pixel_aspect: float) -> tuple[int, int]:
    """The size with square pixels of a picture whose pixels are `pixel_aspect` times as wide as high.

    One side grows, so that nothing of the picture is lost.
    """
    if 1 < pixel_aspect <= MAX_PIXEL_ASPECT:
        return round(width * pixel_aspect), height
    if 1 / MAX_PIXEL_ASPECT <= pixel_aspect < 1:
        return width, round(height / pixel_aspect)
    return width, height


def adjust_picture(
    info: VideoInfo, *, aspect_ratio: float | None = None, rotation: int = 0, is_mirrored: bool = False
) -> VideoInfo:
    """What the recording is where a person says how its pictures are to be shown, since its file says nothing or is
    wrong.

    `aspect_ratio` is width to height before all turning. The pictures are turned by `rotation` (0, 90, 180 or 270
    degrees clockwise) and then mirrored, both on top of what the file says.
    """
    width, height = info.size_before_turning
    if aspect_ratio:
        width, height = stretch(width, height, aspect_ratio * height / width)
    turned = (info.rotation + (-rotation if info.is_mirrored else rotation)) % 360
    if turned in (90, 270):
        width, height = height, width
    return replace(info, width=width, height=height, rotation=turned, is_mirrored=info.is_mirrored != is_mirrored)
