"""What importing a roster would do: who is new, changed or leaves, which rows are wrong, and what a person must decide.

Students are matched by number, so importing the same file again changes nothing. The cells of a column replace what is
stored, empty ones too; a missing column changes nothing. An answer about consent is only replaced by a later one.
Students who left and are listed again are enrolled again.
"""

from collections import defaultdict
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet, prefetch_related_objects
from django.utils import timezone
from django.utils.translation import gettext as _

from campus.academics.file_contents import Table
from campus.academics.models import Course, Enrolment, Student
from campus.academics.roster_checks import are_rounded, choose_number, find_damage, find_traits, is_other_name
from campus.academics.roster_columns import RosterAnswer, is_month_first, parse_answer, parse_day, select_fields
from campus.academics.selectors import term_starts
from campus.academics.signals import answers_requested
from campus.common.errors import UserError
from campus.common.keys import match_key, number_key

ROW_FIELDS = ("name", "surname", "email", "guardian_phone")
ENROLMENT_FIELDS = ("section", "from", "to")
LARGE_DEPARTURE_SHARE = 0.1


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtfulRow:
    """A row of which a person has to say whether it is of an existing student.

    Its number is new, and it resembles existing students who are not in the file: by name, e-mail, or the number
    without its leading zeros. Or its number is of a student whose name is quite another.
    """

    line: int
    student: Student
    existing: list[Student]

    @property
    def has_known_number(self) -> bool:
        return any(student.number_key == self.student.number_key for student in self.existing)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAnswer:
    """What a student has answered, which is later than what is known."""

    line: int
    student: Student
    answer: RosterAnswer
    known: RosterAnswer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeDeparture:
    """More than a tenth of a class is not in the file."""

    course: Course
    leaving: int
    enrolled: int


@dataclass(slots=True, kw_only=True)
class RosterPlan:
    new: list[RowChange] = field(default_factory=list)
    changed: list[RowChange] = field(default_factory=list)
    leaving: list[Enrolment] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    unchanged: int = 0
    answers: list[NewAnswer] = field(default_factory=list)
    # What a person must decide; large departures only where the file is the whole roster.
    undecided: list[DoubtfulRow] = field(default_factory=list)
    large_departures: list[LargeDeparture] = field(default_factory=list)
    # Since when those who join without a day of their own are enrolled, by class.
    starts: dict[Course, date] = field(default_factory=dict)
    # The rows to write.
    students_new: dict[str, Student] = field(default_factory=dict)
    students_changed: dict[str, Student] = field(default_factory=dict)
    enrolments_new: list[Enrolment] = field(default_factory=list)
    enrolments_changed: list[Enrolment] = field(default_factory=list)


def plan_roster(
    table: Table,
    columns: Mapping[str, int],
    course: Course | None = None,
    *,
    start: date | None = None,
    same_people: Mapping[str, int | None] | None = None,
) -> RosterPlan:
    """What importing the table would do. `columns` maps fields to columns; rows without a class belong to `course`.

    Students who join are enrolled from `start`, by default from the first lecture of the term. `same_people` has the id
    of the existing student, or None for somebody else, by the number in the file. Raises UserError if there is no
    column with the student number.
    """
    if "number" not in columns:
        raise UserError("No column is the student number. Choose the one that is.")
    people = {number_key(number): pk for number, pk in (same_people or {}).items()}
    return _Planner(table, columns, course, start, people).plan


def known_answers(students: QuerySet[Student]) -> dict[int, RosterAnswer]:
    """What each of the students has answered, by their ids."""
    answers: dict[int, RosterAnswer] = {}
    found: Any
    for _receiver, found in answers_requested.send(sender=Student, students=students):
        answers |= found
    return answers


