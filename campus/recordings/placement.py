"""Where a recording lies in its lecture, by what the file says of the time."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils import timezone

from campus.academics.models import Lecture
from campus.common.intervals import place_intervals, total_length
from campus.recordings.models import Recording
from recognition.types import VideoInfo

OffsetSource = Recording.OffsetSource

MAX_CLOCK_ERROR = timedelta(days=300)  # a clock that is further off was never set
MIN_INSIDE_SHARE = 0.5  # of the recording, or of the lecture, for a reading of the time to be taken
# As in PXL_20261116_091500123.mp4, 2026-11-16 09.15.00.mov, Aufnahme 16.11.2026 09-15.mp4, 2-9-2026, 9.21.12pm.mp4
_DATE = r"(?:(?P<Y>20\d\d)[-._]?(?P<m>\d\d)[-._]?(?P<d>\d\d)|(?P<d2>\d\d?)[-._](?P<m2>\d\d?)[-._](?P<Y2>20\d\d))"
_TIME = r"(?P<H>\d\d?)[-._:h ]?(?P<M>\d\d)(?:[-._:m ]?(?P<S>\d\d)(?:\d{3})?)?(?!\d)\s*(?P<p>[ap]\.?m)?"
_DATE_AND_TIME = re.compile(rf"(?<!\d){_DATE}(?:[-_.,T ]|at|um)*{_TIME}", re.IGNORECASE)


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
    found = _DATE_AND_TIME.search(name)
    if not found:
        return None
    year, month, day = (int(found[field] or found[f"{field}2"]) for field in "Ymd")
    hour, minute, second = int(found["H"]), int(found["M"]), int(found["S"] or 0)
    if found["p"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found["p"][0] in "pP" else 0)
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  (a time on the wall)
    except ValueError:
        return None
