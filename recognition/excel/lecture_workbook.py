"""The Excel workbook of one recording: who was there."""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from openpyxl.drawing.image import Image
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
from openpyxl.styles import Alignment
from openpyxl.utils import get_column_letter
from openpyxl.utils.units import pixels_to_EMU
from openpyxl.worksheet.worksheet import Worksheet

from recognition.excel.tables import (
    GENERAL_FORMAT,
    STATUS_COLOURS,
    Translate,
    Value,
    add_summary,
    add_table,
    fill_cell,
    open_workbook,
    save_workbook,
)
from recognition.types import Interval

if TYPE_CHECKING:
    from pandas import ExcelWriter

STILL = "E7E6E6"

PICTURE_PX = 72
TIMELINE_COLUMNS = 120
STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentRow:
    """One student in one recording. `intervals` are in seconds of the recording, `share` and `confidence` in 0..1.

    `status` is what people read, `status_code` a key of STATUS_COLOURS; `source` says who decided it, `picture` is the
    best look as JPEG or PNG bytes.
    """

    number: str
    name: str
    status: str
    intervals: tuple[Interval, ...] = ()
    seconds: float = 0.0
    share: float = 0.0
    confidence: float = 0.0
    source: str = "machine"
    picture: bytes | None = None
    status_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownRow:
    """Somebody on no roster: when, in seconds of the recording, and at most three pictures. `is_static`: no living
    person, but a portrait, a poster or a screen."""

    intervals: tuple[Interval, ...]
    seconds: float
    pictures: tuple[bytes, ...] = ()
    is_static: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LectureReport:
    """What one recording says of a lecture.

    `duration` is in seconds (0 for a photo). `started_at` is the local time, without zone, of the recording's first
    frame; times are shown from 0:00:00 where it is None. `coverage` is the share of the recording that could be looked
    at (0..1). `details` are further lines of the summary, `statuses` what it
    counts.
    """

    course: str
    lecture: str
    recording: str
    duration: float
    started_at: datetime | None
    embedder: str
    threshold: float | None
    margin: float | None
    coverage: float
    students: tuple[StudentRow, ...]
    unknown: tuple[UnknownRow, ...] = ()
    details: tuple[tuple[str, str], ...] = ()
    statuses: tuple[str, ...] = ("Present", "To be confirmed", "Absent")


def write_lecture_workbook(path: Path, report: LectureReport, translate: Translate = str) -> None:
    """Write the workbook of one recording: sheets Attendance, Timeline, Unknown and Summary. Replaces `path` as a
    whole.

    `translate` is for headings and the sheets' names. Raises OSError when the disk is full or the folder cannot be
    written; `path` is then as it was before.
    """
    buffer = io.BytesIO()
    with open_workbook(buffer) as writer:
        _attendance(writer, report, translate)
        _timeline(writer, report, translate)
        _unknown(writer, report, translate)
        counts = Counter(student.status for student in report.students)
        add_summary(
            writer,
            [
                (translate("Class"), report.course, GENERAL_FORMAT),
                (translate("Lecture"), report.lecture, GENERAL_FORMAT),
                (translate("Recording"), report.recording, GENERAL_FORMAT),
                (
                    translate("Recording starts"),
                    report.started_at and f"{report.started_at:%Y-%m-%d %H:%M:%S}",
                    GENERAL_FORMAT,
                ),
                (translate("Length in minutes"), round(report.duration / 60, 1), "0.0"),
                (translate("Looked at"), report.coverage, "0%"),
                (translate("Model"), report.embedder, GENERAL_FORMAT),
                (translate("Threshold"), report.threshold, "0.000"),
                (translate("Margin"), report.margin, "0.000"),
                *((what, value, GENERAL_FORMAT) for what, value in report.details),
                (translate("On the roster"), len(report.students), GENERAL_FORMAT),
                *((status, counts[status], GENERAL_FORMAT) for status in report.statuses),
                (translate("Unknown people"), sum(not person.is_static for person in report.unknown), GENERAL_FORMAT),
                (
                    translate("Still faces, not counted"),
                    sum(person.is_static for person in report.unknown),
                    GENERAL_FORMAT,
                ),
            ],
            translate,
        )
    save_workbook(path, buffer, report.course)


def _attendance(writer: "ExcelWriter", report: LectureReport, translate: Translate) -> None:
    clock = _clock_format(report)
    formats = {
        translate("Number"): GENERAL_FORMAT,
        translate("Name"): GENERAL_FORMAT,
        translate("Status"): GENERAL_FORMAT,
        translate("First seen"): clock,
        translate("Last seen"): clock,
        translate("Minutes"): "0.0",
        translate("Share"): "0%",
        translate("Confidence"): "0%",
        translate("Source"): GENERAL_FORMAT,
        translate("Picture"): GENERAL_FORMAT,
    }
    rows = [
        [
            student.number,
            student.name,
            student.status,
            *_first_and_last(report, student.intervals),
            student.seconds / 60,
            student.share,
            student.confidence or None,
            student.source,
            None,
        ]
        for student in report.students
    ]
    sheet = add_table(writer, translate("Attendance"), list(formats), rows, formats, fixed=2)
    sheet.column_dimensions[get_column_letter(len(formats))].width = PICTURE_PX / 7 + 2
    for row, student in enumerate(report.students, start=2):
        fill_cell(sheet.cell(row, 3), STATUS_COLOURS.get(student.status_code))
        if student.picture:
            _picture(sheet, row, len(formats), student.picture)


