"""Files made to keep a reader busy end within their limits, with a sentence, and nothing of them reaches a page."""

import io
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from campus.academics.file_contents import (
    READERS,
    CalendarEntry,
    CalendarRequest,
    Table,
    TableFormat,
    TableRequest,
)
from recognition.errors import RecognitionError, RecordingOutOfLimits
from tests.campus.academics.calendars import ics, single
from tests.campus.academics.rosters import workbook

NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
FIRST_ROWS = "".join(
    f'<row r="{number}"><c t="inlineStr"><is><t>{text}</t></is></c></row>' for number, text in ((1, "number"), (2, "1"))
)


def with_parts(**parts: str) -> bytes:
    """A workbook, parts of which are replaced."""
    content = io.BytesIO()
    names = {"sheet": "xl/worksheets/sheet1.xml", "book": "xl/workbook.xml"}
    replaced = {names[name]: text for name, text in parts.items()}
    with (
        zipfile.ZipFile(io.BytesIO(workbook(["number"], ["1"]))) as old,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for name in old.namelist():
            new.writestr(name, replaced.get(name) or old.read(name))
    return content.getvalue()


def sheet(rows: str) -> str:
    return f"<worksheet {NAMESPACE}><sheetData>{rows}</sheetData></worksheet>"


MARKS = "e" + "\u0301\u0323" * 15_000
TABLES: dict[str, tuple[Callable[[], bytes], str]] = {
    "5 million names": (lambda: with_parts(book=f"<workbook>{'<n/>' * 5_000_000}</workbook>"), "too large"),
    "a row of a million cells": (lambda: b"number" + b",1" * 1_000_000, "no rows"),
    "a million rows": (lambda: b"number\n" + b"1\n" * 1_000_000, "more than 20000 rows"),
    "long texts": (lambda: b"number,name\n" + (b"1," + b"x" * 1_000 + b"\n") * 5_000, "more than 4 million"),
}
READABLE: dict[str, Callable[[], bytes]] = {
    "a format down to the last row": lambda: with_parts(sheet=sheet(FIRST_ROWS + '<row r="1048576"/>')),
    "a sheet that says it is full": lambda: with_parts(
        sheet=sheet(FIRST_ROWS).replace("<sheetData>", '<dimension ref="A1:XFD1048576"/><sheetData>')
    ),
    "thousands of marks on a letter": lambda: workbook(["number", "name"], ["1", MARKS]),
    "half of a character": lambda: with_parts(sheet=sheet(FIRST_ROWS.replace(">1<", ">_xD800_1<"))),
}
CALENDARS: dict[str, Callable[[], bytes]] = {
    "ten thousand days left out": lambda: ics(
        [
            *single("a", "20990101T000000Z", "RRULE:FREQ=DAILY;COUNT=9"),
            "EXDATE:" + ",".join(f"2098{n % 12 + 1:02}{n % 28 + 1:02}T{n % 24:02}{n % 60:02}00Z" for n in range(9_999)),
        ]
    ),
    "parameters": lambda: ics(single("a", "20990101T000000Z", "SUMMARY" + ";X=1" * 30_000 + ":x")),
    "quotation marks": lambda: ics(single("a", "20990101T000000Z", 'SUMMARY;X="' + '"' * 500_000 + ":x")),
    "backslashes": lambda: ics(single("a", "20990101T000000Z", "SUMMARY:" + "\\" * 500_000)),
}


def read_table(path: Path, **limits: Any) -> Table:
    return READERS.read_value(TableRequest(path=str(path), format=TableFormat(), **limits), Table)


def read_calendar(path: Path, **limits: Any) -> list[CalendarEntry]:
    request = CalendarRequest(path=str(path), until=date(2099, 12, 31), zone="Europe/Berlin", **limits)
    return READERS.read_value(request, list[CalendarEntry])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "upload"


@pytest.mark.parametrize(("make", "sentence"), TABLES.values(), ids=TABLES.keys())
def test_a_table_that_takes_too_much_is_refused(make: Callable[[], bytes], sentence: str, path: Path) -> None:
    path.write_bytes(make())
    with pytest.raises(RecognitionError, match=sentence):
        read_table(path)


@pytest.mark.parametrize("make", READABLE.values(), ids=READABLE.keys())
def test_a_table_that_only_looks_large_is_read(make: Callable[[], bytes], path: Path) -> None:
    path.write_bytes(make())
    assert len(read_table(path).rows) == 1


@pytest.mark.parametrize("make", CALENDARS.values(), ids=CALENDARS.keys())
def test_a_calendar_of_strange_lines_is_read(make: Callable[[], bytes], path: Path) -> None:
    path.write_bytes(make())
    assert {event.uid[0] for event in read_calendar(path)} == {"a"}


def test_whatever_else_takes_too_much_time_or_memory_is_stopped(path: Path) -> None:
    never = [f"RRULE:FREQ=YEARLY;COUNT={n + 9};BYMONTH=2;BYMONTHDAY=30" for n in range(10)]
    path.write_bytes(ics(single("a", "20990101T000000Z", *never)))
    with pytest.raises(RecordingOutOfLimits, match="more memory or time"):
        read_calendar(path, seconds=1)
    path.write_bytes(b"number\n" + b"1" * 9_000_000)
    with pytest.raises(RecordingOutOfLimits, match="more memory or time"):
        read_table(path, max_bytes=16 * 2**20)
