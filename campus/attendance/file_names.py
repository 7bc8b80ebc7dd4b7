"""What files are called when they are downloaded: CS101_register_2026-11-29.csv."""

import re
from datetime import date, datetime

from django.utils import timezone


def download_name(code: str, about: str, when: date | datetime, ending: str) -> str:
    """The code of the class, what the file is about, the day (and the time, if it has one), and the ending."""
    name = f"{plain_name(code)}_{about}" if code else about
    stamp = f"{timezone.localtime(when):%Y-%m-%d-%H%M}" if isinstance(when, datetime) else f"{when:%Y-%m-%d}"
    return f"{name}_{stamp}{ending}"


def plain_name(text: str) -> str:
    """The text with nothing but letters, digits and hyphens, for the name of a file."""
    return re.sub(r"[^A-Za-z0-9-]+", "_", text).strip("_")[:60] or "class"
