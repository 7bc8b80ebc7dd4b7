"""When each student was seen, as bars over the length of the lecture. Positions are percentages of the width."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import time_format

from campus.academics.models import Lecture
from campus.attendance import statuses
from campus.attendance.models import AttendanceRecord, Sighting, UnknownPerson
from campus.attendance.selectors import intervals_in_lecture
from recognition.types import Interval

STEPS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)  # seconds
MAX_TICKS = 6
MAX_EXACT_TICKS = 4  # with seconds, a time is twice as wide
LAST_PERCENT = 94  # from here on, a time that is centred on its tick would be cut off


@dataclass(frozen=True)
class Tick:
    """`anchor` says which part of the label is at `x`: its start, its middle or its end."""

    x: str
    label: str
    anchor: str


@dataclass(frozen=True)
class Bar:
    """`x` and `width` as an SVG attribute takes them; `text` for who can't see it."""

    x: str
    width: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Line:
    student: int
    name: str
    address: str
    status: str
    bars: list[Bar]


@dataclass(frozen=True)
class Timeline:
    ticks: list[Tick]
    lines: list[Line]


def build_timeline(
    lecture: Lecture, records: Sequence[AttendanceRecord], shown: Mapping[int, Sequence[Sighting | UnknownPerson]]
) -> Timeline | None:
    """The students who were seen, in the order of the records. None if nobody was seen in it."""
    duration = lecture.length
    step = next(
        (step for step in STEPS if duration / step <= (MAX_TICKS if step >= 60 else MAX_EXACT_TICKS)), STEPS[-1]
    )
    lines = []
    for record in records:
        intervals = intervals_in_lecture(lecture, shown.get(record.student_id, []))
        if intervals:
            address = reverse("record", args=[record.pk])
            bars = [_bar(lecture, interval, duration) for interval in intervals]
            lines.append(
                Line(
                    student=record.student_id,
                    name=record.student.name,
                    address=address,
                    status=statuses.meaning_of(record.status),
                    bars=bars,
                )
            )
    ticks = [_tick(lecture, second, duration, step < 60) for second in range(0, int(duration), step)]
    return Timeline(ticks, lines) if lines else None


def _tick(lecture: Lecture, second: int, duration: float, exact: bool) -> Tick:
    anchor = "start" if second == 0 else "end" if 100 * second / duration > LAST_PERCENT else "middle"
    return Tick(_share(second, duration), _clock(lecture, second, exact), anchor)


def _bar(lecture: Lecture, interval: Interval, duration: float) -> Bar:
    start, end = interval
    text = f"{_clock(lecture, start, True)}–{_clock(lecture, end, True)}"  # noqa: RUF001  (a range)
    return Bar(_share(start, duration), _share(max(end - start, duration / 300), duration), text)


def _share(seconds: float, duration: float) -> str:
    return f"{100 * seconds / duration:.2f}%"


def _clock(lecture: Lecture, seconds: float, exact: bool) -> str:
    return time_format(timezone.localtime(lecture.starts_at + timedelta(seconds=seconds)), "H:i:s" if exact else "H:i")
