"""Two lectures of a class side by side: who came to both, to one of them, or to neither."""

from dataclasses import dataclass

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from campus.academics.models import Lecture, Student
from campus.accounts.roles import AnyUser
from campus.attendance.statuses import MACHINE_ONLY
from campus.web.roll_table import RollRow, build_roll_table


@dataclass(frozen=True, kw_only=True)
class ComparedStudent:
    """A student's rows on the roll of both lectures; None where the student was not enrolled on that day."""

    student: Student
    first: RollRow | None
    second: RollRow | None


@dataclass(frozen=True)
class ComparisonGroup:
    key: str
    label: str
    students: list[ComparedStudent]


def compare_lectures(user: AnyUser, first: Lecture, second: Lecture) -> list[ComparisonGroup]:
    """The students of two lectures by where they came. The caller has checked that the user may see both lectures."""
    rolls = [
        {row.record.student_id: row for row in build_roll_table(user, lecture).all_rows} for lecture in (first, second)
    ]
    students = {row.record.student_id: row.record.student for roll in rolls for row in roll.values()}
    groups = [
        ComparisonGroup("both", _("Came to both"), []),
        ComparisonGroup("first", _("Only on {day}").format(day=_day(first)), []),
        ComparisonGroup("second", _("Only on {day}").format(day=_day(second)), []),
        ComparisonGroup("neither", _("Came to neither"), []),
        ComparisonGroup("open", _("Not certain yet"), []),
    ]
    by_key = {group.key: group.students for group in groups}
    for student in sorted(students.values(), key=lambda student: (student.sort_key, student.number_key)):
        rows = [roll.get(student.pk) for roll in rolls]
        by_key[_group(*rows)].append(ComparedStudent(student=student, first=rows[0], second=rows[1]))
    return [group for group in groups if group.students]


def _group(first: RollRow | None, second: RollRow | None) -> str:
    if any(row and row.record.status in ("", *MACHINE_ONLY) for row in (first, second)):
        return "open"
    came = (bool(first and first.is_attended), bool(second and second.is_attended))
    return {(True, True): "both", (True, False): "first", (False, True): "second"}.get(came, "neither")


def _day(lecture: Lecture) -> str:
    return date_format(timezone.localtime(lecture.starts_at), _("D j M, H:i"))
