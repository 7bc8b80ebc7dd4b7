"""Tables as people's programs write them: read as people see them, or refused with the true reason."""

from collections.abc import Sequence
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from campus.academics.file_contents import TableFormat
from campus.academics.roster_columns import guess_columns, is_month_first, parse_day
from campus.academics.roster_files import read_table
from campus.academics.roster_workbooks import format_integer
from campus.common.errors import UserError


def workbook(*sheets: tuple[str, Sequence[Sequence[object]]]) -> Workbook:
    book = Workbook()
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    return book


def save(book: Workbook) -> bytes:
    content = BytesIO()
    book.save(content)
    return content.getvalue()


ROSTER = (["number", "name"], ["1001", "Ann Lee"])


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1250", ["Łukasz Wójcik", "Tomáš Dvořák"]),
        ("iso8859_2", ["Małgorzata Żak", "Tomáš Dvořák"]),
        ("cp852", ["Łukasz Wójcik", "Tomáš Dvořák"]),
        ("cp1251", ["Иванов Сергей", "Щукина Ольга"]),
        ("koi8_r", ["Иванов Сергей", "Щукина Ольга"]),
        ("cp866", ["Иванов Сергей", "Щукина Ольга"]),
        ("cp1252", ["José García", "Zoë Åberg", "François Lefèvre"]),
        ("cp1253", ["Γιώργος Παπαδόπουλος", "Άννα Νικολάου"]),
        ("cp1254", ["Şule Y\u0131ld\u0131z"]),
        ("cp1255", ["משה כהן", "רחל לוי"]),
        ("cp1256", ["محمد علي", "فاطمة حسن"]),
        ("cp1257", ["Jānis Bērziņš", "Žydrūnas"]),
        ("cp874", ["สมชาย ใจดี", "วิชัย"]),
        ("gb18030", ["王小明"]),
        ("big5", ["陳大文", "林志玲"]),
        ("cp932", ["山田太郎"]),
        ("euc_jp", ["山田太郎", "佐藤花子"]),
        ("cp949", ["김철수", "이영희"]),
        ("mac_roman", ["José García", "Jürgen Groß"]),
        ("cp850", ["José García", "Jürgen Groß"]),
    ],
)
def test_csv_in_an_encoding_of_a_country_is_guessed_and_to_be_checked(encoding: str, names: list[str]) -> None:
    content = "number;name\r\n" + "".join(f"{number};{name}\r\n" for number, name in enumerate(names))
    table = read_table(content.encode(encoding))
    assert [row[1] for row in table.rows] == names
    assert table.doubtful_texts == names
    assert table.format.encoding == encoding
    chosen = read_table(content.encode(encoding), TableFormat(encoding=encoding))
    assert [row[1] for row in chosen.rows] == names
    assert chosen.doubtful_texts == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_is_sure_with_and_without_a_mark(encoding: str) -> None:
    table = read_table("number,name\r\n1001,Zoë\r\n1002,山田太郎\r\n".encode(encoding))
    assert table.rows == [["1001", "Zoë"], ["1002", "山田太郎"]]
    assert table.doubtful_texts == []


def test_lines_of_another_encoding_among_utf8_are_read_and_shown() -> None:
    table = read_table("number,name\r\n1001,Zoë Åberg\r\n1002,山田太郎\r\n".encode() + b"1003,Jos\xe9\r\n")
    assert [row[1] for row in table.rows] == ["Zoë Åberg", "山田太郎", "José"]
    assert table.doubtful_texts == ["José"]


def test_what_the_chosen_encoding_does_not_have_is_marked() -> None:
    assert "\ufffd" in read_table(b"number,name\n1,Jos\x81\n", TableFormat(encoding="cp1252")).rows[0][1]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("sep=;\r\nnumber;name\r\n1001;Ann Lee\r\n", 2),
        ("number|name\n1001|Ann Lee\n", 2),
        ("number\tname\n1001\tAnn Lee\n", 2),
        ("\r\nnumber,name\r\n1001,Ann Lee\r\n", 3),
        ("Course list CS101,\r\nPrinted 27.11.2026,\r\n,\r\nnumber,name\r\n1001,Ann Lee\r\n", 5),
        ('"number","name"\r\n"1001","Ann Lee"\r\n', 2),
        ("number,name\r1001,Ann Lee\r", 2),
    ],
)
def test_separator_and_row_of_headers_are_found(content: str, line: int) -> None:
    table = read_table(content.encode())
    assert (table.headers, table.rows, table.lines) == (["number", "name"], [["1001", "Ann Lee"]], [line])


@pytest.mark.parametrize("cell", ["'001001", '="001001"', '"=""001001"""', " 001001\u00a0"])
def test_what_keeps_a_spreadsheet_program_from_changing_a_number_is_no_part_of_it(cell: str) -> None:
    assert read_table(f"number,name\n{cell},Ann Lee\n".encode()).rows == [["001001", "Ann Lee"]]


