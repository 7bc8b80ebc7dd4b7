"""The shape of a recording's pictures, and how they are turned and mirrored: as the file says, and as a person does."""

from collections.abc import Callable
from dataclasses import replace

from recognition.types import Box, VideoInfo

# Where a point of a picture goes that is turned by so many degrees clockwise, in shares of its width and height.
TURNS: dict[int, Callable[[float, float], tuple[float, float]]] = {
    0: lambda x, y: (x, y),
    90: lambda x, y: (1 - y, x),
    180: lambda x, y: (1 - x, 1 - y),
    270: lambda x, y: (y, 1 - x),
}
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


def box_in_file(box: Box, info: VideoInfo) -> Box:
    """Where a box of a recording's frame lies in the picture as the file has it: in shares of its width and height,
    which stay the same however the picture is stretched, turned and mirrored."""
    x1, y1, x2, y2 = (round(side / length, 6) for side, length in zip(box, (info.width, info.height) * 2, strict=True))
    if info.is_mirrored:
        x1, x2 = 1 - x2, 1 - x1
    return _turn_box((x1, y1, x2, y2), -info.rotation % 360)


def box_in_frame(box: Box, info: VideoInfo) -> Box:
    """The reverse of `box_in_file`, to a tenth of a pixel."""
    x1, y1, x2, y2 = _turn_box(box, info.rotation)
    if info.is_mirrored:
        x1, x2 = 1 - x2, 1 - x1
    width, height = info.width, info.height
    return round(x1 * width, 1), round(y1 * height, 1), round(x2 * width, 1), round(y2 * height, 1)


def _turn_box(box: Box, rotation: int) -> Box:
    (x1, y1), (x2, y2) = TURNS[rotation](*box[:2]), TURNS[rotation](*box[2:])
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)
