"""The register as an Excel workbook."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext as _
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from campus.accounts.institution import institution_name
from campus.attendance.register import Register, RegisterRow, Tally, lecture_labels
from campus.attendance.statuses import StatusDefinition
from recognition.excel.tables import (
    GENERAL_FORMAT,
    STATUS_COLOURS,
    Value,
    add_summary,
    add_table,
    fill_cell,
    finish_workbook,
    open_workbook,
)
from recognition.files import atomic_write

if TYPE_CHECKING:
    from pandas import ExcelWriter


def write_register(path: Path, register: Register) -> None:
    """Write the workbook of the register. Replaces `path` as a whole.

    Raises OSError when the disk is full or the folder cannot be written; `path` is then as it was before.
    """
    with atomic_write(path) as beside:
        beside.write_bytes(register_workbook(register))


def register_workbook(register: Register) -> bytes:
    """The register as a workbook, with the sheets Register, Students and Summary."""
    buffer = io.BytesIO()
    with open_workbook(buffer) as writer:
        _add_register(writer, register)
        _add_students(writer, register)
        add_summary(
            writer,
            [
                (_("Institution"), institution_name(), GENERAL_FORMAT),
                (_("Class"), str(register.course), GENERAL_FORMAT),
                (_("Lectures"), len(register.lectures), GENERAL_FORMAT),
                (_("Students"), len(register.rows), GENERAL_FORMAT),
                (_("Required attendance"), register.required_share, "0%"),
                (_("Below"), register.below_count, GENERAL_FORMAT),
                *((status.letter, _describe(status), GENERAL_FORMAT) for status in register.statuses),
            ],
            _,
        )
    return finish_workbook(buffer, str(register.course))


def _describe(status: StatusDefinition) -> str:
    if not status.is_counted:
        return _("%(status)s: does not count") % {"status": status.label}
    return _("%(status)s: %(points)s points") % {"status": status.label, "points": f"{float(status.points):g}"}


def _tally_cells(tally: Tally, used: tuple[StatusDefinition, ...], below: str | None) -> list[Value]:
    counts = (tally.counts.get(status.code, 0) for status in used)
    return [tally.share, below, float(tally.points), float(tally.max_points), tally.counted_lectures, *counts]


def _identity_columns(register: Register) -> list[str]:
    return [_("Number"), _("Name"), *([_("Section")] if register.has_sections else [])]


def _identity(register: Register, row: RegisterRow) -> list[Value]:
    return [row.student.number, row.student.name, *([row.section] if register.has_sections else [])]


def _add_register(writer: "ExcelWriter", register: Register) -> None:
    labels = lecture_labels(register.lectures)
    used = register.used_statuses
    share, below = _("Percentage"), _("Below %(share)s") % {"share": f"{register.required_share:.0%}"}
    sums = [share, below, _("Points"), _("Of"), _("Lectures that count"), *(status.label for status in used)]
    rows: list[list[Value]] = []
    for student_row in register.rows:
        letters = [status.letter if status else None for status in student_row.statuses]
        cells = _tally_cells(student_row.tally, used, _("yes") if student_row.is_below else None)
        rows.append([*_identity(register, student_row), *letters, *cells])
    about = _identity_columns(register)
    attended = (tally.attended_lectures for tally in register.lecture_tallies)
    rows.append([None, _("Attended"), *[None] * (len(about) - 2), *attended, *_tally_cells(register.total, used, None)])

    formats = {share: "0%", _("Points"): "0.##", _("Of"): "0.##"}
    sheet = add_table(writer, _("Register"), [*about, *labels, *sums], rows, formats, fixed=len(about))
    first = len(about) + 1
    for column in range(first, first + len(labels)):
        sheet.column_dimensions[get_column_letter(column)].width = 5
        for row in range(2, sheet.max_row + 1):
            sheet.cell(row, column).alignment = Alignment(horizontal="center")
        sheet.cell(1, column).alignment = Alignment(text_rotation=90, vertical="bottom", horizontal="center")
    sheet.row_dimensions[1].height = 115
    share_column = first + len(labels)
    for row, student_row in enumerate(register.rows, start=2):
        for column, status in enumerate(student_row.statuses, start=first):
            fill_cell(sheet.cell(row, column), STATUS_COLOURS[status.meaning] if status else None)
        if student_row.is_below:
            fill_cell(sheet.cell(row, share_column), STATUS_COLOURS["absent"])
    for cell in sheet[sheet.max_row]:
        cell.font = Font(name="Calibri", bold=True)
    # The filter leaves the totals out, so that sorting does not move them among the students.
    sheet.auto_filter.ref = f"A1:{get_column_letter(sheet.max_column)}{sheet.max_row - 1}"


def _add_students(writer: "ExcelWriter", register: Register) -> None:
    """What a registrar is asked about each student: whether and when the student last attended."""
    rows: list[list[Value]] = [
        [
            *_identity(register, row),
            row.tally.attended_lectures,
            sum(row.tally.counts.values()),
            row.tally.share,
            None if row.last_attended else _("yes"),
            row.last_attended and f"{timezone.localtime(row.last_attended):%Y-%m-%d}",
        ]
        for row in register.rows
    ]
    share = _("Percentage")
    about = _identity_columns(register)
    names = [*about, _("Attended"), _("Lectures"), share, _("Never attended"), _("Last attended")]
    add_table(writer, _("Students"), names, rows, {share: "0%"}, fixed=len(about))
