"""Tables as CSV: for spreadsheets, and in the form that Moodle's attendance imports."""

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence

from django.utils import timezone
from django.utils.translation import gettext as _

from campus.academics.models import Course, Lecture, Student
from campus.attendance.register import Register, lecture_labels
from campus.attendance.statuses import StatusDefinition, status_definitions

FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")


def lecture_csv(lecture: Lecture) -> bytes:
    """One line a student of the lecture."""
    rows = [
        (
            record.student.number,
            record.student.name,
            record.get_status_display(),
            _time_of_day(record.first_seen),
            _time_of_day(record.last_seen),
            f"{record.seconds / 60:.1f}",
            f"{record.share:.2f}",
            f"{record.confidence:.2f}",
            _("a person") if record.override_status else _("machine"),
        )
        for record in lecture.records.select_related("student").order_by("student__name", "student__number")
    ]
    head = (
        _("Number"),
        _("Name"),
        _("Status"),
        _("First seen"),
        _("Last seen"),
        _("Minutes"),
        _("Share"),
        _("Confidence"),
        _("Source"),
    )
    return _encode_for_spreadsheets([head, *rows])


def register_csv(register: Register) -> bytes:
    """One line a student: the letter of each lecture, then points and percentage. Shares are 0..1."""
    used = register.used
    head = [
        _("Number"),
        _("Name"),
        *lecture_labels(register.lectures),
        *(kind.label for kind in used),
        _("Points"),
        _("Of"),
        _("Share"),
    ]
    rows = [
        [
            line.student.number,
            line.student.name,
            *(kind.letter if kind else "" for kind in line.kinds),
            *(str(line.tally.counts.get(kind.code, 0)) for kind in used),
            f"{float(line.tally.points):g}",
            f"{float(line.tally.most):g}",
            "" if line.tally.share is None else f"{line.tally.share:.4f}",
            _("below") if line.below else "",
        ]
        for line in register.lines
    ]
    return _encode_for_spreadsheets([[*head, _("Below %(least)d %%") % {"least": round(100 * register.least)}], *rows])


def moodle_marks(lecture: Lecture) -> bytes:
    """What “Import attendance marks” of a session in Moodle takes."""
    known = status_definitions()
    records = lecture.records.select_related("student").order_by("student__name", "student__number")
    return _marks((record.student, known.get(record.status)) for record in records)


def moodle_zip(register: Register) -> bytes:
    """Moodle takes one file a session, so the class is a zip: the sessions to be made, and the marks of each."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        head = ("course", "groups", "sessiondate", "from", "to", "description")
        archive.writestr(
            "sessions.csv", _encode([head, *(_session(register.course, lecture) for lecture in register.lectures)])
        )
        for n, label in enumerate(lecture_labels(register.lectures)):
            marks = _marks((line.student, line.kinds[n]) for line in register.lines)
            archive.writestr(f"marks_{label.replace(' ', '_').replace(':', '')}.csv", marks)
    return buffer.getvalue()


def _marks(students: Iterable[tuple[Student, StatusDefinition | None]]) -> bytes:
    """Who by the ID number, when scanned (empty, or Moodle would work out the status from it), and the acronym of the status. Whom
    nobody has confirmed yet is left out.
    """
    rows = [(student.number, "", kind.moodle) for student, kind in students if kind and kind.moodle]
    return _encode([("idnumber", "scantime", "status"), *rows])


def _session(course: Course, lecture: Lecture) -> tuple[str, ...]:
    start, end = timezone.localtime(lecture.starts_at), timezone.localtime(lecture.ends_at)
    return (course.code, "", f"{start:%Y-%m-%d}", f"{start:%H:%M}", f"{end:%H:%M}", lecture.title)


def _time_of_day(when: object) -> str:
    return f"{timezone.localtime(when):%H:%M:%S}" if when else ""  # type: ignore[arg-type]


def _encode_for_spreadsheets(rows: Iterable[Sequence[str]]) -> bytes:
    """With the mark that Excel knows UTF-8 by; a text that a spreadsheet would take for a formula begins with an apostrophe."""
    guarded = (["'" + cell if cell.startswith(FORMULA_PREFIXES) else cell for cell in row] for row in rows)
    return "\N{BOM}".encode() + _encode(guarded)


def _encode(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
