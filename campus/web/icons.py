"""What the two sprites have: icons.svg and drawings.svg."""

import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static" / "web"


@cache
def icon_names() -> list[str]:
    """Names for `{% icon %}`."""
    return _symbols("icons.svg")


@cache
def drawing_names() -> list[str]:
    """Names for `{% include "web/_empty.html" with drawing=… %}`."""
    return _symbols("drawings.svg")


def _symbols(sprite: str) -> list[str]:
    return re.findall(r'<symbol id="([^"]+)"', (STATIC / sprite).read_text())
