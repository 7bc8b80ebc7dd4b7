"""The audit log for people: what to search for, its lines, and the file."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from django import forms
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campus.academics.models import Course, Lecture, Student
from campus.attendance.register import in_days
from campus.audit.models import Action, AuditEntry
from campus.common.csv_cells import guard_cell
from campus.common.keys import match_key
from campus.web.term_forms import TermForm

# Fixed, whatever the language: other programs go by these names.
COLUMNS: Final = (
    *("number", "time", "actor_id", "by", "role", "action"),
    *("student_id", "lecture_id", "course_id", "about", "previous_hash", "hash"),
)
ROWS_PER_PART: Final = 500


class AuditLogForm(TermForm):
    """What to search the log for. An entry about a lecture is one about its class, too."""

    who = forms.CharField(label=gettext_lazy("By"), required=False, max_length=100)
    action = forms.ChoiceField(
        label=gettext_lazy("Action"), required=False, choices=[("", gettext_lazy("All")), *Action.choices]
    )
    course = forms.CharField(label=gettext_lazy("Class code"), required=False, max_length=50)
    student = forms.CharField(label=gettext_lazy("Student number"), required=False, max_length=50)
    field_order = ("who", "action", "course", "student", "since", "until")

    def clean_course(self) -> list[int]:
        return self._find("course", Course.objects.all(), "code_key", _("There is no class with this code."))

    def clean_student(self) -> list[int]:
        return self._find("student", Student.objects.all(), "number_key", _("There is no student with this number."))

    def _find(self, field: str, rows: QuerySet[Any], column: str, missing: str) -> list[int]:
        typed = self.cleaned_data[field]
        found = list(rows.filter(**{column: match_key(typed)}).values_list("pk", flat=True)) if typed else []
        if typed and not found:
            raise forms.ValidationError(missing)
        return found

    def filter(self, entries: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        """Those of the entries that were asked for; all if the form is invalid."""
        if not self.is_valid():
            return entries
        asked = self.cleaned_data
        if asked["who"]:
            entries = entries.filter(actor_name__icontains=asked["who"])
        if asked["action"]:
            entries = entries.filter(action=asked["action"])
        if asked["student"]:
            entries = entries.filter(student_id__in=asked["student"])
        if asked["course"]:
            lectures = Lecture.objects.filter(course__in=asked["course"])
            entries = entries.filter(Q(course_id__in=asked["course"]) | Q(lecture_id__in=lectures.values("pk")))
        return entries.filter(in_days(**self.term, field="at"))


def build_lines(entries: Iterable[AuditEntry]) -> list[dict[str, Any]]:
    """The entries with links to what they are about, as it is called now; what is gone has only its row's id."""
    entries = list(entries)
    students = Student.objects.in_bulk({entry.student_id for entry in entries if entry.student_id})
    courses = Course.objects.in_bulk({entry.course_id for entry in entries if entry.course_id})
    lectures = Lecture.objects.select_related("course").in_bulk(
        {entry.lecture_id for entry in entries if entry.lecture_id}
    )
    return [
        {
            "entry": entry,
            "subjects": [
                *_subject(_("student"), "student", entry.student_id, students, lambda student: student.name),
                *_subject(_("lecture"), "lecture", entry.lecture_id, lectures, _describe_lecture),
                *_subject(_("class"), "course", None if entry.lecture_id else entry.course_id, courses, _code),
            ],
        }
        for entry in entries
    ]


def _subject(word: str, page: str, key: int | None, rows: Mapping[int, Any], name: Any) -> Iterator[tuple[str, str]]:
    """What to write and where it leads, if anywhere."""
    if key:
        row = rows.get(key)
        yield (name(row), reverse(page, args=[key])) if row else (f"{word} {key}", "")


def _describe_lecture(lecture: Lecture) -> str:
    return f"{lecture.course.code}, {date_format(localtime(lecture.starts_at))}"


def _code(course: Course) -> str:
    return course.code


def write_entries(entries: QuerySet[AuditEntry]) -> Iterator[bytes]:
    """The entries as CSV in parts, as they are stored: by ids, without anybody's name but the actor's."""
    yield "\N{BOM}".encode() + _encode([COLUMNS])
    rows = (
        (
            *(_text(entry.sequence), entry.at.isoformat()),
            *(_text(entry.actor_id), entry.actor_name, entry.actor_role, entry.action),
            *(_text(entry.student_id), _text(entry.lecture_id), _text(entry.course_id)),
            *(entry.about, entry.previous_hash, entry.hash),
        )
        for entry in entries.iterator(chunk_size=ROWS_PER_PART)
    )
    while part := list(islice(rows, ROWS_PER_PART)):
        yield _encode(part)


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def _encode(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(map(guard_cell, row) for row in rows)
    return text.getvalue().encode()
