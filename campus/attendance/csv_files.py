"""Tables as CSV: for spreadsheets, and as Moodle's attendance activity imports them."""

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence

from django.utils import timezone
from django.utils.translation import gettext as _

from campus.academics.models import Course, Lecture, Student
from campus.academics.selectors import student_sections
from campus.attendance.register import Register, lecture_labels
from campus.attendance.roll import lecture_roll, status_sources
from campus.attendance.statuses import StatusDefinition, status_definitions
from campus.common.csv_cells import guard_cell


def lecture_csv(lecture: Lecture) -> bytes:
    """The lecture, one line a student."""
    roll = lecture_roll(lecture)
    sources = status_sources(lecture, roll)
    sections = student_sections(lecture.course)
    rows = [
        (
            record.student.number,
            record.student.name,
            *([sections.get(record.student_id, "")] if sections else []),
            record.get_status_display(),
            _time_of_day(record.first_seen),
            _time_of_day(record.last_seen),
            f"{record.seconds / 60:.1f}" if record.machine_status else "",
            f"{record.share:.2f}" if record.machine_status else "",
            "" if record.override_status or not record.confidence else f"{record.confidence:.2f}",
            sources[record.student_id],
        )
        for record in roll
    ]
    header = (
        _("Number"),
        _("Name"),
        *([_("Section")] if sections else []),
        _("Status"),
        _("First seen"),
        _("Last seen"),
        _("Minutes"),
        _("Share"),
        _("Confidence"),
        _("Source"),
    )
    return _encode_for_spreadsheets([header, *rows])


def register_csv(register: Register) -> bytes:
    """The register, one line a student: the letter of each lecture, then points and share (0..1)."""
    used = register.used_statuses
    header = [
        _("Number"),
        _("Name"),
        *([_("Section")] if register.has_sections else []),
        *lecture_labels(register.lectures),
        *(status.label for status in used),
        _("Points"),
        _("Of"),
        _("Share"),
    ]
    rows = [
        [
            row.student.number,
            row.student.name,
            *([row.section] if register.has_sections else []),
            *(status.letter if status else "" for status in row.statuses),
            *(str(row.tally.counts.get(status.code, 0)) for status in used),
            f"{float(row.tally.points):g}",
            f"{float(row.tally.max_points):g}",
            "" if row.tally.share is None else f"{row.tally.share:.3f}",
            _("below") if row.is_below else "",
        ]
        for row in register.rows
    ]
    return _encode_for_spreadsheets(
        [[*header, _("Below %(required)d %%") % {"required": round(100 * register.required_share)}], *rows]
    )


def moodle_marks(lecture: Lecture) -> bytes:
    """The file for “Import attendance marks” of a session in Moodle."""
    definitions = status_definitions()
    records = lecture.records.select_related("student").order_by("student__sort_key", "student__number_key")
    return _marks((record.student, definitions.get(record.status)) for record in records)


def moodle_zip(register: Register) -> bytes:
    """A zip for a class, since Moodle takes one file a session: the sessions to create, and the marks of each."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        header = ("course", "groups", "sessiondate", "from", "to", "description")
        archive.writestr(
            "sessions.csv", _encode([header, *(_session(register.course, lecture) for lecture in register.lectures)])
        )
        for n, label in enumerate(lecture_labels(register.lectures)):
            face_positions = _marks((row.student, row.statuses[n]) for row in register.rows)
            archive.writestr(f"marks_{label.replace(' ', '_').replace(':', '')}.csv", face_positions)
    return buffer.getvalue()


def _marks(students: Iterable[tuple[Student, StatusDefinition | None]]) -> bytes:
    """The columns are the ID number, the scan time and the acronym of the status.

    The scan time is empty: with one, Moodle would work out the status from it. Students with an open status are left
    out.
    """
    rows = [
        (guard_cell(student.number), "", status.moodle_acronym)
        for student, status in students
        if status and status.moodle_acronym
    ]
    return _encode([("idnumber", "scantime", "status"), *rows])


def _session(course: Course, lecture: Lecture) -> tuple[str, ...]:
    start, end = timezone.localtime(lecture.starts_at), timezone.localtime(lecture.ends_at)
    day, first, last = f"{start:%Y-%m-%d}", f"{start:%H:%M}", f"{end:%H:%M}"
    return (guard_cell(course.code), "", day, first, last, guard_cell(lecture.title))


def _time_of_day(when: object) -> str:
    return f"{timezone.localtime(when):%H:%M:%S}" if when else ""  # type: ignore[arg-type]


def _encode_for_spreadsheets(rows: Iterable[Sequence[str]]) -> bytes:
    """With the byte order mark by which Excel recognises UTF-8."""
    return "\N{BOM}".encode() + _encode([guard_cell(cell) for cell in row] for row in rows)


def _encode(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
