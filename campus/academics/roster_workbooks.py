"""Read the sheets of an Excel workbook as texts, as people see them."""

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from openpyxl import load_workbook

from campus.common.errors import UserError
from recognition.messages import Message

MAX_UNPACKED_BYTES = 64 * 1024 * 1024
MAX_TAGS = 4_000_000  # of XML, each of which takes time: 20,000 rows and 20 columns of texts are 3.2 million
CHUNK_BYTES = 1024 * 1024
MAX_SHEETS = 50
MAX_SHEET_ROWS = 1_048_576  # of Excel
MAX_COLUMNS = 50
MAX_FORMAT_LENGTH = 255  # of Excel
_MAX_EXACT_NUMBER = 10**15  # spreadsheets keep 15 digits of a number and turn the others into zeros
_OTHER_FILES = {
    "mimetype": Message("This is an OpenDocument file. Save the roster as .xlsx."),
    "word/document.xml": Message("This is a Word document. Save the roster as .xlsx."),
    "ppt/presentation.xml": Message("This is a PowerPoint file. Save the roster as .xlsx."),
    "xl/workbook.bin": Message("This is a binary Excel workbook (.xlsb). Save the roster as .xlsx."),
    "Index/Document.iwa": Message("This is a file of Apple Numbers. Save the roster as .xlsx."),
}
_FORMAT_PART = re.compile(r'"([^"]*)"|\\(.)|\[[^\]]*\]|[_*].|(.)', re.DOTALL)


class Workbook:
    """An Excel workbook, opened for reading. Raises UserError where it is none."""

    def __init__(self, content: bytes) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                names = set(archive.namelist())
                if sum(part.file_size for part in archive.infolist()) > MAX_UNPACKED_BYTES or _has_many_tags(archive):
                    raise UserError("Unpacked, the workbook is too large. Keep only the roster in it.")
                book = archive.read("xl/workbook.xml") if "xl/workbook.xml" in names else b""
            if b"http://purl.oclc.org/ooxml/" in book:
                raise UserError("This workbook is of the kind “Strict Open XML”. Save it as an ordinary .xlsx.")
            for name, refusal in _OTHER_FILES.items():
                if name in names:
                    raise UserError(refusal)
            sheets = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            visible = [sheet for sheet in sheets.worksheets if sheet.sheet_state == "visible"]
            self._sheets = {sheet.title: sheet for sheet in (visible or sheets.worksheets)[:MAX_SHEETS]}
            active = sheets.active
        except (UserError, MemoryError):
            raise
        except Exception as error:
            raise _unreadable() from error
        if not self._sheets:
            raise _unreadable()
        self.sheets = sorted(self._sheets, key=lambda title: active is None or title != active.title)

    def rows(self, title: str) -> Iterator[list[str]]:
        """The rows of a sheet, empty ones included."""
        missing: Any = None
        texts: list[str] = []
        try:
            for row in self._sheets[title].iter_rows(max_col=MAX_COLUMNS, max_row=MAX_SHEET_ROWS):
                if row is not missing:
                    texts = [_cell_text(cell) for cell in row]
                    if not any(texts):
                        missing, texts = row, []  # what stands for each of a million rows that are not in the file
                yield texts
        except MemoryError:
            raise
        except Exception as error:
            raise _unreadable() from error


def _has_many_tags(archive: zipfile.ZipFile) -> bool:
    """Whether the parts that are read have more than MAX_TAGS."""
    count = 0
    for part in archive.infolist():
        if part.filename.startswith("xl/") and part.filename.endswith(".xml"):
            with archive.open(part) as content:
                while chunk := content.read(CHUNK_BYTES):
                    count += chunk.count(b"<")
                    if count > MAX_TAGS:
                        return True
    return False


def _unreadable() -> UserError:
    return UserError("This is no Excel workbook, or it is damaged. Save it again as .xlsx.")


def _cell_text(cell: Any) -> str:
    """A cell as the sheet shows it: 12345.0 is 12345, and 1234 in the format 0000000 is 0001234.

    A number that may have been rounded is written with an exponent, like 1.23456789012346E+16.
    """
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, datetime):
        return str(value.date())
    if isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) >= _MAX_EXACT_NUMBER:
            return f"{value:.14E}"
        if value == int(value):
            return format_integer(int(value), cell.number_format)
    return str(value)


def format_integer(value: int, number_format: str) -> str:
    """An integer in a spreadsheet's number format. Formats other than digits between literal texts are ignored."""
    if len(number_format) > MAX_FORMAT_LENGTH or re.search(r"\[[<>=]", number_format):
        return str(value)
    shown: list[str] = []
    placeholders: list[int] = []
    for quoted, escaped, char in _FORMAT_PART.findall(number_format.partition(";")[0]):
        if char in ("0", "#", "?"):
            placeholders.append(len(shown))
            shown.append(char)
        elif char and char not in " -/()":
            return str(value)
        else:
            shown.append(quoted or escaped or char)
    if "0" not in (shown[index] for index in placeholders) or value < 0:
        return str(value)
    digits = list(str(value))
    for index in reversed(placeholders[1:]):
        shown[index] = digits.pop() if digits else shown[index].strip("#?")
    first = placeholders[0]
    shown[first] = "".join(digits) or shown[first].strip("#?")
    return "".join(shown)
