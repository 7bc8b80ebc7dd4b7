"""Rosters: any file becomes a table that can be planned and imported, or is refused with a sentence."""

import zipfile
from datetime import date, datetime
from io import BytesIO

import pytest
from django.db import transaction
from hypothesis import strategies as st
from openpyxl import Workbook

from campus.academics.file_contents import SEPARATORS, TableFormat
from campus.academics.roster_columns import guess_columns
from campus.academics.roster_files import read_table
from campus.academics.roster_import import import_roster
from campus.academics.roster_plan import plan_roster
from campus.academics.roster_workbooks import format_integer
from campus.common.encodings import ENCODINGS
from campus.common.errors import UserError
from tests.campus import factories
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.mutations import case_files, mutated, mutated_parts

pytestmark = pytest.mark.django_db

ROWS = [
    ["number", "name", "email", "class", "from", "to"],
    ["0001", "Zoë Åberg", "zoe@example.org", "CS101", "2026-09-30", ""],
    ["S-2", "Łukasz Wójcik", "", "", "30.09.2026", "31.12.2026"],
    ["3", "Иванов Сергей", "", "CS 999", "09/10/2026", ""],
    ["4", "山田太郎", "no address", "", "", ""],
    ['="005"', "김철수", "", "", "", ""],
    ["1.23457E+11", "O’Connor; Ann, “the third”", "", "", "", ""],  # noqa: RUF001
]


def _csv(separator: str, encoding: str) -> bytes:
    lines = (separator.join(f'"{cell}"' if separator in cell else cell for cell in row) for row in ROWS)
    return "\r\n".join(lines).encode(encoding, errors="replace")


def _workbook() -> bytes:
    book = Workbook()
    for row in ROWS:
        book.active.append(row)
    book.active.append([1234, True, 0.1, date(2026, 9, 30), datetime(2026, 9, 30, 12, 0), "=1+1"])  # noqa: DTZ001
    book.active["A8"].number_format = '"S"000-000'
    book.active.merge_cells("B9:D12")
    book.create_sheet("Lists").sheet_state = "hidden"
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def _open_document() -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", "<office:spreadsheet/>")
    return content.getvalue()


CASES = case_files("rosters")
WORKBOOKS = [_workbook(), *(case for case in CASES if case.startswith(b"PK\x03\x04"))]
TEXTS = [_csv(separator, "utf-8") for separator in SEPARATORS]
TEXTS += [_csv(";", encoding) for encoding in (*ENCODINGS, "utf-8-sig", "utf-16")]
TEXTS += [case for case in CASES if not case.startswith(b"PK\x03\x04")]
OLD_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
TEXT_TOKENS = [
    *(b'"', b'""', b",", b";", b"\t", b"|", b"\r", b"\n", b"\r\n", b"\0", b"'", b'="', b"sep=;\n", b"\x1b$B"),
    *(b"\xff\xfe", b"\xef\xbb\xbf", "\u200b\u200e\ufeff".encode(), b"1E400", b"9" * 400, b"<", b"number", b"name"),
    *(b"0001", b"CS101", b"31/31/2026", b"0000-00-00", b"\xed\xa0\x80", "\u0664\u0665".encode(), "\U0001d7d8".encode()),
]
SHEET_TOKENS = [
    *(b'<row r="1048576">', b'<row r="99999999999">', b'<row r="-1">', b'r="ZZZ99"', b'r="A0"', b'r="XFD1048576"'),
    *(b't="s"', b't="b"', b't="d"', b't="e"', b't="inlineStr"', b't="n"', b's="0"', b's="99999"', b's="-1"'),
    *(b"<v>1e308</v>", b"<v>-1</v>", b"<v>nan</v>", b"<v>inf</v>", b"<v>2026-09-30T25:00</v>", b"<v>1e-400</v>"),
    *(b'ref="A1:XFD1048576"', b"<f>1+1</f>", b'state="hidden"', b"<c>", b"</c>", b"</row>", b"<row>", b"<t>x</t>"),
    *(b'formatCode="[$-409]d/m/yy"', b"&#0;", b"&lt;", b'<!DOCTYPE x [<!ENTITY a "aa">]>', b"&a;", b"<si><t/></si>"),
    *(b"xl/worksheets/sheet1.xml", b"../../etc/passwd", b'TargetMode="External"', b'encoding="utf-7"', b"\0"),
]

CONTENT = st.one_of(
    st.binary(max_size=300),
    mutated(TEXTS, TEXT_TOKENS),
    mutated_parts(WORKBOOKS, SHEET_TOKENS),
    mutated([*WORKBOOKS, _open_document(), OLD_WORKBOOK]),
)
FORMAT = st.fixed_dictionaries(
    {},
    optional={
        "encoding": st.sampled_from(list(ENCODINGS)),
        "separator": st.sampled_from(SEPARATORS),
        "sheet": st.sampled_from(["Sheet", "Lists", "Students", ""]),
        "header_row": st.integers(0, 40),
    },
)


@pytest.fixture(autouse=True)
def roster() -> None:
    """Students whom the rows may mean."""
    course = factories.course(code="CS101")
    for number, name in (("1", "Zoë Åberg"), ("S2", "Łukasz Wójcik"), ("9", "Anna")):
        factories.enrol(course, factories.student(number=number, name=name))


@fuzz(content=CONTENT, chosen=FORMAT, same_person=st.booleans())
def test_a_table_is_read_and_imported(content: bytes, chosen: dict, same_person: bool) -> None:
    try:
        table = read_table(content, TableFormat(**chosen))
    except UserError:
        return
    assert table.rows
    assert {len(row) for row in table.rows} == {len(table.headers)}
    assert len(table.lines) == len(table.rows)
    columns = {"number": 0} | guess_columns(table.headers)
    plan = plan_roster(table, columns)
    decided = {found.student.number: found.existing[0].pk if same_person else None for found in plan.undecided}
    with transaction.atomic():
        try:
            import_roster(table=table, columns=columns, same_people=decided, complete=True, accept_departures=True)
        except UserError:
            pass
        else:
            again = plan_roster(table, columns, same_people=decided)
            changes = again.new + again.changed
            assert not changes, "importing it again changes nothing"
        transaction.set_rollback(True)


@fuzz(
    value=st.integers(-(10**16), 10**16), number_format=st.text('0#?,.;[]"\\_* -/()<>=AEe+%@', max_size=20) | st.text()
)
def test_a_number_keeps_its_digits_in_any_format(value: int, number_format: str) -> None:
    shown = format_integer(value, number_format)
    assert value == 0 or [char for char in shown if char in str(value)], shown