class _Planner:
    def __init__(
        self,
        table: Table,
        columns: Mapping[str, int],
        course: Course | None,
        start: date | None,
        same_people: Mapping[str, int | None],
    ) -> None:
        self.plan, self.course, self.today = RosterPlan(), course, timezone.localdate()
        self.classes = {row.code_key: row for row in Course.objects.all()}
        students = list(Student.objects.all())
        self.known = {student.number_key: student for student in students}
        self.by_pk = {student.pk: student for student in students}
        self.numbers = {number_key(select_fields(row, columns)["number"]) for row in table.rows}
        self.are_rounded = are_rounded(self.numbers)
        self.same_people = same_people
        days = [columns[name] for name in ("from", "to", "consent") if name in columns]
        self.month_first = is_month_first(row[index].rpartition(" ")[2] for row in table.rows for index in days)
        self.answers = known_answers(Student.objects.all()) if "consent" in columns else {}
        named = {course.pk} if course else set()
        codes = {match_key(row[columns["class"]]) for row in table.rows} if "class" in columns else set()
        named |= {self.classes[code].pk for code in codes & self.classes.keys()}
        self.starts = dict.fromkeys(named, start) if start else term_starts(named)
        enrolments = Enrolment.objects.filter(course__in=named).select_related("student", "course")
        self.enrolled = {(row.course_id, row.student_id): row for row in enrolments}
        self.seen: dict[tuple[str, int | None], int] = {}
        self.listed: set[tuple[int, int]] = set()
        self.first_values: dict[str, tuple[int, dict[str, str]]] = {}
        for line, row in zip(table.lines, table.rows, strict=True):
            self.add_row(line, select_fields(row, columns))
        self.find_number_changes()
        self.plan.undecided.sort(key=lambda row: row.line)
        prefetch_related_objects([student for row in self.plan.undecided for student in row.existing], "courses")
        self.find_leaving()

    def is_open(self, enrolment: Enrolment) -> bool:
        return enrolment.valid_to is None or enrolment.valid_to >= self.today

    def find_leaving(self) -> None:
        courses = {course for _number, course in self.seen if course}
        enrolled = [
            row
            for row in self.enrolled.values()
            if row.course_id in courses and not row.student.guest and self.is_open(row)
        ]
        leaving = [row for row in enrolled if (row.course_id, row.student_id) not in self.listed]
        self.plan.leaving = sorted(leaving, key=lambda row: (row.course.code, row.student.sort_key))
        for course in sorted({row.course for row in leaving}, key=lambda course: course.code):
            counts = [sum(row.course_id == course.pk for row in rows) for rows in (leaving, enrolled)]
            if counts[0] > LARGE_DEPARTURE_SHARE * counts[1]:
                self.plan.large_departures.append(LargeDeparture(course=course, leaving=counts[0], enrolled=counts[1]))

    def find_number_changes(self) -> None:
        undecided = [key for key in self.plan.students_new if key not in self.same_people]
        if not undecided:
            return
        by_trait: dict[object, list[Student]] = defaultdict(list)
        for student in self.by_pk.values():
            if student.number_key not in self.numbers:
                for trait in find_traits(student):
                    by_trait[trait].append(student)
        for key in undecided:
            student = self.plan.students_new[key]
            existing = {row.pk: row for trait in find_traits(student) for row in by_trait.get(trait, [])}
            if existing:
                line = self.first_values[key][0]
                self.plan.undecided.append(DoubtfulRow(line=line, student=student, existing=list(existing.values())))

    def add_row(self, line: int, values: dict[str, str]) -> None:
        number = values["number"]
        reasons = list(find_damage(values, rounded=self.are_rounded))
        student, changes = self.student(line, number, values, reasons)
        course = self.class_of(values.get("class", ""), reasons)
        key = number_key(number)
        first = self.seen.setdefault((key, course.pk if course else None), line)
        if first != line:
            reasons.append(_("The same student and class are in row %(line)d already. Remove one.") % {"line": first})
        if course and student.pk:
            self.listed.add((course.pk, student.pk))
        enrolment = self.enrolment(student, course, values, changes, reasons) if course else None
        if reasons:
            self.plan.errors.append(RowError(line=line, number=number, name=student.name, reasons=reasons))
            return
        joins = enrolment is not None and enrolment.pk is None
        new_student = student.pk is None and key not in self.plan.students_new
        if student.pk is None:
            student = self.plan.students_new.setdefault(key, student)
        elif any(label in ("number", *ROW_FIELDS) for label, _old, _new in changes):
            self.plan.students_changed[key] = student
        if enrolment is not None:
            enrolment.student = student
            if joins:
                self.plan.enrolments_new.append(enrolment)
            elif any(label in ENROLMENT_FIELDS for label, _old, _new in changes):
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
        key = number_key(number)
        changes: list[tuple[str, str, str]] = []
        student = self.known.get(key) or self.plan.students_new.get(key)
        if student is None and (pk := self.same_people.get(key)) is not None:
            student = self.give_number(pk, number, changes, reasons)
        student = student or Student(number=number)
        values_of_row = {name: values[name] for name in ROW_FIELDS if name in values}
        compared = {**values_of_row, "consent": values.get("consent", "")}
        first, first_values = self.first_values.setdefault(key, (line, compared))
        if compared != first_values:
            reasons.append(
                _("Row %(line)d says something else of the student with this number. Correct one.") % {"line": first}
            )
            return student, []
        changes += [
            (name, getattr(student, name), text)
            for name, text in values_of_row.items()
            if getattr(student, name) != text
        ]
        if first == line and _is_other_person(student, values_of_row):
            if key not in self.same_people:
                listed = Student(number=number, **values_of_row)
                self.plan.undecided.append(DoubtfulRow(line=line, student=listed, existing=[copy(student)]))
            elif self.same_people[key] != student.pk:
                reasons.append(
                    _("%(number)s is the number of %(student)s. Correct it, or say that it is the same person.")
                    % {"number": number, "student": student.name}
                )
        for name, _old, new in changes:
            setattr(student, name, new)
        if first == line and number and (changes or student.pk is None):
            try:
                student.clean_fields()
            except ValidationError as error:
                reasons += _explain(student, error)
        if first == line:
            self.add_answer(line, student, compared["consent"], changes, reasons)
        return student, changes

    def add_answer(
        self, line: int, student: Student, text: str, changes: list[tuple[str, str, str]], reasons: list[str]
    ) -> None:
        try:
            answer = parse_answer(text, self.month_first)
        except ValueError as error:
            reasons.append(str(error))
            return
        known = self.answers.get(student.pk)
        if answer and answer.replaces(known):
            self.plan.answers.append(NewAnswer(line=line, student=student, answer=answer, known=known))
            changes.append(("consent", str(known or ""), str(answer)))

    def give_number(
        self, pk: int, number: str, changes: list[tuple[str, str, str]], reasons: list[str]
    ) -> Student | None:
        """The existing student who has the number of the row from now on."""
        student = self.by_pk.get(pk)
        if student is None or student.number_key in self.numbers:
            reasons.append(_("Nobody without a row of his or her own has the id %(id)d. Choose again.") % {"id": pk})
            return None
        new_number = choose_number(student.number, number)
        if new_number != student.number:
            changes.append(("number", student.number, new_number))
            student.guest = False
        self.known[number_key(number)] = student
        return student

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
                days[name] = parse_day(values.get(name, ""), self.month_first)
            except ValueError as error:
                reasons.append(str(error))
                return None
        enrolment = self.enrolled.get((course.pk, student.pk))
        is_new = enrolment is None
        enrolment = enrolment or Enrolment(course=course, valid_from=self.starts[course.pk])
        was = (enrolment.section, enrolment.valid_from, enrolment.valid_to)
        enrolment.section = values.get("section", enrolment.section)
        if days["from"]:
            enrolment.valid_from = days["from"]
        elif is_new:
            self.plan.starts[course] = enrolment.valid_from
        if "to" in values or not self.is_open(enrolment):
            enrolment.valid_to = days["to"]
        if enrolment.valid_to and enrolment.valid_to < enrolment.valid_from:
            reasons.append(_("The enrolment ends before it starts. Correct one of the two days."))
        try:
            enrolment.clean_fields(exclude=("course", "student"))
        except ValidationError as error:
            reasons += _explain(enrolment, error)
        if not is_new:
            now = (enrolment.section, enrolment.valid_from, enrolment.valid_to)
            for name, old, new in zip(ENROLMENT_FIELDS, was, now, strict=True):
                if old != new:
                    changes.append((name, str(old or ""), str(new or "")))
        return enrolment


def _is_other_person(student: Student, values: Mapping[str, str]) -> bool:
    """Whether a student exists, but a row with this number is of somebody with quite another name."""
    email = match_key(values.get("email", ""))
    is_same_address = bool(email) and email == match_key(student.email)
    return bool(student.pk) and not is_same_address and is_other_name(student.name, values.get("name", ""))


def _explain(row: Student | Enrolment, error: ValidationError) -> list[str]:
    """What is wrong with which field of the row."""
    return [
        f"{row._meta.get_field(name).verbose_name}: {' '.join(sentences)}"  # type: ignore[union-attr]
        for name, sentences in error.message_dict.items()
    ]
