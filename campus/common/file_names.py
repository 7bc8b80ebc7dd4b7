"""File names from outside are data, never paths."""

import re
import unicodedata
from pathlib import PurePath

from campus.common.visible_text import normalize


def sanitize_file_name(name: str) -> str:
    """The name as it is shown: without folders and control characters, at most 255 characters."""
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    text = "".join(char for char in name if unicodedata.category(char)[0] != "C")
    return normalize("NFC", text).strip()[:255].strip() or "unnamed"


def file_suffix(name: str) -> str:
    """The lower-case suffix of the name, such as ".mp4"; "" if it has none, or an unusual one."""
    suffix = PurePath(name).suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix) else ""
