"""Tables in an Excel workbook.

The same rows always give the same bytes: the time of writing does not go into the file. Text from outside stays text:
it never becomes a formula or an error value, and never breaks the file.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from openpyxl.cell.cell import Cell
from openpyxl.packaging.core import DocumentProperties
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.xml.functions import tostring

from recognition.files import atomic_write

if TYPE_CHECKING:
    from pandas import ExcelWriter

Value = str | float | datetime | None
# A heading in the reader's language; `str` leaves it in English.
Translate = Callable[[str], str]

# Those of the pages in daylight; statuses by their codes.
HEADER_COLOUR = "9333EA"
STATUS_COLOURS = {
    "present": "DCFCE7",
    "late": "FFEDD5",
    "left_early": "FFEDD5",
    "to_confirm": "F3E8FF",
    "not_recognisable": "F1F3F6",
    "excused": "DBEAFE",
    "absent": "FEE2E2",
}
GENERAL_FORMAT = "General"  # Excel's own choice
WRITTEN_AT = datetime(2000, 1, 1)  # noqa: DTZ001  (Excel knows no time zones)
# Control characters, halves of surrogate pairs, and two non-characters.
ILLEGAL_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
MAX_CELL_CHARACTERS = 32767


def open_workbook(buffer: io.BytesIO) -> "ExcelWriter":
    """A workbook to write tables into."""
    # Pandas takes 30 MB of memory, and most processes never write a workbook.
    from pandas import ExcelWriter

    return ExcelWriter(buffer, engine="openpyxl")


def add_table(
    writer: "ExcelWriter",
    name: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Value]],
    formats: dict[str, str],
    fixed: int = 0,
) -> Worksheet:
    """Add a sheet with a table.

    `formats` are Excel's number formats by column. The first row is the header, with filters. It stays in view, and so
    do the first `fixed` columns. Columns are as wide as their text.
    """
    from pandas import DataFrame

    frame = DataFrame(
        [[clean_text(value) if isinstance(value, str) else value for value in row] for row in rows],
        columns=[clean_text(column) for column in columns],
        dtype=object,
    )
    frame.to_excel(writer, sheet_name=name, index=False)
    sheet: Worksheet = writer.sheets[name]
    for column, cells in zip(columns, sheet.iter_cols(), strict=True):
        for cell in cells:
            _as_text(cell)
            cell.alignment = Alignment(vertical="center")
        for cell in cells[1:]:
            cell.number_format = formats.get(column, GENERAL_FORMAT)
        longest = max(len(str(cell.value)) for cell in cells if isinstance(cell.value, str))
        sheet.column_dimensions[cells[0].column_letter].width = min(max(longest + 4, 10), 60)
    for cell in sheet[1]:
        cell.font = Font(name="Calibri", bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", start_color=HEADER_COLOUR)
    sheet.freeze_panes = sheet.cell(2, fixed + 1).coordinate
    sheet.auto_filter.ref = sheet.dimensions
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = "1:1"
    return sheet


def add_summary(writer: "ExcelWriter", rows: Iterable[tuple[str, Value, str]], translate: Translate) -> None:
    """Add the sheet Summary. Each row is a label, its value, and the value's number format."""
    rows = list(rows)
    sheet = add_table(
        writer, translate("Summary"), [translate("What"), translate("Value")], [row[:2] for row in rows], {}
    )
    for cell, (_label, _value, number_format) in zip(sheet["B"][1:], rows, strict=True):
        cell.alignment = Alignment(horizontal="left", vertical="center", wrap_text=True)
        cell.number_format = number_format


def clean_text(text: str) -> str:
    """Text as a cell can hold it: without characters that XML forbids, cut to Excel's limit."""
    return ILLEGAL_IN_XML.sub("", text)[:MAX_CELL_CHARACTERS]


def _as_text(cell: Cell) -> None:
    """Keep text as text: openpyxl takes "=..." for a formula and "#N/A" for an error.

    quotePrefix keeps it when somebody edits the cell.
    """
    if isinstance(cell.value, str):
        cell.data_type = "s"
        cell.quotePrefix = cell.value.lstrip()[:1] in {"=", "+", "-", "@"}


def fill_cell(cell: Cell, colour: str | None) -> None:
    if colour:
        cell.fill = PatternFill("solid", start_color=colour)


def save_workbook(path: Path, buffer: io.BytesIO, title: str) -> None:
    """Write the workbook, whole or not at all. Raises OSError."""
    with atomic_write(path) as beside:
        beside.write_bytes(finish_workbook(buffer, title))


def finish_workbook(buffer: io.BytesIO, title: str) -> bytes:
    """The workbook without the times that openpyxl and zip put into it."""
    title = clean_text(title)
    properties = DocumentProperties(creator="Rollcall", title=title, created=WRITTEN_AT, modified=WRITTEN_AT)
    finished = io.BytesIO()
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(finished, "w") as target:
        for name in source.namelist():
            content = tostring(properties.to_tree()) if name == "docProps/core.xml" else source.read(name)
            target.writestr(zipfile.ZipInfo(name, WRITTEN_AT.timetuple()[:6]), content, zipfile.ZIP_DEFLATED)
    return finished.getvalue()
