"""The fonts of PDFs: the pages' own, and the operating system's Noto for names in scripts that those lack."""

import logging
from functools import cache
from pathlib import Path

import unfold
from django.conf import settings
from fontTools.ttLib import TTFont

from recognition.files import atomic_write

INTER = Path(unfold.__file__).parent / "static" / "unfold" / "fonts" / "inter"
SYSTEM_FONTS = Path("/usr/share/fonts")
NOTO_SANS = "NotoSans*-Regular.tt[fc]"  # Debian's fonts-noto-core and fonts-noto-cjk

# Both log every glyph that a font lacks.
for name in ("fontTools", "fpdf"):
    logging.getLogger(name).setLevel(logging.ERROR)


@cache
def unpacked_inter(name: str) -> Path:
    """A style of the pages' font as TrueType: unpacked once and kept with the data, since WOFF2 is slow to read."""
    packed, path = INTER / f"{name}.woff2", Path(settings.DATA_DIR, "fonts", f"{name}.ttf")
    if not path.exists() or path.stat().st_mtime < packed.stat().st_mtime:
        font = TTFont(packed)
        font.flavor = None
        with atomic_write(path) as beside:
            font.save(beside)
    return path


@cache
def fallback_font(character: str) -> Path | None:
    """A font of the operating system that has the character."""
    return next((font for font in _noto_fonts() if ord(character) in _characters(font)), None)


@cache
def _noto_fonts() -> tuple[Path, ...]:
    """The small fonts first: that of Chinese, Japanese and Korean takes long to read."""
    return tuple(sorted(SYSTEM_FONTS.rglob(NOTO_SANS), key=lambda font: font.stat().st_size))


@cache
def _characters(font: Path) -> frozenset[int]:
    return frozenset(TTFont(font, lazy=True, fontNumber=0).getBestCmap() or ())