def test_headers_that_are_repeated_on_each_page_are_no_students() -> None:
    table = read_table(b"number,name\n1001,Ann Lee\nnumber,name\n1002,Bob Roe\n")
    assert ([row[0] for row in table.rows], table.lines) == (["1001", "1002"], [2, 4])


def test_japanese_of_e_mails_is_read() -> None:
    assert read_table("number,name\n1,山田太郎\n".encode("iso2022_jp")).rows == [["1", "山田太郎"]]


def test_headers_of_other_languages_are_known() -> None:
    table = read_table("Liste des étudiants\nMatricule;Nom;Prénom\n1001;Lee;Ann\n".encode())
    assert guess_columns(table.headers) == {"number": 0, "surname": 1, "first_name": 2}


def test_other_separators_within_quotes_are_text() -> None:
    table = read_table(b'"number","name, first; last; middle; title"\r\n1001,"Lee, Ann"\r\n')
    assert table.rows == [["1001", "Lee, Ann"]]


def test_a_csv_file_may_begin_with_pk() -> None:
    assert read_table(b"PK;number;name\r\n7;1001;Ann Lee\r\n").rows == [["7", "1001", "Ann Lee"]]


def test_a_file_without_headers_loses_no_student() -> None:
    table = read_table(b"1001;Ann Lee\n1002;Bob Roe\n")
    assert (table.headers, len(table.rows), table.lines) == (["1", "2"], 2, [1, 2])


def test_format_can_be_chosen() -> None:
    content = b"a|b,number\n1|2,3\n4|5,6\n"
    assert read_table(content).headers == ["a|b", "number"]
    assert read_table(content, TableFormat(separator="|")).headers == ["a", "b,number"]
    assert read_table(content, TableFormat(header_row=2)).rows == [["4|5", "6"]]


def test_an_unclosed_quotation_mark_does_not_swallow_rows() -> None:
    with pytest.raises(UserError, match="Line 3"):
        read_table(b'number,name\n1001,"Ann Lee\n1002,Bob Roe\n')


def test_the_sheet_with_the_roster_is_read() -> None:
    notes, lists = (["Fill in the sheet Students."],), (["Yes"], ["No"])
    book = workbook(("Read me", notes), ("Students", ROSTER), ("Lists", lists))
    book["Lists"].sheet_state = "hidden"
    table = read_table(save(book))
    assert table.rows == [["1001", "Ann Lee"]]
    assert (table.format.sheet, sorted(table.sheets)) == ("Students", ["Read me", "Students"])
    assert read_table(save(book), TableFormat(sheet="Students")).rows == table.rows


def test_of_two_rosters_the_active_sheet_is_read() -> None:
    book = workbook(("A", ROSTER), ("B", (["number", "name"], ["1002", "Bob Roe"])))
    book.active = 1
    assert read_table(save(book)).rows == [["1002", "Bob Roe"]]


def test_a_title_above_the_headers_of_a_workbook() -> None:
    table = read_table(save(workbook(("S", (["Course list CS101"], [], *ROSTER)))))
    assert (table.headers, table.rows, table.lines) == (["number", "name"], [["1001", "Ann Lee"]], [4])


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        (1234, "0000000", "0001234"),
        (71, '"S"0000', "S0071"),
        (1234, "000-000", "001-234"),
        (1234, "General", "1234"),
        (1234, "#,##0", "1234"),
        (1234.0, "0", "1234"),
        (999_999_999_999_999, "General", "999999999999999"),
        (12345678901234567, "General", "1.23456789012346E+16"),
        ("1234", "0000000", "1234"),
        (1234, "[<5000]000-000;0", "1234"),
    ],
)
def test_numbers_are_what_the_sheet_shows(value: object, number_format: str, shown: str) -> None:
    book = workbook(("S", (["number"], [value])))
    book["S"]["A2"].number_format = number_format
    assert read_table(save(book)).rows == [[shown]]


@given(st.integers(0, 10**15), st.integers(1, 20))
def test_zeros_of_a_format_are_leading_zeros(value: int, digits: int) -> None:
    assert format_integer(value, "0" * digits) == str(value).zfill(digits)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<html><table><tr><td>1</td></tr></table></html>", "web page"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><Workbook/>', "XML"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel file"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04 no workbook", "no Excel workbook"),
        (b"MZ\x00\x00", "neither a CSV file nor an Excel workbook"),
        (b"\r\n\r\n", "no rows"),
    ],
)
def test_other_files_are_named_by_what_they_are(content: bytes, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        read_table(content)


def test_dates_with_slashes_are_read_by_the_rest_of_the_column() -> None:
    assert is_month_first(["09/10/2026", "12/15/2026"]) is True
    assert is_month_first(["09/10/2026", "31/12/2026"]) is False
    assert is_month_first(["09/10/2026", "2026-01-31"]) is None
    assert str(parse_day("09/10/2026", True)) == "2026-09-10"
    assert str(parse_day("09/10/2026", False)) == "2026-10-09"
    assert str(parse_day("05/05/2026")) == "2026-05-05"
    with pytest.raises(ValueError, match="two days"):
        parse_day("09/10/2026")
