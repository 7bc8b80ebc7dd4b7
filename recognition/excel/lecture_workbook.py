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

STATIC_FACE_COLOUR = "E7E6E6"
TIMELINE_COLOUR = "5B9BD5"

PICTURE_PX = 72
PICTURE_MARGIN_PX = 3
MAX_PICTURES_PER_UNKNOWN = 3
MAX_TIMELINE_COLUMNS = 120
TIMELINE_STEP_SECONDS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)


class FaceCrop(Image):  # type: ignore[misc]
    """A face crop, as JPEG or PNG bytes: a square. openpyxl would decode it to know its size."""

    def __init__(self, picture: bytes) -> None:
        self.picture = picture
        self.width = self.height = PICTURE_PX
        self.format = "png" if picture.startswith(b"\x89PNG") else "jpeg"

    def _data(self) -> bytes:
        return self.picture


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentRow:
    """One student in one recording.

    `intervals` are (start, end) in seconds of the recording, `seconds` is their sum; `share` and `confidence` are in
    0..1. `status` is what people read, `status_code` a key of STATUS_COLOURS, and `source` who decided it. `picture` is
    the best face crop, a square, as JPEG or PNG bytes.
    """

    number: str
    name: str
    status: str
    section: str = ""
    intervals: tuple[Interval, ...] = ()
    seconds: float = 0.0
    share: float = 0.0
    confidence: float = 0.0
    source: str = "machine"
    picture: bytes | None = None
    status_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownRow:
    """Somebody who is not on the roster.

    `intervals` are in seconds of the recording; `pictures` are at most three, as JPEG or PNG bytes. `is_static`: not a
    living person, but a portrait, a poster or a screen.
    """

    intervals: tuple[Interval, ...]
    seconds: float
    pictures: tuple[bytes, ...] = ()
    is_static: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LectureReport:
    """What one recording says about a lecture; or, where `recording` is empty, people alone.

    `duration` is in seconds (0 for a photo). `started_at` is the local time, without zone, of the recording's first
    frame; if it is None, times are shown from 0:00:00. `coverage` is the share of the recording that could be processed
    (0..1). `threshold` and `margin` are cosines. `details` are further lines of the summary, `statuses` those that it
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
    """Write the workbook of one recording, with the sheets Attendance, Timeline, Unknown and Summary.

    `translate` translates headings and the sheets' names. `path` is replaced as a whole. Raises OSError if the disk is
    full or the folder cannot be written; `path` is then as it was before.
    """
    buffer = io.BytesIO()
    with open_workbook(buffer) as writer:
        _add_attendance(writer, report, translate)
        _add_timeline(writer, report, translate)
        _add_unknown(writer, report, translate)
        counts = Counter(student.status for student in report.students)
        about_recording: list[tuple[str, Value, str]] = [
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
        ]
        add_summary(
            writer,
            [
                (translate("Class"), report.course, GENERAL_FORMAT),
                (translate("Lecture"), report.lecture, GENERAL_FORMAT),
                *(about_recording if report.recording else []),
                *((label, value, GENERAL_FORMAT) for label, value in report.details),
                (translate("On the roster"), len(report.students), GENERAL_FORMAT),
                *((status, counts[status], GENERAL_FORMAT) for status in report.statuses),
                (translate("Unknown people"), sum(not person.is_static for person in report.unknown), GENERAL_FORMAT),
                (
                    translate("Static faces, not counted"),
                    sum(person.is_static for person in report.unknown),
                    GENERAL_FORMAT,
                ),
            ],
            translate,
        )
    save_workbook(path, buffer, report.course)


def _add_attendance(writer: "ExcelWriter", report: LectureReport, translate: Translate) -> None:
    clock = _clock_format(report)
    has_sections = any(student.section for student in report.students)
    formats = {
        translate("Number"): GENERAL_FORMAT,
        translate("Name"): GENERAL_FORMAT,
        **({translate("Section"): GENERAL_FORMAT} if has_sections else {}),
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
            *([student.section] if has_sections else []),
            student.status,
            *_first_and_last(report, student.intervals),
            student.seconds / 60 if report.recording else None,
            student.share if report.recording else None,
            student.confidence or None,
            student.source,
            None,
        ]
        for student in report.students
    ]
    sheet = add_table(writer, translate("Attendance"), list(formats), rows, formats, fixed=2)
    sheet.column_dimensions[get_column_letter(len(formats))].width = PICTURE_PX / 7 + 2
    for row, student in enumerate(report.students, start=2):
        fill_cell(sheet.cell(row, 3 + has_sections), STATUS_COLOURS.get(student.status_code))
        if student.picture:
            _add_picture(sheet, row, len(formats), student.picture)


def _add_timeline(writer: "ExcelWriter", report: LectureReport, translate: Translate) -> None:
    step = next(
        (step for step in TIMELINE_STEP_SECONDS if report.duration <= step * MAX_TIMELINE_COLUMNS),
        TIMELINE_STEP_SECONDS[-1],
    )
    column_count = max(1, -int(-report.duration // step))
    starts = [index * step for index in range(column_count)]
    labels = [_timeline_label(report, start, step) for start in starts]
    marks_by_student = [
        [1 if _overlaps(student.intervals, start, start + step) else None for start in starts]
        for student in report.students
    ]
    rows = [
        [student.number, student.name, *marks] for student, marks in zip(report.students, marks_by_student, strict=True)
    ]
    # Formulas and filters need the 1; the format hides it behind the colour.
    sheet = add_table(
        writer,
        translate("Timeline"),
        [translate("Number"), translate("Name"), *labels],
        rows,
        dict.fromkeys(labels, ";;;"),
        fixed=2,
    )
    for column in range(3, 3 + len(starts)):
        sheet.column_dimensions[get_column_letter(column)].width = 2.6
        sheet.cell(1, column).alignment = Alignment(text_rotation=90, vertical="bottom", horizontal="center")
    sheet.row_dimensions[1].height = 52
    for row, marks in enumerate(marks_by_student, start=2):
        for column, mark in enumerate(marks, start=3):
            fill_cell(sheet.cell(row, column), TIMELINE_COLOUR if mark else None)


def _add_unknown(writer: "ExcelWriter", report: LectureReport, translate: Translate) -> None:
    people = sorted(report.unknown, key=lambda person: person.is_static)
    living_count = sum(not person.is_static for person in people)
    rows = [
        [
            translate("Static face {n} (portrait, poster or screen)").format(n=index - living_count)
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
    picture_columns = [translate("Picture {n}").format(n=n) for n in range(1, MAX_PICTURES_PER_UNKNOWN + 1)]
    sheet = add_table(writer, translate("Unknown"), [*formats, *picture_columns], rows, formats)
    for row, person in enumerate(people, start=2):
        fill_cell(sheet.cell(row, 1), STATIC_FACE_COLOUR if person.is_static else None)
        for column, picture in enumerate(person.pictures[:MAX_PICTURES_PER_UNKNOWN], start=len(formats) + 1):
            _add_picture(sheet, row, column, picture)
    for column in range(len(formats) + 1, len(formats) + len(picture_columns) + 1):
        sheet.column_dimensions[get_column_letter(column)].width = PICTURE_PX / 7 + 2


def _add_picture(sheet: Worksheet, row: int, column: int, picture: bytes) -> None:
    """Put a picture into a cell. It is anchored by two corners, so it is sorted and hidden with its row."""
    image = FaceCrop(picture)
    margin = pixels_to_EMU(PICTURE_MARGIN_PX)
    side = margin + pixels_to_EMU(PICTURE_PX)
    start = AnchorMarker(column - 1, margin, row - 1, margin)
    end = AnchorMarker(column - 1, side, row - 1, side)
    image.anchor = TwoCellAnchor("twoCell", start, end)
    sheet.add_image(image)
    sheet.row_dimensions[row].height = (PICTURE_PX + 2 * PICTURE_MARGIN_PX) * 0.75  # points


def _first_and_last(report: LectureReport, intervals: Sequence[Interval]) -> tuple[Value, Value]:
    if not intervals:
        return None, None
    first = min(start for start, _ in intervals)
    last = max(end for _, end in intervals)
    return _clock_value(report, first), _clock_value(report, last)


def _clock_value(report: LectureReport, seconds: float) -> Value:
    """A time of the recording as local time, or as the fraction of a day by which Excel expresses a duration."""
    return seconds / 86400 if report.started_at is None else report.started_at + timedelta(seconds=round(seconds))


def _clock_format(report: LectureReport) -> str:
    return "[h]:mm:ss" if report.started_at is None else "hh:mm:ss"


def _timeline_label(report: LectureReport, seconds: int, step: int) -> str:
    if report.started_at is not None:
        moment = report.started_at + timedelta(seconds=seconds)
        return moment.strftime("%H:%M:%S" if step < 60 else "%H:%M")
    minutes, second = divmod(seconds, 60)
    if report.duration < 3600:
        return f"{minutes:02}:{second:02}"
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"


def _overlaps(intervals: Sequence[Interval], start: float, end: float) -> bool:
    """Whether an interval, which may be a single moment, lies partly in [start, end)."""
    return any(first < end and (last > start or first == last >= start) for first, last in intervals)
