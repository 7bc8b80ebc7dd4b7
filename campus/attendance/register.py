"""The register: a class over its lectures, with the points and the percentage of each student."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.db.models import Case, F, Q, When
from django.utils import timezone

from campus.academics.models import Course, Lecture, Student
from campus.attendance.models import AttendanceRecord
from campus.attendance.policy import policy_for
from campus.attendance.statuses import StatusDefinition, status_definitions

# What counts of a record, in the database: see AttendanceRecord.status.
EFFECTIVE_STATUS = Case(When(override_status="", then=F("machine_status")), default=F("override_status"))


@dataclass(frozen=True, slots=True)
class Tally:
    """What some statuses add up to. Those that do not count (excused, to be confirmed) change neither points nor percentage."""

    counts: dict[str, int]
    counted: int
    attended: int
    points: Decimal
    most: Decimal

    @property
    def share(self) -> float | None:
        """Points of those that could be had, 0..1; None where nothing counts yet."""
        return float(self.points / self.most) if self.most else None


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """One student: the status in each lecture of the register, None where the student was not on its roster."""

    student: Student
    kinds: tuple[StatusDefinition | None, ...]
    tally: Tally
    below: bool


@dataclass(frozen=True, slots=True)
class Register:
    """`least` is the share that is asked for. `columns` has a tally for each lecture, `total` that of all."""

    course: Course
    lectures: tuple[Lecture, ...]
    kinds: tuple[StatusDefinition, ...]
    lines: tuple[RegisterRow, ...]
    columns: tuple[Tally, ...]
    total: Tally
    least: float

    @property
    def below(self) -> int:
        return sum(line.below for line in self.lines)

    @property
    def used(self) -> tuple[StatusDefinition, ...]:
        """The statuses that occur."""
        return tuple(kind for kind in self.kinds if self.total.counts.get(kind.code))


def tally_statuses(statuses: Iterable[StatusDefinition | None], best: Decimal) -> Tally:
    """Add up statuses; `best` is the most points that one lecture can give."""
    given = [kind for kind in statuses if kind is not None]
    counted = [kind for kind in given if kind.counts]
    return Tally(
        counts=dict(Counter(kind.code for kind in given)),
        counted=len(counted),
        attended=sum(kind.attended for kind in given),
        points=sum((kind.points for kind in counted), Decimal()),
        most=best * len(counted),
    )


def max_lecture_points(known: Iterable[StatusDefinition]) -> Decimal:
    return max((kind.points for kind in known if kind.counts), default=Decimal())


def in_days(since: date | None, until: date | None, field: str = "starts_at") -> Q:
    """Lectures of these days (both included, open where None), in the institution's time zone."""
    wanted = Q()
    if since:
        wanted &= Q(**{f"{field}__gte": _midnight(since)})
    if until:
        wanted &= Q(**{f"{field}__lt": _midnight(until + timedelta(days=1))})
    return wanted


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def build_register(course: Course, *, since: date | None = None, until: date | None = None) -> Register:
    """The lectures that have records for good and were not cancelled, in the order of time; the students by name."""
    known = status_definitions()
    best = max_lecture_points(known.values())
    least = policy_for(course).least_percent / 100
    held = Lecture.objects.filter(in_days(since, until), course=course, cancelled=False, records__isnull=False)
    held = held.exclude(recordings__provisional=True)
    lectures = tuple(held.distinct().order_by("starts_at"))
    place = {lecture.pk: n for n, lecture in enumerate(lectures)}
    rows: dict[int, list[StatusDefinition | None]] = {}
    records = AttendanceRecord.objects.filter(lecture__in=place).order_by()
    for student, lecture, code in records.values_list("student", "lecture", EFFECTIVE_STATUS):
        rows.setdefault(student, [None] * len(lectures))[place[lecture]] = known.get(code)
    students = Student.objects.filter(pk__in=records.values("student")).order_by("name", "number")
    lines = []
    for student in students:
        given = tuple(rows[student.pk])
        sums = tally_statuses(given, best)
        lines.append(RegisterRow(student, given, sums, below=sums.share is not None and sums.share < least))
    return Register(
        course=course,
        lectures=lectures,
        kinds=tuple(known.values()),
        lines=tuple(lines),
        columns=tuple(tally_statuses((row[n] for row in rows.values()), best) for n in range(len(lectures))),
        total=tally_statuses((kind for row in rows.values() for kind in row), best),
        least=least,
    )


def lecture_labels(lectures: Iterable[Lecture]) -> list[str]:
    """The day of each lecture, with the time where a day has several."""
    starts = [timezone.localtime(lecture.starts_at) for lecture in lectures]
    days = Counter(start.date() for start in starts)
    return [f"{start:%Y-%m-%d}" if days[start.date()] == 1 else f"{start:%Y-%m-%d %H:%M}" for start in starts]
