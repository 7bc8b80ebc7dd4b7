"""Read and write rosters as CSV or Excel tables. A row is a student in a class, or a student without one.

Programs name the columns differently: the field of a column is guessed from its header, and the user can change it.
"""

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from campus.academics.models import Student
from campus.common.errors import UserError

# What is written, and read back the same.
COLUMNS = ("number", "name", "email", "guardian_phone", "class", "from", "to")
# What a column may be, and how it is called elsewhere, in the form that `_key` gives.
FIELDS = {
    "number": gettext_lazy("student number"),
    "name": gettext_lazy("name"),
    "first_name": gettext_lazy("first name"),
    "last_name": gettext_lazy("last name"),
    "email": gettext_lazy("e-mail"),
    "guardian_phone": gettext_lazy("guardian's phone"),
    "class": gettext_lazy("class (its code)"),
    "from": gettext_lazy("enrolled from"),
    "to": gettext_lazy("enrolled to"),
}
ALIASES = {
    "number": "student number, student id, id number, id, reg no, registration number, matriculation number, "
    "matrikelnummer, matrikelnr",
    "name": "full name, student, student name, vollständiger name",
    "first_name": "first name, firstname, given name, vorname",
    "last_name": "last name, lastname, surname, family name, nachname, familienname",
    "email": "e mail, mail, email address, e mail address, e mail adresse",
    "guardian_phone": "guardian s phone, guardian phone, parent s phone, phone, telefon",
    "class": "class code, course, course code, code, group, kurs, klasse, lehrveranstaltung",
    "from": "enrolled from, start, start date, von, ab",
    "to": "enrolled to, until, end, end date, bis",
}
MAX_BYTES = 10 * 1024 * 1024
MAX_ROWS = 20_000
MAX_COLUMNS = 50
MAX_UNPACKED_BYTES = 200 * 1024 * 1024
DAY_FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y")
# A spreadsheet program takes a cell that starts so for a formula; in CSV an apostrophe before it keeps it text.
FORMULA_START = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Table:
    """Texts as people read them; `lines` are the rows' numbers in the file, from 1 for the headers. Empty rows are left
    out.
    """

    headers: list[str]
    rows: list[list[str]]
    lines: list[int]


def cell_text(value: object) -> str:
    """A cell as people read it: 12345.0 is 12345, no break spaces are spaces, nothing is the empty string."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, datetime):
        value = value.date()
    text = unicodedata.normalize("NFC", str(value)).replace("\u00a0", " ").replace("\0", "").strip()
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA_START else text


def parse_day(text: str) -> date | None:
    """A date in one of DAY_FORMATS; None for empty text. Raises ValueError with a message for the user."""
    for day_format in DAY_FORMATS:
        try:
            return datetime.strptime(text, day_format).date()  # noqa: DTZ007
        except ValueError:
            continue
    if text:
        raise ValueError(_("“%(text)s” is not a date. Write dates like 2026-09-30.") % {"text": text})
    return None


def _key(header: str) -> str:
    return " ".join(re.findall(r"\w+", header.replace("_", " ").casefold()))


def guess_columns(headers: Iterable[str]) -> dict[str, int]:
    """Field → the column that it most likely is, where one is."""
    names = {_key(name): field for field, aliases in ALIASES.items() for name in (field, *aliases.split(", "))}
    found: dict[str, int] = {}
    for index, header in enumerate(headers):
        if field := names.get(_key(header)):
            found.setdefault(field, index)
    return found


def read_table(content: bytes) -> Table:
    """The table of a CSV file or an Excel workbook. Raises UserError."""
    if len(content) > MAX_BYTES:
        raise UserError("The file is larger than {size} MB. Split it.", size=MAX_BYTES // 1024**2)
    lines = _workbook_lines(content) if content[:2] == b"PK" else _csv_lines(content)
    headers = [cell_text(cell)[:100] for cell in next(lines, [])][:MAX_COLUMNS]
    while headers and not headers[-1]:
        headers.pop()
    table = Table(headers, [], [])
    for number, line in enumerate(lines, start=2):
        row = [cell_text(cell) for cell in line][: len(headers)]
        if not any(row):
            continue
        if len(table.rows) == MAX_ROWS:
            raise UserError("The file has more than {count} rows. Split it.", count=MAX_ROWS)
        table.rows.append(row + [""] * (len(headers) - len(row)))
        table.lines.append(number)
    if not table.rows:
        raise UserError(
            "There are no rows in the file. Its first row should name the columns: {columns}.",
            columns=", ".join(COLUMNS),
        )
    return table


def _csv_lines(content: bytes) -> Iterator[list[str]]:
    """CSV as people's programs write it: comma, semicolon or tab; UTF-8 with or without mark, UTF-16, or Windows'
    own.
    """
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    if "\0" in text:
        raise UserError("This is neither a CSV file nor an Excel workbook (.xlsx). Save the roster as one of them.")
    first = text.partition("\n")[0]
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    except csv.Error as error:
        raise UserError("The CSV file can't be read: {error}. Save it again as “CSV UTF-8”.", error=error) from error


def _workbook_lines(content: bytes) -> Iterator[Iterable[object]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(part.file_size for part in archive.infolist()) > MAX_UNPACKED_BYTES:
                raise UserError("Unpacked, the workbook is too large. Keep only the roster in it.")
        sheet = load_workbook(io.BytesIO(content), read_only=True, data_only=True).worksheets[0]
        yield from sheet.iter_rows(max_col=MAX_COLUMNS, max_row=2 * MAX_ROWS, values_only=True)
    except UserError:
        raise
    except Exception as error:
        raise UserError("This is no Excel workbook, or it is damaged. Save it again as .xlsx.") from error


def roster_rows(students: QuerySet[Student], course: int | None = None) -> Iterator[list[str]]:
    """The headers, then a row for each enrolment of these students (of one class where one is given), and for who has
    none.
    """
    yield list(COLUMNS)
    for student in students.prefetch_related("enrolments__course"):
        about = [student.number, student.name, student.email, student.guardian_phone]
        enrolments = [row for row in student.enrolments.all() if course in (None, row.course_id)]
        for row in enrolments:
            yield [*about, row.course.code, str(row.valid_from), str(row.valid_to or "")]
        if not enrolments:
            yield [*about, "", "", ""]


def write_csv(rows: Iterable[list[str]]) -> bytes:
    content = io.StringIO(newline="")
    csv.writer(content).writerows(
        [[f"'{cell}" if cell.startswith(FORMULA_START) else cell for cell in row] for row in rows]
    )
    return content.getvalue().encode("utf-8-sig")


def write_workbook(rows: Iterable[list[str]]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Roster")
    sheet.freeze_panes = "A2"
    for row in rows:
        cells = []
        for value in row:
            cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("\ufffd", value))
            cell.data_type = "s"  # text is never a formula
            cell.number_format = "@"
            cells.append(cell)
        sheet.append(cells)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def select_fields(row: list[str], columns: Mapping[str, int]) -> dict[str, str]:
    """Field → text of a row, of the columns that were chosen; first and last name are put together."""
    values = {field: row[index] for field, index in columns.items() if index < len(row)}
    parts = [values.pop(part) for part in ("first_name", "last_name") if part in values]
    if parts and "name" not in values:
        values["name"] = " ".join(part for part in parts if part)
    return values
