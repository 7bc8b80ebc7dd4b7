"""Tables in an Excel workbook.

The same rows always give the same bytes: nothing of the moment of writing goes into the file. Text from outside stays
text: it never becomes a formula, an error value or a broken file.
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
# What a heading is in the reader's language; `str` leaves it English.
Translate = Callable[[str], str]

# By status code.
STATUS_COLOURS = {
    "present": "C6EFCE",
    "late": "FFEB9C",
    "left_early": "FCE4D6",
    "to_confirm": "E4DFEC",
    "excused": "DDEBF7",
    "absent": "FFC7CE",
}
GENERAL_FORMAT = "General"  # how Excel calls a value as it comes
EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001  (Excel knows no time zones)
# What XML cannot hold: control characters, half of a surrogate pair, two non-characters.
ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
CELL_LIMIT = 32767


def open_workbook(buffer: io.BytesIO) -> "ExcelWriter":
    """A workbook to write tables into. Pandas takes 30 MB, and most processes never write one."""
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
    """A sheet with a filtered header in its first row, columns as wide as their text. The header stays in view, and so
    do the `fixed` first columns."""
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
            cell.number_format = formats.get(column, "General")
        longest = max(len(str(cell.value)) for cell in cells if isinstance(cell.value, str))
        sheet.column_dimensions[cells[0].column_letter].width = min(max(longest + 4, 10), 60)
    for cell in sheet[1]:
        cell.font = Font(name="Calibri", bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", start_color="1F3864")
    sheet.freeze_panes = sheet.cell(2, fixed + 1).coordinate
    sheet.auto_filter.ref = sheet.dimensions
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = "1:1"
    return sheet


def add_summary(writer: "ExcelWriter", rows: Iterable[tuple[str, Value, str]], translate: Translate) -> None:
    """The sheet Summary: what, its value, and the format that Excel shows it in."""
    rows = list(rows)
    sheet = add_table(
        writer, translate("Summary"), [translate("What"), translate("Value")], [row[:2] for row in rows], {}
    )
    for cell, (_what, _value, format) in zip(sheet["B"][1:], rows, strict=True):
        cell.alignment = Alignment(horizontal="left", vertical="center", wrap_text=True)
        cell.number_format = format


def clean_text(text: str) -> str:
    """Text as a cell can hold it: without characters that XML forbids, cut to Excel's limit."""
    return ILLEGAL.sub("", text)[:CELL_LIMIT]


def _as_text(cell: Cell) -> None:
    """openpyxl takes "=..." for a formula and "#N/A" for an error; quotePrefix keeps it text when somebody edits the
    cell."""
    if isinstance(cell.value, str):
        cell.data_type = "s"
        cell.quotePrefix = cell.value.lstrip()[:1] in {"=", "+", "-", "@"}


def fill_cell(cell: Cell, colour: str | None) -> None:
    if colour:
        cell.fill = PatternFill("solid", start_color=colour)


def save_workbook(path: Path, buffer: io.BytesIO, title: str) -> None:
    """Write the workbook beside `path` without the times that openpyxl and zip put into it, then rename it into
    place."""
    properties = DocumentProperties(creator="Rollcall", title=clean_text(title), created=EPOCH, modified=EPOCH)
    with atomic_write(path) as beside, zipfile.ZipFile(buffer) as source, zipfile.ZipFile(beside, "w") as target:
        for name in source.namelist():
            content = tostring(properties.to_tree()) if name == "docProps/core.xml" else source.read(name)
            target.writestr(zipfile.ZipInfo(name, EPOCH.timetuple()[:6]), content, zipfile.ZIP_DEFLATED)
