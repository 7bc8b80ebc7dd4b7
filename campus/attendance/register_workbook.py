"""The register as an Excel workbook."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from campus.attendance.register import Register, Tally, lecture_labels
from campus.attendance.statuses import StatusDefinition
from recognition.excel.tables import (
    GENERAL_FORMAT,
    STATUS_COLOURS,
    Value,
    add_summary,
    add_table,
    fill_cell,
    open_workbook,
    save_workbook,
)

if TYPE_CHECKING:
    from pandas import ExcelWriter


def write_register(path: Path, register: Register) -> None:
    """Write the sheets Register and Summary. Replaces `path` as a whole.

    Raises OSError when the disk is full or the folder cannot be written; `path` is then as it was before.
    """
    buffer = io.BytesIO()
    with open_workbook(buffer) as writer:
        _register(writer, register)
        add_summary(
            writer,
            [
                (_("Class"), str(register.course), GENERAL_FORMAT),
                (_("Lectures"), len(register.lectures), GENERAL_FORMAT),
                (_("Students"), len(register.lines), GENERAL_FORMAT),
                (_("Asked for"), register.least, "0%"),
                (_("Below"), register.below, GENERAL_FORMAT),
                *((kind.letter, _meaning(kind), GENERAL_FORMAT) for kind in register.kinds),
            ],
            _,
        )
    save_workbook(path, buffer, str(register.course))


def _meaning(kind: StatusDefinition) -> str:
    if not kind.counts:
        return _("%(status)s: does not count") % {"status": kind.label}
    return _("%(status)s: %(points)s points") % {"status": kind.label, "points": f"{float(kind.points):g}"}


def _sums(tally: Tally, used: tuple[StatusDefinition, ...], below: str | None) -> list[Value]:
    counts = (tally.counts.get(kind.code, 0) for kind in used)
    return [tally.share, below, float(tally.points), float(tally.most), tally.counted, *counts]


def _register(writer: "ExcelWriter", register: Register) -> None:
    labels = lecture_labels(register.lectures)
    used = register.used
    share, below = _("Percentage"), _("Below %(share)s") % {"share": f"{register.least:.0%}"}
    sums = [share, below, _("Points"), _("Of"), _("Lectures that count"), *(kind.label for kind in used)]
    rows: list[list[Value]] = []
    for line in register.lines:
        letters = [kind.letter if kind else None for kind in line.kinds]
        rows.append(
            [
                line.student.number,
                line.student.name,
                *letters,
                *_sums(line.tally, used, _("yes") if line.below else None),
            ]
        )
    rows.append(
        [None, _("Attended"), *(column.attended for column in register.columns), *_sums(register.total, used, None)]
    )

    formats = {share: "0%", _("Points"): "0.##", _("Of"): "0.##"}
    sheet = add_table(writer, _("Register"), [_("Number"), _("Name"), *labels, *sums], rows, formats, fixed=2)
    for column in range(3, 3 + len(labels)):
        sheet.column_dimensions[get_column_letter(column)].width = 5
        for row in range(2, sheet.max_row + 1):
            sheet.cell(row, column).alignment = Alignment(horizontal="center")
        sheet.cell(1, column).alignment = Alignment(text_rotation=90, vertical="bottom", horizontal="center")
    sheet.row_dimensions[1].height = 115
    share_column = 3 + len(labels)
    for row, line in enumerate(register.lines, start=2):
        for column, kind in enumerate(line.kinds, start=3):
            fill_cell(sheet.cell(row, column), STATUS_COLOURS[kind.like] if kind else None)
        if line.below:
            fill_cell(sheet.cell(row, share_column), STATUS_COLOURS["absent"])
    for cell in sheet[sheet.max_row]:
        cell.font = Font(name="Calibri", bold=True)
    # The totals are no student: sorting and filtering leave them where they are.
    sheet.auto_filter.ref = f"A1:{get_column_letter(sheet.max_column)}{sheet.max_row - 1}"
