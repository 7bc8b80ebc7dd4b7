"""Read the table of a roster from a CSV file or an Excel workbook, as people's programs write them.

Encoding, separator, sheet and the row with the headers are guessed, and the user can change them.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice

from campus.academics.file_contents import GUESSED_FORMAT, MAX_HEADER_ROW, SEPARATORS, Table, TableFormat
from campus.academics.roster_columns import COLUMNS, guess_columns
from campus.academics.roster_workbooks import MAX_COLUMNS, Workbook
from campus.common.csv_cells import unguard_cell
from campus.common.encodings import guess_encoding
from campus.common.errors import UserError
from campus.common.visible_text import remove_invisible
from recognition.messages import Message

MAX_ROWS = 20_000
MAX_CELL_CHARACTERS = 1_000  # more than any field of a student may have
MAX_CHARACTERS = 4_000_000
MAX_DOUBTFUL_TEXTS, MAX_DOUBTFUL_CHARACTERS = 5, 10_000
_OTHER_FILES = {
    b"\xd0\xcf\x11\xe0": Message(
        "This is an old Excel file (.xls), or a workbook that is protected by a password. Save the roster as .xlsx, "
        "without a password."
    ),
    b"%PDF": Message("This is a PDF file. Save the roster as .xlsx or CSV."),
    b"{\\rtf": Message("This is a Rich Text file. Save the roster as .xlsx or CSV."),
    b"\x89PNG": Message("This is a picture. Save the roster as .xlsx or CSV."),
    b"\xff\xd8\xff": Message("This is a picture. Save the roster as .xlsx or CSV."),
}


def read_table(content: bytes, chosen: TableFormat = GUESSED_FORMAT) -> Table:
    """The table of a CSV file or an Excel workbook. Raises UserError."""
    for start, refusal in _OTHER_FILES.items():
        if content.startswith(start):
            raise UserError(refusal)
    if content.startswith(b"PK\x03\x04"):
        return _read_workbook(content, chosen)
    return _read_csv(content, chosen)


def _read_workbook(content: bytes, chosen: TableFormat) -> Table:
    book = Workbook(content)
    sheet = chosen.sheet
    if sheet is None or sheet not in book.sheets:
        sheet = max(book.sheets, key=lambda title: _count_known_columns(islice(book.rows(title), MAX_HEADER_ROW)))
    return _make_table(book.rows(sheet), TableFormat(sheet=sheet, header_row=chosen.header_row), sheets=book.sheets)


def _read_csv(content: bytes, chosen: TableFormat) -> Table:
    encoding = chosen.encoding or _find_encoding(content)
    text, doubtful = _decode(content, encoding)
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        raise UserError("This is neither a CSV file nor an Excel workbook (.xlsx). Save the roster as one of them.")
    if text.lstrip()[:1] == "<":
        raise UserError(
            "This is a web page or an XML file. Open it in your spreadsheet program, and save the roster as .xlsx."
        )
    separator = chosen.separator
    if re.match(rf"sep=[{SEPARATORS}](?:[\r\n]|$)", text, re.IGNORECASE):
        separator = separator or text[4]
        text = text[5:].removeprefix("\r").removeprefix("\n")
    separator = separator or _guess_separator(text)
    return _make_table(
        _parse_csv(text, separator),
        TableFormat(encoding=encoding, separator=separator, header_row=chosen.header_row),
        doubtful="" if chosen.encoding else doubtful[:MAX_DOUBTFUL_CHARACTERS],
    )


def _find_encoding(content: bytes) -> str:
    """From the mark at the start, or what the bytes can be; guessed where they can be more than one."""
    if content.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if content.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if content.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    if b"\x1b$" in content:
        return "iso2022_jp"
    if b"\0" in content:
        # Separators and ends of lines are a byte and a zero.
        return "utf-16-le" if content[1::2].count(0) > content[::2].count(0) else "utf-16-be"
    if _is_utf8(content):
        return "utf-8"
    lines = [line for line in content.splitlines() if not line.isascii()]
    return "utf-8" if 2 * sum(map(_is_utf8, lines)) >= len(lines) else guess_encoding(content)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decode(content: bytes, encoding: str) -> tuple[str, str]:
    """The text, and what of it may be garbled. Lines in another encoding than UTF-8, as they come from files that were
    put together, are guessed.
    """
    if encoding.startswith("utf-16"):
        return content.decode(encoding, errors="replace"), ""
    if encoding != "utf-8":
        text = content.decode(encoding, errors="replace")
        return text, text
    if _is_utf8(content):
        return content.decode(), ""
    lines = content.splitlines(keepends=True)
    others = [line for line in lines if not _is_utf8(line)]
    fallback = guess_encoding(b"".join(others)) if others else encoding
    text = "".join(line.decode(encoding if _is_utf8(line) else fallback, errors="replace") for line in lines)
    return text, b"".join(others).decode(fallback, errors="replace")


def _guess_separator(text: str) -> str:
    """The one that makes a table: with known columns, then with rows of the same length."""

    def rate(separator: str) -> tuple[int, float, int]:
        rows = [row for row in _parse_start(text, separator) if any(row)]
        width, count = Counter(map(len, rows)).most_common(1)[0] if rows else (1, 0)
        return _count_known_columns(rows), count / len(rows) if width > 1 else 0.0, width

    return max(SEPARATORS, key=rate)


def _parse_start(text: str, separator: str) -> Iterator[list[str]]:
    """The first rows, as far as they can be read."""
    lines = io.StringIO("".join(islice(io.StringIO(text, newline=""), 2 * MAX_HEADER_ROW)), newline="")
    try:
        for row in csv.reader(lines, delimiter=separator, strict=True):
            yield row[:MAX_COLUMNS]
    except csv.Error:
        return


def _parse_csv(text: str, separator: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        raise UserError(
            "Line {line} can't be read: quotation marks in or before it are not closed or not doubled, or a cell is "
            "far too long. Correct it, or save the file again as “CSV UTF-8”.",
            line=reader.line_num,
        ) from error


def _count_known_columns(rows: Iterable[list[str]]) -> int:
    return max((len(guess_columns(row)) for row in rows), default=0)


def _guess_header_row(rows: list[list[str]]) -> int:
    """Of the first rows, the one that names most columns that are known; else the first with two cells, or with any. 0
    where that one holds a number or an e-mail address, and so is a student.
    """
    known = [len(guess_columns(row)) for row in rows]
    if any(known):
        return known.index(max(known)) + 1
    filled = [sum(map(bool, row)) for row in rows]
    for least in (2, 1):
        for index, count in enumerate(filled):
            if count >= least:
                return 0 if any(cell.isdecimal() or "@" in cell for cell in rows[index]) else index + 1
    return 1


def _make_table(
    lines: Iterator[list[str]], chosen: TableFormat, *, sheets: list[str] | None = None, doubtful: str = ""
) -> Table:
    cleaned = ([_clean_cell(cell) for cell in line[:MAX_COLUMNS]] if any(line) else [] for line in lines)
    first = list(islice(cleaned, MAX_HEADER_ROW))
    header_row = _guess_header_row(first) if chosen.header_row is None else chosen.header_row
    headers = [cell[:100] for cell in (first[header_row - 1] if 0 < header_row <= len(first) else [])]
    while headers and not headers[-1]:
        headers.pop()
    width = len(headers) if header_row else max(map(len, first), default=0)
    filled: list[tuple[int, list[str]]] = []
    characters = 0
    for number, line in enumerate(chain(first, cleaned), start=1):
        row = line[:width]
        if number <= header_row or not any(row):
            continue
        if len(filled) == MAX_ROWS:
            raise UserError("The file has more than {count} rows. Split it.", count=MAX_ROWS)
        characters += sum(map(len, row))
        if characters > MAX_CHARACTERS:
            raise UserError(
                "The cells have more than {n} million characters. Keep only the columns of the roster.",
                n=MAX_CHARACTERS // 10**6,
            )
        filled.append((number, row + [""] * (width - len(row))))
    # Printouts repeat the headers on each page.
    lines_and_rows = [(number, row) for number, row in filled if row != headers]
    if not lines_and_rows:
        raise UserError(
            "There are no rows in the file. Its first row should name the columns: {columns}.",
            columns=", ".join(COLUMNS),
        )
    numbers, rows = zip(*lines_and_rows, strict=True)
    foreign = dict.fromkeys(cell for row in rows for cell in row if not cell.isascii()) if doubtful else {}
    return Table(
        headers=headers or [str(number) for number in range(1, width + 1)],
        rows=list(rows),
        lines=list(numbers),
        format=replace(chosen, header_row=header_row),
        sheets=sheets or [],
        doubtful_texts=list(islice((cell for cell in foreign if cell in doubtful), MAX_DOUBTFUL_TEXTS)),
    )


def _clean_cell(text: str) -> str:
    """The text of a cell, without what keeps a spreadsheet program from changing it: '0815 and ="0815" are 0815.

    What is far too long for a student is cut off: it still is too long, and the import says so.
    """
    text = remove_invisible(text[:MAX_CELL_CHARACTERS].encode(errors="replace").decode())
    if kept := re.fullmatch(r'="([^"]*)"', text):
        return kept[1]
    return text[1:] if text[:1] == "'" and text[1:2].isdigit() else unguard_cell(text)
