"""Words on pictures: each drawn once, in a font that has all its characters."""

import unicodedata
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

USUAL_FONT = "DejaVuSans.ttf"  # Pillow looks for it where the operating system keeps fonts
SYSTEM_FONTS = Path("/usr/share/fonts")
NOTO_SANS = "NotoSans*-Regular.tt[fc]"
MAX_CAPTION_LENGTH = 40
NO_CHARACTER = "\U0010ffff"  # by definition; a font draws its box for what it lacks

CONTROLS = ("Cc", "Cs", "Zl", "Zp")  # categories of Unicode
JOINERS = "\u200c\u200d"  # say how letters join; Persian and Indian names have them

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@lru_cache(maxsize=512)
def draw_caption(captions: tuple[str, ...], size: int, background: Colour, opacity: float = 1.0) -> NDArray[np.uint8]:
    """The first of the captions that a font of this machine can write, as RGBA of shape (height, width, 4).

    Captions that no font can write are left out, so the last one should be a number.
    """
    texts = [_tidy(caption) for caption in captions]
    text, font = next(
        ((text, font) for text in texts if text and (font := _font_for(text, size)) is not None),
        ("?", ImageFont.load_default(size)),
    )
    left, top, right, bottom = font.getbbox(text)
    margin = max(size // 4, 2)
    image = Image.new(
        "RGBA",
        (int(right - left) + 2 * margin, int(max(bottom - top, size)) + 2 * margin),
        (*background, round(255 * opacity)),
    )
    is_bright = np.dot(background, (0.299, 0.587, 0.114)) > 140
    ImageDraw.Draw(image).text((margin - left, margin - top), text, "black" if is_bright else "white", font)
    return np.asarray(image)


def _tidy(caption: str) -> str:
    """One line without control and formatting characters, of a length that fits a picture."""
    composed = unicodedata.normalize("NFC", caption)
    text = " ".join("".join(" " if unicodedata.category(c) in CONTROLS else c for c in composed).split())
    text = "".join(c for c in text if unicodedata.category(c) != "Cf" or c in JOINERS)
    return text if len(text) <= MAX_CAPTION_LENGTH else text[: MAX_CAPTION_LENGTH - 1] + "…"


def _font_for(text: str, size: int) -> Font | None:
    for file in _font_files():
        if all(_has_character(file, character) for character in text):
            return ImageFont.truetype(file, size)
    default = ImageFont.load_default(size)
    return default if all(_is_drawn(default, character) for character in text) else None


@cache
def _font_files() -> tuple[str, ...]:
    """The usual font, then the small ones of one script each: that of Chinese, Japanese and Korean takes long to
    read."""
    noto = sorted(SYSTEM_FONTS.rglob(NOTO_SANS), key=lambda font: font.stat().st_size)
    try:
        ImageFont.truetype(USUAL_FONT, 16)
    except OSError:
        return tuple(map(str, noto))
    return (USUAL_FONT, *map(str, noto))


@cache
def _has_character(file: str, character: str) -> bool:
    return _is_drawn(ImageFont.truetype(file, 16, layout_engine=ImageFont.Layout.BASIC), character)


def _is_drawn(font: Font, character: str) -> bool:
    drawn, missing = font.getmask(character), font.getmask(NO_CHARACTER)
    return character in (" ", *JOINERS) or (drawn.size, bytes(drawn)) != (missing.size, bytes(missing))
