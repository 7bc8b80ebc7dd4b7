"""The register: a class over its lectures, with the points and the percentage of each student."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TypedDict

from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format

from campus.academics.models import Course, Lecture, Student
from campus.academics.selectors import student_sections
from campus.attendance.models import AttendanceRecord
from campus.attendance.policy import policy_for
from campus.attendance.selectors import final_lectures
from campus.attendance.statuses import Status, StatusDefinition, status_definitions


class Days(TypedDict):
    """A period, both days included, open where None."""

    since: date | None
    until: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What some statuses add up to. Those that do not count (excused, to be confirmed) change neither points nor
    percentage.

    `counts` has the number of lectures by status code.
    """

    counts: dict[str, int]
    counted_lectures: int
    attended_lectures: int
    points: Decimal
    max_points: Decimal

    @property
    def share(self) -> float | None:
        """Points as a share of `max_points`, 0..1; None where nothing counts yet."""
        return float(self.points / self.max_points) if self.max_points else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterRow:
    """One student: the section, if any; the status in each lecture of the register, None where there is none; `reasons`
    says why the student is excused, by the lecture's place in the register. `last_attended` is the start of the last
    lecture that the student attended, None for none.
    """

    student: Student
    section: str
    statuses: tuple[StatusDefinition | None, ...]
    reasons: dict[int, str]
    tally: Tally
    is_below: bool
    last_attended: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """A class's register. `required_share` is the share of the points that students should reach, 0..1.

    `lecture_tallies` has a tally for each lecture, `total` that of all lectures.
    """

    course: Course
    lectures: tuple[Lecture, ...]
    statuses: tuple[StatusDefinition, ...]
    rows: tuple[RegisterRow, ...]
    lecture_tallies: tuple[Tally, ...]
    total: Tally
    required_share: float

    @property
    def below_count(self) -> int:
        return sum(row.is_below for row in self.rows)

    @property
    def has_sections(self) -> bool:
        return any(row.section for row in self.rows)

    @property
    def used_statuses(self) -> tuple[StatusDefinition, ...]:
        """The statuses that occur in the register."""
        return tuple(status for status in self.statuses if self.total.counts.get(status.code))


def tally_statuses(statuses: Iterable[StatusDefinition | None], lecture_points: Decimal) -> Tally:
    """Add up statuses; `lecture_points` is the most that one lecture can give. None is left out."""
    known = [status for status in statuses if status is not None]
    counted = [status for status in known if status.is_counted]
    return Tally(
        counts=dict(Counter(status.code for status in known)),
        counted_lectures=len(counted),
        attended_lectures=sum(status.is_attended for status in known),
        points=sum((status.points for status in counted), Decimal()),
        max_points=lecture_points * len(counted),
    )


def max_lecture_points(statuses: Iterable[StatusDefinition]) -> Decimal:
    """The most points that one lecture can give."""
    return max((status.points for status in statuses if status.is_counted), default=Decimal())


def in_days(since: date | None, until: date | None, field: str = "starts_at") -> Q:
    """The condition that `field` lies in these days (both included, open where None), in the institution's time
    zone.
    """
    condition = Q()
    if since:
        condition &= Q(**{f"{field}__gte": _midnight(since)})
    if until:
        condition &= Q(**{f"{field}__lt": _midnight(until + timedelta(days=1))})
    return condition


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def build_register(
    course: Course,
    *,
    since: date | None = None,
    until: date | None = None,
    required_percent: int | None = None,
    only: Collection[int] | None = None,
    signed_off_only: bool = False,
) -> Register:
    """The register over the lectures with final records that were not cancelled, by time.

    The students are ordered by surname. `required_percent` takes the place of what the class asks for. `only` has the
    ids of the students who are in it; None for all. `signed_off_only`: over the lectures that are signed off.
    """
    definitions = status_definitions()
    lecture_points = max_lecture_points(definitions.values())
    required = policy_for(course).required_percent if required_percent is None else required_percent
    required_share = required / 100
    final = final_lectures().filter(in_days(since, until), course=course)
    if signed_off_only:
        final = final.filter(sign_off__isnull=False)
    lectures = tuple(final.order_by("starts_at"))
    column_of = {lecture.pk: column for column, lecture in enumerate(lectures)}
    by_student: dict[int, list[StatusDefinition | None]] = {}
    records = AttendanceRecord.objects.filter(lecture__in=column_of).order_by()
    if only is not None:
        records = records.filter(student__in=only)
    reasons: dict[int, dict[int, str]] = {}
    fields = ("student", "lecture", "override_status", "machine_status", "excuse_reason")
    values = records.values_list(*fields)
    for student, lecture, override, machine, reason in values:
        column = column_of[lecture]
        if reason:
            reasons.setdefault(student, {})[column] = reason
        code = override or (Status.EXCUSED if reason else machine)
        by_student.setdefault(student, [None] * len(lectures))[column] = definitions.get(code)
    students = Student.objects.filter(pk__in=records.values("student")).order_by("sort_key", "number_key")
    sections = student_sections(course)
    rows = []
    for student in students:
        statuses = by_student[student.pk]
        tally = tally_statuses(statuses, lecture_points)
        attended = [n for n, status in enumerate(statuses) if status and status.is_attended]
        is_below = tally.share is not None and tally.share < required_share
        rows.append(
            RegisterRow(
                student=student,
                section=sections.get(student.pk, ""),
                statuses=tuple(statuses),
                reasons=reasons.get(student.pk, {}),
                tally=tally,
                is_below=is_below,
                last_attended=lectures[attended[-1]].starts_at if attended else None,
            )
        )
    return Register(
        course=course,
        lectures=lectures,
        statuses=tuple(definitions.values()),
        rows=tuple(rows),
        lecture_tallies=tuple(
            tally_statuses((statuses[column] for statuses in by_student.values()), lecture_points)
            for column in range(len(lectures))
        ),
        total=tally_statuses((status for statuses in by_student.values() for status in statuses), lecture_points),
        required_share=required_share,
    )


def lecture_labels(lectures: Iterable[Lecture], day_format: str = "Y-m-d") -> list[str]:
    """The day of each lecture, with the time where a day has several; ISO dates are for files."""
    starts = [timezone.localtime(lecture.starts_at) for lecture in lectures]
    days = Counter(start.date() for start in starts)
    return [date_format(start, day_format) + f" {start:%H:%M}" * (days[start.date()] > 1) for start in starts]
