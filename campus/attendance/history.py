"""Attendance over time: one student in all classes, and classes side by side, week by week."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import Count
from django.utils import timezone

from campus.academics.models import Course, Student
from campus.accounts.roles import AnyUser
from campus.attendance.models import EFFECTIVE_STATUS, AttendanceRecord, RegisterPolicy
from campus.attendance.register import Tally, in_days, max_lecture_points, tally_statuses
from campus.attendance.selectors import is_held, records_for
from campus.attendance.statuses import StatusDefinition, status_definitions

# The Monday of a week, and the share of the possible points that was reached, 0..1.
WeekShare = tuple[date, float]


@dataclass(frozen=True, slots=True)
class StudentLecture:
    """One lecture of a student: the record, and its status."""

    record: AttendanceRecord
    status: StatusDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseHistory:
    """One class over time: of one student, or of all its students.

    Of one student, `weeks` has the share of all lectures up to each week. Of all students, `lectures` is empty and each
    week stands for itself.
    """

    course: Course
    lectures: tuple[StudentLecture, ...]
    tally: Tally
    weeks: tuple[WeekShare, ...]
    required_share: float

    @property
    def is_below(self) -> bool:
        return self.tally.share is not None and self.tally.share < self.required_share

    @property
    def last_attended(self) -> datetime | None:
        """The start of the last lecture that the student attended; None for none."""
        attended = (lecture.record.lecture.starts_at for lecture in self.lectures if lecture.status.is_attended)
        return max(attended, default=None)

    @property
    def best_week(self) -> WeekShare | None:
        return max(self.weeks, key=lambda week: week[1], default=None)

    @property
    def worst_week(self) -> WeekShare | None:
        return min(self.weeks, key=lambda week: week[1], default=None)


def student_history(
    user: AnyUser, student: Student, *, since: date | None = None, until: date | None = None
) -> list[CourseHistory]:
    """The student in each class that the user may see, ordered by the classes' codes; the lectures by time."""
    definitions = status_definitions()
    records = records_for(user).filter(in_days(since, until, "lecture__starts_at"), is_held("lecture"), student=student)
    by_course: dict[int, list[StudentLecture]] = {}
    courses: dict[int, Course] = {}
    for record in records.select_related("lecture__course").order_by("lecture__starts_at"):
        status = definitions.get(record.status)
        if status:
            courses[record.lecture.course_id] = record.lecture.course
            by_course.setdefault(record.lecture.course_id, []).append(StudentLecture(record, status))
    required_shares = _required_shares(courses)
    lecture_points = max_lecture_points(definitions.values())
    return [
        CourseHistory(
            course=course,
            lectures=tuple(by_course[pk]),
            tally=tally_statuses((lecture.status for lecture in by_course[pk]), lecture_points),
            weeks=_cumulative_shares(by_course[pk], lecture_points),
            required_share=required_shares[pk],
        )
        for pk, course in sorted(courses.items(), key=lambda item: item[1].code)
    ]


def course_histories(
    courses: Sequence[Course], *, since: date | None = None, until: date | None = None
) -> list[CourseHistory]:
    """The classes side by side. The caller has checked that the user may see them."""
    definitions = status_definitions()
    records = AttendanceRecord.objects.filter(
        in_days(since, until, "lecture__starts_at"), lecture__course__in=courses, lecture__cancelled=False
    ).order_by()
    by_course: dict[int, list[tuple[datetime, StatusDefinition, int]]] = {}
    rows = records.values("lecture__course", "lecture__starts_at", code=EFFECTIVE_STATUS).annotate(n=Count("pk"))
    for row in rows:
        if status := definitions.get(row["code"]):
            by_course.setdefault(row["lecture__course"], []).append((row["lecture__starts_at"], status, row["n"]))
    required_shares = _required_shares(course.pk for course in courses)
    lecture_points = max_lecture_points(definitions.values())
    histories = []
    for course in courses:
        counted = by_course.get(course.pk, [])
        statuses = (status for _starts_at, status, n in counted for _ in range(n))
        histories.append(
            CourseHistory(
                course=course,
                lectures=(),
                tally=tally_statuses(statuses, lecture_points),
                weeks=_weekly_shares(counted, lecture_points),
                required_share=required_shares[course.pk],
            )
        )
    return histories


def _required_shares(courses: Iterable[int]) -> dict[int, float]:
    courses = list(courses)
    percents = dict(RegisterPolicy.objects.filter(course__in=courses).values_list("course", "required_percent"))
    default = RegisterPolicy().required_percent
    return {pk: percents.get(pk, default) / 100 for pk in courses}


def _monday(moment: datetime) -> date:
    day = timezone.localtime(moment).date()
    return day - timedelta(days=day.weekday())


def _cumulative_shares(lectures: Sequence[StudentLecture], lecture_points: Decimal) -> tuple[WeekShare, ...]:
    """The share of all lectures up to each week: one student has too few lectures a week for a share of the week
    alone.
    """
    shares: dict[date, float] = {}
    for n, lecture in enumerate(lectures, start=1):
        share = tally_statuses((earlier.status for earlier in lectures[:n]), lecture_points).share
        if share is not None:
            shares[_monday(lecture.record.lecture.starts_at)] = share
    return tuple(shares.items())


def _weekly_shares(
    counted: Iterable[tuple[datetime, StatusDefinition, int]], lecture_points: Decimal
) -> tuple[WeekShare, ...]:
    """The share of each week by itself."""
    weeks: dict[date, list[StatusDefinition]] = {}
    for starts_at, status, n in counted:
        weeks.setdefault(_monday(starts_at), []).extend([status] * n)
    shares = ((monday, tally_statuses(weeks[monday], lecture_points).share) for monday in sorted(weeks))
    return tuple((monday, share) for monday, share in shares if share is not None)
