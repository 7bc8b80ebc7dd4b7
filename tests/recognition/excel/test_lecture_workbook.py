import errno
import hashlib
import io
import zipfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.worksheet import Worksheet
from PIL import Image

from recognition.excel import lecture_workbook as workbook
from recognition.excel.lecture_workbook import LectureReport, StudentRow, UnknownRow, write_lecture_workbook
from recognition.excel.tables import clean_text


def picture(value: int = 128) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((150, 150, 3), value, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def lecture(**changes: Any) -> LectureReport:
    report = LectureReport(
        course="CS101 Algorithms",
        lecture="Week 3",
        recording="monday.mp4",
        duration=5400.0,
        started_at=datetime(2026, 11, 2, 9, 0),  # noqa: DTZ001
        embedder="dlib-resnet-v1",
        threshold=0.91,
        margin=0.02,
        coverage=1.0,
        students=(
            StudentRow(
                number="007",
                name="Ada Lovelace",
                status="Present",
                intervals=((0.0, 5400.0),),
                seconds=5400.0,
                share=1.0,
                confidence=0.987,
                source="machine",
                picture=picture(),
                status_code="present",
            ),
            StudentRow(
                number="012",
                name="Alan Turing",
                status="Late",
                intervals=((1200.0, 3000.0), (3600.0, 5400.0)),
                seconds=3600.0,
                share=2 / 3,
                confidence=0.9,
                source="machine",
                picture=picture(60),
            ),
            StudentRow(number="100", name="Grace Hopper", status="Absent"),
            StudentRow(number="101", name="Edsger Dijkstra", status="Excused", source="Dr Knuth"),
        ),
        unknown=(
            UnknownRow(intervals=((60.0, 120.0),), seconds=60.0, pictures=(picture(10), picture(20), picture(30))),
        ),
        details=(("Sampled every", "2 s"),),
        statuses=("Present", "Late", "Absent", "Excused"),
    )
    return replace(report, **changes)


def written(path: Path, report: LectureReport) -> openpyxl.Workbook:
    write_lecture_workbook(path, report)
    return openpyxl.load_workbook(path)


def test_attendance_is_one_line_a_student_below_a_header(tmp_path: Path) -> None:
    path = tmp_path / "report.xlsx"
    write_lecture_workbook(path, lecture())
    table = pd.read_excel(path, sheet_name="Attendance", dtype={"Number": str})
    assert list(table.columns) == [
        "Number", "Name", "Status", "First seen", "Last seen", "Minutes", "Share", "Confidence", "Source", "Picture",
    ]  # fmt: skip
    assert list(table["Number"]) == ["007", "012", "100", "101"]
    assert list(table["Status"]) == ["Present", "Late", "Absent", "Excused"]
    assert table["First seen"][1] == pd.Timestamp("2026-11-02 09:20:00")
    assert table["Last seen"][1] == pd.Timestamp("2026-11-02 10:30:00")
    assert table["Minutes"][1] == 60
    assert table["Share"][1] == pytest.approx(2 / 3)
    assert pd.isna(table["First seen"][2])
    assert list(table["Source"]) == ["machine", "machine", "machine", "Dr Knuth"]


def test_each_face_lies_in_the_row_of_its_student(tmp_path: Path) -> None:
    sheet = written(tmp_path / "report.xlsx", lecture())["Attendance"]
    assert [image.anchor._from.row for image in sheet._images] == [1, 2]
    for image, sent in zip(sheet._images, (picture(), picture(60)), strict=True):
        assert image._data() == sent
        assert image.anchor._from.col == 9
        assert image.anchor.editAs == "twoCell"
        assert sheet.row_dimensions[image.anchor._from.row + 1].height >= workbook.PICTURE_PX * 0.75


def coloured(sheet: Worksheet, row: int) -> list[str]:
    return [
        sheet.cell(1, column).value
        for column in range(3, sheet.max_column + 1)
        if sheet.cell(row, column).fill.fill_type == "solid"
    ]


def test_timeline_colours_when_a_student_was_there(tmp_path: Path) -> None:
    sheet = written(tmp_path / "report.xlsx", lecture())["Timeline"]
    assert [sheet.cell(1, column).value for column in (1, 2, 3, 4, sheet.max_column)] == [
        "Number",
        "Name",
        "09:00",
        "09:01",
        "10:29",
    ]
    assert len(coloured(sheet, 2)) == 90
    assert coloured(sheet, 3)[0] == "09:20"
    assert "09:49" in coloured(sheet, 3)
    assert "09:50" not in coloured(sheet, 3)
    assert coloured(sheet, 4) == []
    assert sheet["C1"].number_format == "General"  # the times can be read
    assert sheet["C2"].number_format == ";;;"  # the marks are hidden behind their colour


@pytest.mark.parametrize("duration", [0.0, 0.5, 40.0, 60.0, 121.0, 5400.0, 4 * 3600.0])
def test_timeline_fits_a_screen_for_every_length(tmp_path: Path, duration: float) -> None:
    students = (
        StudentRow(number="1", name="A", status="Present", intervals=((0.0, duration),), seconds=duration, share=1.0),
    )
    sheet = written(tmp_path / "report.xlsx", lecture(duration=duration, started_at=None, students=students))[
        "Timeline"
    ]
    assert 1 <= sheet.max_column - 2 <= 120
    assert len(coloured(sheet, 2)) == sheet.max_column - 2
    assert sheet.cell(1, 3).value in {"00:00", "0:00:00"}


def test_without_a_clock_times_count_from_the_start_of_the_recording(tmp_path: Path) -> None:
    sheet = written(tmp_path / "report.xlsx", lecture(started_at=None))["Attendance"]
    assert sheet["D3"].number_format == "[h]:mm:ss"
    assert sheet["D3"].value.total_seconds() == pytest.approx(1200)


def test_unknown_people_are_shown_with_their_pictures(tmp_path: Path) -> None:
    sheet = written(tmp_path / "report.xlsx", lecture())["Unknown"]
    assert sheet["A2"].value == "Unknown 1"
    assert sheet["B2"].value == datetime(2026, 11, 2, 9, 1)  # noqa: DTZ001
    assert [image._data() for image in sheet._images] == [picture(10), picture(20), picture(30)]


def test_summary_says_what_was_looked_at_and_counts(tmp_path: Path) -> None:
    sheet = written(tmp_path / "report.xlsx", lecture())["Summary"]
    pairs = {row[0]: row[1] for row in sheet.iter_rows(min_row=2, values_only=True)}
    assert pairs["Class"] == "CS101 Algorithms"
    assert pairs["Recording"] == "monday.mp4"
    assert pairs["Model"] == "dlib-resnet-v1"
    assert pairs["Threshold"] == pytest.approx(0.91)
    assert pairs["Looked at"] == 1
    assert pairs["Sampled every"] == "2 s"
    assert (pairs["On the roster"], pairs["Present"], pairs["Late"], pairs["Absent"], pairs["Excused"]) == (
        4,
        1,
        1,
        1,
        1,
    )
    assert pairs["Unknown people"] == 1


def test_tables_are_ready_to_read(tmp_path: Path) -> None:
    book = written(tmp_path / "report.xlsx", lecture())
    assert book.sheetnames == ["Attendance", "Timeline", "Unknown", "Summary"]
    sheet = book["Attendance"]
    assert sheet.freeze_panes == "C2"
    assert sheet.auto_filter.ref == "A1:J5"
    assert sheet["G2"].number_format == "0%"
    assert sheet["D2"].number_format == "hh:mm:ss"
    assert sheet.column_dimensions["B"].width > len("Edsger Dijkstra")


HOSTILE = [
    '=HYPERLINK("http://evil.example","click")',
    "=1+1",
    "+1",
    "-1+2",
    "@SUM(A1)",
    "#N/A",
    "  =1+1",
    "\t=1",
    "{=1}",
    "a\x00\x1b\x07b",
    "\ud800x",
    "x" * 40000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_never_a_formula(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.xlsx"
    students = (StudentRow(number=text, name=text, status="Present", intervals=((0.0, 1.0),), source=text),)
    write_lecture_workbook(
        path,
        lecture(course=text, lecture=text, recording=text, embedder=text, students=students, details=((text, text),)),
    )
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            assert b"<f>" not in archive.read(name)
    for sheet in openpyxl.load_workbook(path):
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type not in {"f", "e"}
    cell = openpyxl.load_workbook(path)["Attendance"]["B2"]
    assert cell.value == clean_text(text)
    assert cell.quotePrefix == (text.strip()[0] in "=+-@")


@settings(deadline=None)  # pandas writes a workbook each time
@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_every_text_can_be_written(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("text") / "report.xlsx"
    sheet = written(
        path, lecture(course=text, students=(StudentRow(number="1", name=text, status="Absent"),), unknown=())
    )["Attendance"]
    expected = clean_text(text).replace("\r\n", "\n").replace("\r", "\n")
    # openpyxl keeps a CR where lxml is installed.
    assert (sheet["B2"].value or "").replace("\r\n", "\n").replace("\r", "\n") == expected


def test_the_same_report_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_lecture_workbook(tmp_path / "first.xlsx", lecture())
    monkeypatch.setattr("time.localtime", lambda *_: (2031, 1, 1, 0, 0, 0, 0, 1, 0))
    write_lecture_workbook(tmp_path / "second.xlsx", lecture())
    hashes = {hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("first.xlsx", "second.xlsx")}
    assert len(hashes) == 1
    with zipfile.ZipFile(tmp_path / "first.xlsx") as archive:
        assert b"2000-01-01T00:00:00Z" in archive.read("docProps/core.xml")


def test_an_empty_class_still_has_its_headers(tmp_path: Path) -> None:
    path = tmp_path / "report.xlsx"
    write_lecture_workbook(path, lecture(students=(), unknown=()))
    for name in ("Attendance", "Timeline", "Unknown"):
        assert not pd.read_excel(path, sheet_name=name).columns.empty


def test_a_full_disk_leaves_the_old_workbook_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.xlsx"
    write_lecture_workbook(path, lecture())
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "_write_end_record", full)
    with pytest.raises(OSError, match="No space left"):
        write_lecture_workbook(path, lecture(students=()))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