def _timeline(writer: "ExcelWriter", report: LectureReport, translate: Translate) -> None:
    step = next((step for step in STEPS if report.duration <= step * TIMELINE_COLUMNS), STEPS[-1])
    edges = [index * step for index in range(max(1, -int(-report.duration // step)))]
    labels = [_label(report, edge, step) for edge in edges]
    seen = [
        [1 if _overlaps(student.intervals, edge, edge + step) else None for edge in edges]
        for student in report.students
    ]
    rows = [[student.number, student.name, *marks] for student, marks in zip(report.students, seen, strict=True)]
    # The 1 is there for formulas and filters; the format hides it behind the colour.
    sheet = add_table(
        writer,
        translate("Timeline"),
        [translate("Number"), translate("Name"), *labels],
        rows,
        dict.fromkeys(labels, ";;;"),
        fixed=2,
    )
    for column in range(3, 3 + len(edges)):
        sheet.column_dimensions[get_column_letter(column)].width = 2.6
        sheet.cell(1, column).alignment = Alignment(text_rotation=90, vertical="bottom", horizontal="center")
    sheet.row_dimensions[1].height = 52
    for row, marks in enumerate(seen, start=2):
        for column, mark in enumerate(marks, start=3):
            fill_cell(sheet.cell(row, column), "5B9BD5" if mark else None)


def _unknown(writer: "ExcelWriter", report: LectureReport, translate: Translate) -> None:
    people = sorted(report.unknown, key=lambda person: person.is_static)
    living = sum(not person.is_static for person in people)
    rows = [
        [
            translate("Still face {n} (portrait, poster or screen)").format(n=index - living)
            if person.is_static
            else translate("Unknown {n}").format(n=index),
            *_first_and_last(report, person.intervals),
            person.seconds / 60,
            None,
            None,
            None,
        ]
        for index, person in enumerate(people, start=1)
    ]
    clock = _clock_format(report)
    formats = {
        translate("Person"): GENERAL_FORMAT,
        translate("First seen"): clock,
        translate("Last seen"): clock,
        translate("Minutes"): "0.0",
    }
    pictures = [translate("Picture {n}").format(n=n) for n in range(1, 4)]
    sheet = add_table(writer, translate("Unknown"), [*formats, *pictures], rows, formats)
    for row, person in enumerate(people, start=2):
        fill_cell(sheet.cell(row, 1), STILL if person.is_static else None)
        for column, picture in enumerate(person.pictures[:3], start=5):
            _picture(sheet, row, column, picture)
    for column in range(5, 8):
        sheet.column_dimensions[get_column_letter(column)].width = PICTURE_PX / 7 + 2


def _picture(sheet: Worksheet, row: int, column: int, picture: bytes) -> None:
    """Anchored by both corners, so that the picture is sorted and hidden with its row."""
    image = Image(io.BytesIO(picture))
    scale = PICTURE_PX / max(image.width, image.height)
    edge = pixels_to_EMU(3)
    start = AnchorMarker(column - 1, edge, row - 1, edge)
    end = AnchorMarker(
        column - 1,
        edge + pixels_to_EMU(round(image.width * scale)),
        row - 1,
        edge + pixels_to_EMU(round(image.height * scale)),
    )
    image.anchor = TwoCellAnchor("twoCell", start, end)
    sheet.add_image(image)
    sheet.row_dimensions[row].height = (PICTURE_PX + 6) * 0.75


def _first_and_last(report: LectureReport, intervals: Sequence[Interval]) -> tuple[Value, Value]:
    if not intervals:
        return None, None
    return _moment(report, min(start for start, _ in intervals)), _moment(report, max(end for _, end in intervals))


def _moment(report: LectureReport, seconds: float) -> Value:
    """A clock time, or the fraction of a day that Excel takes for a length of time."""
    return seconds / 86400 if report.started_at is None else report.started_at + timedelta(seconds=round(seconds))


def _clock_format(report: LectureReport) -> str:
    return "[h]:mm:ss" if report.started_at is None else "hh:mm:ss"


def _label(report: LectureReport, seconds: int, step: int) -> str:
    if report.started_at is not None:
        return f"{report.started_at + timedelta(seconds=seconds):{'%H:%M:%S' if step < 60 else '%H:%M'}}"
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if report.duration >= 3600 else f"{rest // 60:02}:{rest % 60:02}"


def _overlaps(intervals: Sequence[Interval], start: float, end: float) -> bool:
    return any(first < end and (last > start or first == last >= start) for first, last in intervals)
