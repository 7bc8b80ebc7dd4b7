"""Where a recording lies in its lecture, by what the file says of the time."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache

from babel.dates import get_month_names
from django.utils import timezone

from campus.academics.models import Lecture
from campus.common.intervals import place_intervals, total_length
from campus.common.visible_text import normalize
from campus.recordings.models import Recording
from recognition.types import VideoInfo

OffsetSource = Recording.OffsetSource

MAX_CLOCK_ERROR = timedelta(days=300)  # a clock that is further off was never set
MIN_INSIDE_SHARE = 0.5  # of the recording, or of the lecture, for a reading of the time to be taken
LOCALES = ("en", "en_GB", "de", "de_AT")  # whose names of months are read
# 09.15, 9-15-00, 091500, 091500123, 9.15 PM; but not the 720p and 1440p of a picture's height.
_TIME = (
    r"(?P<hour>\d\d(?=\d\d)|\d\d?(?=[-._:h\s]\d\d))[-._:h\s]?(?P<minute>\d\d)"
    r"(?:[-._:m\s]?(?P<second>\d\d)(?:\d{3})?)?(?!\d|[pi](?![.m]))\s*(?P<half>[ap]\.?m)?"
)


@cache
def _months() -> dict[str, int]:
    """The numbers of the months by their names in file names."""
    return {
        normalize("NFC", name).casefold().rstrip("."): number
        for locale in LOCALES
        for width in ("wide", "abbreviated")
        for context in ("format", "stand-alone")
        for number, name in get_month_names(width, context, locale).items()
    } | {"maerz": 3, "mrz": 3, "jaenner": 1}


@cache
def _dates_and_times() -> list[re.Pattern[str]]:
    """What reads PXL_20261116_091500123.mp4, 2026-11-16 09.15.00.mov, Aufnahme 16.11.2026 09-15.mp4, 2-9-2026,
    9.21.12pm.mp4, 16. November 2026 09-15.mp4, Nov 16, 2026, 9.15 PM.mp4."""
    number = r"(?P<month>\d\d?)"
    name = rf"(?P<month>{'|'.join(sorted(_months(), key=len, reverse=True))})\.?"
    year, day = r"(?P<year>20\d\d)", r"(?P<day>\d\d?)"
    dates = (
        rf"{year}[-._]?(?P<month>\d\d)[-._]?(?P<day>\d\d)",
        rf"{day}[-._]{number}[-._]{year}",
        rf"{day}(?:st|nd|rd|th)?[-._\s]*{name}[-._,\s]*{year}",
        rf"(?<![^\W\d_]){name}[-._\s]*{day}(?:st|nd|rd|th)?[-._,\s]+{year}",
        rf"{year}[-._\s]*{name}[-._\s]*{day}",
    )
    return [re.compile(rf"(?<!\d){date}(?:[-_.,t\s]|at|um)*{_TIME}") for date in dates]


def guess_offset(lecture: Lecture, info: VideoInfo, name: str) -> tuple[float, OffsetSource]:
    """At which second of the lecture the recording begins, and by what: the camera's clock, or the file's name.

    Cameras write local time where UTC is due, and some the end of the recording in place of its start. So that reading
    is taken which places the recording into its lecture; where none does, the plain one. (0, ASSUMED) where nothing
    says when it began, or the clock was never set.
    """
    readings = [
        ((starts_at - lecture.starts_at).total_seconds(), source)
        for starts_at, source in _readings(info, name)
        if abs(starts_at - lecture.starts_at) < MAX_CLOCK_ERROR
    ]
    fitting = (reading for reading in readings if _is_inside(lecture, reading[0], info.duration))
    return next(fitting, readings[0] if readings else (0.0, OffsetSource.ASSUMED))


def _readings(info: VideoInfo, name: str) -> Iterator[tuple[datetime, OffsetSource]]:
    """When the recording may have begun, the likeliest first."""
    length = timedelta(seconds=info.duration)
    if info.started_at:
        yield info.started_at, OffsetSource.CAMERA
    if in_name := time_in_name(name):
        yield timezone.make_aware(in_name), OffsetSource.FILE_NAME
    if info.started_at:
        local = timezone.make_aware(info.started_at.replace(tzinfo=None))
        yield local, OffsetSource.CAMERA
        yield info.started_at - length, OffsetSource.CAMERA
        yield local - length, OffsetSource.CAMERA


def _is_inside(lecture: Lecture, offset: float, duration: float) -> bool:
    if not duration:
        return 0 <= offset <= lecture.length
    inside = total_length(place_intervals([(0.0, duration)], offset, lecture.length))
    return inside >= MIN_INSIDE_SHARE * min(duration, lecture.length)


def time_in_name(name: str) -> datetime | None:
    """The date and time in a file's name, on the wall; None where there is none, or an impossible one."""
    name = normalize("NFC", name).casefold()
    found = next(filter(None, (pattern.search(name) for pattern in _dates_and_times())), None)
    if not found:
        return None
    hour = int(found["hour"])
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found["half"].startswith("p") else 0)
    month = _months().get(found["month"]) or int(found["month"])
    try:
        return datetime(  # noqa: DTZ001  (a time on the wall)
            int(found["year"]), month, int(found["day"]), hour, int(found["minute"]), int(found["second"] or 0)
        )
    except ValueError:
        return None
