"""Attendance over time: a student in all classes, and classes beside each other, week by week."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import Count
from django.utils import timezone

from campus.academics.models import Course, Student
from campus.accounts.roles import AnyUser
from campus.attendance.models import AttendanceRecord, RegisterPolicy
from campus.attendance.register import EFFECTIVE_STATUS, Tally, in_days, max_lecture_points, tally_statuses
from campus.attendance.selectors import records_for
from campus.attendance.statuses import StatusDefinition, status_definitions

# The Monday of a week, and the share of the points that could be had in it, 0..1.
WeekShare = tuple[date, float]


@dataclass(frozen=True, slots=True)
class StudentLecture:
    """One lecture of a student: the record, and its status."""

    record: AttendanceRecord
    kind: StatusDefinition


@dataclass(frozen=True, slots=True)
class CourseHistory:
    """A student, or all students, in one class. `met` is empty where it is all students; `weeks` are then each by itself, and of one
    student all until the week."""

    course: Course
    met: tuple[StudentLecture, ...]
    tally: Tally
    weeks: tuple[WeekShare, ...]
    least: float

    @property
    def below(self) -> bool:
        return self.tally.share is not None and self.tally.share < self.least

    @property
    def best(self) -> WeekShare | None:
        return max(self.weeks, key=lambda week: week[1], default=None)

    @property
    def worst(self) -> WeekShare | None:
        return min(self.weeks, key=lambda week: week[1], default=None)


def student_history(
    user: AnyUser, student: Student, *, since: date | None = None, until: date | None = None
) -> list[CourseHistory]:
    """The student in each class that the user may see, by the classes' codes, the lectures in the order of time."""
    known = status_definitions()
    records = records_for(user).filter(
        in_days(since, until, "lecture__starts_at"), student=student, lecture__cancelled=False
    )
    by_course: dict[int, list[StudentLecture]] = {}
    courses: dict[int, Course] = {}
    for record in records.select_related("lecture__course").order_by("lecture__starts_at"):
        kind = known.get(record.status)
        if kind:
            courses[record.lecture.course_id] = record.lecture.course
            by_course.setdefault(record.lecture.course_id, []).append(StudentLecture(record, kind))
    least = _required_shares(courses)
    best = max_lecture_points(known.values())
    return [
        CourseHistory(
            course=course,
            met=tuple(by_course[pk]),
            tally=tally_statuses((met.kind for met in by_course[pk]), best),
            weeks=_cumulative_shares(by_course[pk], best),
            least=least[pk],
        )
        for pk, course in sorted(courses.items(), key=lambda item: item[1].code)
    ]


def course_histories(
    courses: Sequence[Course], *, since: date | None = None, until: date | None = None
) -> list[CourseHistory]:
    """The classes beside each other. The caller has asked the selector which ones."""
    known = status_definitions()
    records = AttendanceRecord.objects.filter(
        in_days(since, until, "lecture__starts_at"), lecture__course__in=courses, lecture__cancelled=False
    ).order_by()
    by_course: dict[int, list[tuple[datetime, StatusDefinition, int]]] = {}
    rows = records.values("lecture__course", "lecture__starts_at", code=EFFECTIVE_STATUS).annotate(n=Count("pk"))
    for row in rows:
        if kind := known.get(row["code"]):
            by_course.setdefault(row["lecture__course"], []).append((row["lecture__starts_at"], kind, row["n"]))
    least = _required_shares(course.pk for course in courses)
    best = max_lecture_points(known.values())
    return [
        CourseHistory(
            course=course,
            met=(),
            tally=tally_statuses((kind for _, kind, n in by_course.get(course.pk, ()) for _ in range(n)), best),
            weeks=_weekly_shares(by_course.get(course.pk, ()), best),
            least=least[course.pk],
        )
        for course in courses
    ]


def _required_shares(courses: Iterable[int]) -> dict[int, float]:
    courses = list(courses)
    rows = dict(RegisterPolicy.objects.filter(course__in=courses).values_list("course", "least_percent"))
    default = RegisterPolicy().least_percent
    return {pk: rows.get(pk, default) / 100 for pk in courses}


def _monday(moment: datetime) -> date:
    day = timezone.localtime(moment).date()
    return day - timedelta(days=day.weekday())


def _cumulative_shares(met: Sequence[StudentLecture], best: Decimal) -> tuple[WeekShare, ...]:
    """One student meets a class once or twice a week, so each week has the share of all that was until then."""
    shares: dict[date, float] = {}
    for n, one in enumerate(met, start=1):
        share = tally_statuses((met.kind for met in met[:n]), best).share
        if share is not None:
            shares[_monday(one.record.lecture.starts_at)] = share
    return tuple(shares.items())


def _weekly_shares(rows: Iterable[tuple[datetime, StatusDefinition, int]], best: Decimal) -> tuple[WeekShare, ...]:
    """Each week by itself."""
    weeks: dict[date, list[StatusDefinition]] = {}
    for starts_at, kind, n in rows:
        weeks.setdefault(_monday(starts_at), []).extend([kind] * n)
    shares = ((monday, tally_statuses(weeks[monday], best).share) for monday in sorted(weeks))
    return tuple((monday, share) for monday, share in shares if share is not None)
