"""Preview and import of rosters: which students are new, changed or leaving, and which rows are wrong.

Students are matched by number, so importing the same file again changes nothing. The cells of a column replace what is
stored, empty ones too; a missing column changes nothing. Students who left and are listed again are enrolled again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from campus.academics.models import Course, Enrolment, Student
from campus.academics.roster_files import Table, parse_day, select_fields
from campus.academics.services import mark_galleries_outdated
from campus.common.errors import UserError
from campus.common.keys import match_key

STUDENT_FIELDS = ("name", "email", "guardian_phone")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowError:
    line: int
    number: str
    name: str
    reasons: list[str]


@dataclass(slots=True, kw_only=True)
class RowChange:
    """`changes` are (field, old value, new value); empty for a new student or a new enrolment."""

    line: int
    student: Student
    course: Course | None
    new_student: bool = False
    joins: bool = False
    changes: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class RosterPlan:
    new: list[RowChange] = field(default_factory=list)
    changed: list[RowChange] = field(default_factory=list)
    leaving: list[Enrolment] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    unchanged: int = 0
    # The rows to write.
    students_new: dict[str, Student] = field(default_factory=dict)
    students_changed: dict[str, Student] = field(default_factory=dict)
    enrolments_new: list[Enrolment] = field(default_factory=list)
    enrolments_changed: list[Enrolment] = field(default_factory=list)


def plan_roster(table: Table, columns: Mapping[str, int], course: Course | None = None) -> RosterPlan:
    """What importing the table would do. `columns` maps fields to columns; rows without a class belong to `course`.

    Raises UserError if there is no column with the student number.
    """
    if "number" not in columns:
        raise UserError("No column is the student number. Choose the one that is.")
    return _Planner(table, columns, course).plan


def import_roster(
    *, table: Table, columns: Mapping[str, int], course: Course | None = None, complete: bool = False
) -> RosterPlan:
    """Do what `plan_roster` says, all of it or nothing; returns what was done.

    `complete`: the table is the whole roster of its classes, so students who are not in it leave. Raises UserError if a
    row is wrong.
    """
    with transaction.atomic():
        plan = plan_roster(table, columns, course)
        if plan.errors:
            raise UserError("Some rows can't be imported. Correct them in the file, then choose it once more.")
        Student.objects.bulk_create(plan.students_new.values(), batch_size=1000)
        Student.objects.bulk_update(plan.students_changed.values(), STUDENT_FIELDS, batch_size=200)
        if complete:
            yesterday = timezone.localdate() - timedelta(days=1)
            for enrolment in plan.leaving:
                enrolment.valid_to = max(enrolment.valid_from, yesterday)
            Enrolment.objects.bulk_update(plan.leaving, ["valid_to"], batch_size=500)
        Enrolment.objects.bulk_create(plan.enrolments_new, batch_size=1000)
        Enrolment.objects.bulk_update(plan.enrolments_changed, ["valid_from", "valid_to"], batch_size=500)
        # Bulk writes send no signals.
        mark_galleries_outdated(
            courses=Course.objects.filter(pk__in={enrolment.course_id for enrolment in plan.enrolments_new})
        )
    return plan


class _Planner:
    def __init__(self, table: Table, columns: Mapping[str, int], course: Course | None) -> None:
        self.plan, self.course, self.today = RosterPlan(), course, timezone.localdate()
        self.classes = {row.code_key: row for row in Course.objects.all()}
        self.known = {student.number_key: student for student in Student.objects.all()}
        named = {course.pk} if course else set()
        codes = {match_key(row[columns["class"]]) for row in table.rows} if "class" in columns else set()
        named |= {self.classes[code].pk for code in codes & self.classes.keys()}
        enrolments = Enrolment.objects.filter(course__in=named).select_related("student", "course")
        self.enrolled = {(row.course_id, row.student.number_key): row for row in enrolments}
        self.seen: dict[tuple[str, int | None], int] = {}
        self.first_values: dict[str, tuple[int, dict[str, str]]] = {}
        for line, row in zip(table.lines, table.rows, strict=True):
            self.add_row(line, select_fields(row, columns))
        listed = {(course_id, number) for number, course_id in self.seen if course_id}
        listed_courses = {course_id for course_id, _number in listed}
        self.plan.leaving = [
            enrolment
            for key, enrolment in sorted(
                self.enrolled.items(), key=lambda item: (item[1].course.code, item[1].student.name)
            )
            if key not in listed
            and key[0] in listed_courses
            and not enrolment.student.guest
            and self.is_open(enrolment)
        ]

    def is_open(self, enrolment: Enrolment) -> bool:
        return enrolment.valid_to is None or enrolment.valid_to >= self.today

    def add_row(self, line: int, values: dict[str, str]) -> None:
        number = values.get("number", "")
        reasons: list[str] = []
        student, changes = self.student(line, number, values, reasons)
        course = self.class_of(values.get("class", ""), reasons)
        number_key = match_key(number)
        key = (number_key, course.pk if course else None)
        if first := self.seen.get(key):
            reasons.append(_("The same student and class are in row %(line)d already. Remove one.") % {"line": first})
        self.seen.setdefault(key, line)
        enrolment = self.enrolment(student, course, values, changes, reasons) if course else None
        if reasons:
            self.plan.errors.append(RowError(line=line, number=number, name=student.name, reasons=reasons))
            return
        joins = enrolment is not None and enrolment.pk is None
        new_student = student.pk is None and number_key not in self.plan.students_new
        if student.pk is None:
            student = self.plan.students_new.setdefault(number_key, student)
        elif any(label in STUDENT_FIELDS for label, _old, _new in changes):
            self.plan.students_changed[number_key] = student
        if enrolment is not None:
            enrolment.student = student
            if joins:
                self.plan.enrolments_new.append(enrolment)
            elif any(label in ("from", "to") for label, _old, _new in changes):
                self.plan.enrolments_changed.append(enrolment)
        change = RowChange(
            line=line,
            student=student,
            course=course,
            new_student=new_student,
            joins=joins,
            changes=[] if new_student else changes,
        )
        if new_student or joins:
            self.plan.new.append(change)
        elif changes:
            self.plan.changed.append(change)
        else:
            self.plan.unchanged += 1

    def student(
        self, line: int, number: str, values: dict[str, str], reasons: list[str]
    ) -> tuple[Student, list[tuple[str, str, str]]]:
        """The student with the row's values set, and the values that changed."""
        key = match_key(number)
        student = self.known.get(key) or self.plan.students_new.get(key) or Student(number=number)
        values_of_row = {name: values[name] for name in STUDENT_FIELDS if name in values}
        first, first_values = self.first_values.setdefault(key, (line, values_of_row))
        if values_of_row != first_values:
            reasons.append(
                _("Row %(line)d says something else of the student with this number. Correct one.") % {"line": first}
            )
            return student, []
        changes = [
            (name, getattr(student, name), text)
            for name, text in values_of_row.items()
            if getattr(student, name) != text
        ]
        for name, _old, new in changes:
            setattr(student, name, new)
        if first == line and (changes or student.pk is None):
            try:
                student.clean_fields()
            except ValidationError as error:
                reasons += [
                    f"{_verbose(name)}: {' '.join(sentences)}" for name, sentences in error.message_dict.items()
                ]
        return student, changes

    def class_of(self, code: str, reasons: list[str]) -> Course | None:
        if not code:
            return self.course
        course = self.classes.get(match_key(code))
        if course is None:
            reasons.append(
                _("There is no class with the code “%(code)s”. Make the class first, or correct the code.")
                % {"code": code}
            )
        return course

    def enrolment(
        self,
        student: Student,
        course: Course,
        values: dict[str, str],
        changes: list[tuple[str, str, str]],
        reasons: list[str],
    ) -> Enrolment | None:
        days: dict[str, date | None] = {}
        for name in ("from", "to"):
            try:
                days[name] = parse_day(values.get(name, ""))
            except ValueError as error:
                reasons.append(str(error))
                return None
        enrolment = self.enrolled.get((course.pk, student.number_key))
        is_new = enrolment is None
        enrolment = enrolment or Enrolment(course=course, valid_from=self.today)
        was = (enrolment.valid_from, enrolment.valid_to)
        enrolment.valid_from = days["from"] or enrolment.valid_from
        if "to" in values or not self.is_open(enrolment):
            enrolment.valid_to = days["to"]
        if enrolment.valid_to and enrolment.valid_to < enrolment.valid_from:
            reasons.append(_("The enrolment ends before it starts. Correct one of the two days."))
        if not is_new:
            for name, old, new in zip(("from", "to"), was, (enrolment.valid_from, enrolment.valid_to), strict=True):
                if old != new:
                    changes.append((name, str(old or ""), str(new or "")))
        return enrolment


def _verbose(name: str) -> str:
    return str(Student._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
