"""The pictures of the sample class: faces of nobody, drawn from a few ellipses, alone and in a room.

A web process draws them, which can't read pictures and needs no library to write a PNG.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]

SKINS: tuple[Colour, ...] = ((244, 208, 178), (224, 172, 125), (198, 134, 86), (141, 85, 52), (255, 224, 196))
HAIRS: tuple[Colour, ...] = ((40, 30, 28), (92, 58, 36), (190, 150, 90), (120, 120, 126), (160, 70, 40), (20, 20, 30))
CLOTHES: tuple[Colour, ...] = ((62, 99, 180), (170, 70, 90), (60, 140, 110), (120, 90, 160), (200, 150, 60))
WALL, DESK = (226, 230, 236), (176, 148, 116)
SMOOTHING = 3  # pixels drawn for each one that is left, so that edges are smooth
PORTRAIT_PIXELS = 128
ROOM_WIDTH, ROOM_HEIGHT = 960, 540
SEATS_A_ROW = 5
FACE_RADIUS = 34.0  # of a face in the room


def draw_portrait(person: int, variant: int) -> bytes:
    """A PNG of the person's face, as an enrolment photo shows it; each variant has another light and place."""
    pixels = _canvas(PORTRAIT_PIXELS, PORTRAIT_PIXELS, (WALL[0], WALL[1], WALL[2] - 9 * variant))
    middle = PORTRAIT_PIXELS / 2
    _draw_person(pixels, person, middle + 2 * (variant - 2), middle + variant, middle * 0.58)
    return encode_png(_smooth(pixels))


def draw_room(people: list[int]) -> tuple[Pixels, list[Box]]:
    """A lecture room with these people, from the front; and where the face of each is, [x1, y1, x2, y2] in pixels."""
    pixels = _canvas(ROOM_WIDTH, ROOM_HEIGHT, WALL)
    boxes: list[Box] = []
    for n, person in enumerate(people):
        row, seat = divmod(n, SEATS_A_ROW)
        x, y = 150 + 165 * seat + 30 * (row % 2), 130 + 160 * row
        _draw_person(pixels, person, x, y, FACE_RADIUS)
        _fill(pixels, (x - 78, y + 62, x + 78, y + 74), DESK)
        half = round(1.3 * FACE_RADIUS)
        boxes.append((x - half, y - half, x + half, y + half))
    return _smooth(pixels), boxes


def cut(pixels: Pixels, box: Box) -> bytes:
    """A PNG of that part of a picture."""
    x1, y1, x2, y2 = box
    return encode_png(pixels[y1:y2, x1:x2])


def encode_png(pixels: Pixels) -> bytes:
    """The picture (height, width, 3) as a PNG file."""
    height, width = pixels.shape[:2]
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def _draw_person(pixels: Pixels, person: int, x: float, y: float, radius: float) -> None:
    """Face, hair and shoulders, with the middle of the face at (x, y)."""
    skin, hair = SKINS[person % len(SKINS)], HAIRS[person % len(HAIRS)]
    dark: Colour = (30, 26, 30)

    def oval(dx: float, dy: float, rx: float, ry: float, colour: Colour, *, above: float = 9.0) -> None:
        _ellipse(pixels, (x + dx * radius, y + dy * radius), (rx * radius, ry * radius), colour, y + above * radius)

    long_hair = person % 3 == 1
    oval(0, 2.0, 1.35, 1.0, CLOTHES[person % len(CLOTHES)], above=1.85)
    if long_hair:
        oval(0, 0.2, 1.0, 1.25, hair)
    oval(0, 1.0, 0.3, 0.5, skin)
    oval(0, 0, 0.78, 1.0, skin)
    oval(0, -0.55 - 0.1 * (person % 2), 0.86, 0.62, hair, above=-0.42)
    for side in (-1, 1):
        oval(side * 0.3, -0.08, 0.1, 0.12, dark)
        oval(side * 0.3, -0.34, 0.18, 0.04, hair)
        if person % 4 == 2:  # glasses
            oval(side * 0.3, -0.08, 0.24, 0.2, dark)
            oval(side * 0.3, -0.08, 0.19, 0.15, (235, 242, 250))
            oval(side * 0.3, -0.08, 0.09, 0.11, dark)
    oval(0, 0.2, 0.09, 0.12, (skin[0] - 26, skin[1] - 26, skin[2] - 26))
    if person % 5 == 3:  # a beard
        oval(0, 0.62, 0.55, 0.4, hair)
    oval(0, 0.5, 0.28, 0.09, (170, 70, 74))
    oval(0, 0.46, 0.28, 0.06, skin if person % 5 != 3 else hair)


def _canvas(width: int, height: int, colour: Colour) -> Pixels:
    return np.full((height * SMOOTHING, width * SMOOTHING, 3), colour, np.uint8)


def _fill(pixels: Pixels, box: Box, colour: Colour) -> None:
    x1, y1, x2, y2 = (SMOOTHING * value for value in box)
    pixels[y1:y2, x1:x2] = colour


def _ellipse(
    pixels: Pixels, middle: tuple[float, float], radii: tuple[float, float], colour: Colour, bottom: float
) -> None:
    """Fill an ellipse, as far as it is above `bottom`."""
    (x, y), (rx, ry) = middle, radii
    top, left = max(int((y - ry) * SMOOTHING), 0), max(int((x - rx) * SMOOTHING), 0)
    part = pixels[top : int(min(y + ry, bottom) * SMOOTHING) + 1, left : int((x + rx) * SMOOTHING) + 1]
    rows, columns = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
    inside = ((columns / SMOOTHING - x) / rx) ** 2 + ((rows / SMOOTHING - y) / ry) ** 2 <= 1
    part[inside] = colour


def _smooth(pixels: Pixels) -> Pixels:
    height, width = (length // SMOOTHING for length in pixels.shape[:2])
    fine = pixels.reshape(height, SMOOTHING, width, SMOOTHING, 3)
    return np.asarray(fine.mean(axis=(1, 3)).round(), np.uint8)
