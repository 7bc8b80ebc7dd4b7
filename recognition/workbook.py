"""The Excel workbooks: who was there in one recording, and the register of a class over all its lectures.

The same report always gives the same bytes: nothing of the moment of writing goes into the file. Text from outside
stays text: it never becomes a formula, an error value or a broken file.
"""

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
from openpyxl.cell.cell import Cell
from openpyxl.drawing.image import Image
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
from openpyxl.packaging.core import DocumentProperties
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.units import pixels_to_EMU
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.xml.functions import tostring

from recognition.files import replacing
from recognition.types import Interval

Value = str | float | datetime | None

# The letter of each status in the register, and its colour everywhere.
LETTERS = {"Present": "P", "Late": "L", "Left early": "E", "To be confirmed": "?", "Excused": "X", "Absent": "A"}
COLOURS = {
    "Present": "C6EFCE",
    "Late": "FFEB9C",
    "Left early": "FCE4D6",
    "To be confirmed": "E4DFEC",
    "Excused": "DDEBF7",
    "Absent": "FFC7CE",
}
ATTENDED = {"Present", "Late", "Left early"}
UNCOUNTED = {"To be confirmed", "Excused"}

STILL = "E7E6E6"

PICTURE_PX = 72
TIMELINE_COLUMNS = 120
STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)
EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001  (Excel knows no time zones)
# What XML cannot hold: control characters, half of a surrogate pair, two non-characters.
ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
CELL_LIMIT = 32767


@dataclass(frozen=True, slots=True)
class StudentLine:
    """One student in one recording. `intervals` are in seconds of the recording, `share` and `confidence` in 0..1.

    `status` is a key of LETTERS, `source` says who decided it, `picture` is the best look as JPEG or PNG bytes.
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


@dataclass(frozen=True, slots=True)
class UnknownLine:
    """Somebody on no roster: when, in seconds of the recording, and at most three pictures. `still`: no living person, but a
    portrait, a poster or a screen."""

    intervals: tuple[Interval, ...]
    seconds: float
    pictures: tuple[bytes, ...] = ()
    still: bool = False


@dataclass(frozen=True, slots=True)
class LectureReport:
    """What one recording says of a lecture.

    `duration` is in seconds (0 for a photo). `started_at` is the local time, without zone, of the recording's first
    frame; times are shown from 0:00:00 where it is None. `coverage` is the share of the recording that could be looked
    at (0..1). `details` are further lines of the summary.
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
    students: tuple[StudentLine, ...]
    unknown: tuple[UnknownLine, ...] = ()
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RegisterLine:
    """One student over all lectures: a status (a key of LETTERS) for each of them, None where there is no record."""

    number: str
    name: str
    statuses: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class RegisterReport:
    """A class over its lectures. `lectures` are their local starts, without zone; `least` is the share that is asked for."""

    course: str
    lectures: tuple[datetime, ...]
    students: tuple[RegisterLine, ...]
    least: float = 0.75


def write_lecture(path: Path, report: LectureReport) -> None:
    """Write the workbook of one recording: sheets Attendance, Timeline, Unknown and Summary. Replaces `path` as a whole.

    Raises OSError when the disk is full or the folder cannot be written; `path` is then as it was before.
    """
    buffer = io.BytesIO()
    with pd.ExcelWriter(buffer, engine="openpyxl") as writer:
        _attendance(writer, report)
        _timeline(writer, report)
        _unknown(writer, report)
        counts = Counter(student.status for student in report.students)
        _pairs(
            writer,
            [
                ("Class", report.course),
                ("Lecture", report.lecture),
                ("Recording", report.recording),
                ("Recording starts", report.started_at and f"{report.started_at:%Y-%m-%d %H:%M:%S}"),
                ("Length in minutes", round(report.duration / 60, 1)),
                ("Looked at", report.coverage),
                ("Model", report.embedder),
                ("Threshold", report.threshold),
                ("Margin", report.margin),
                *report.details,
                ("On the roster", len(report.students)),
                *((status, counts[status]) for status in LETTERS),
                ("Unknown people", sum(not person.still for person in report.unknown)),
                ("Still faces, not counted", sum(person.still for person in report.unknown)),
            ],
        )
    _replace(path, buffer, report.course)


def write_register(path: Path, report: RegisterReport) -> None:
    """Write the register of a class: sheets Register and Summary. Replaces `path` as a whole; raises OSError as above.

    The percentage is of the lectures that count for the student: those with a record that is not excused and needs no confirmation.
    """
    buffer = io.BytesIO()
    with pd.ExcelWriter(buffer, engine="openpyxl") as writer:
        _register(writer, report)
        _pairs(
            writer,
            [
                ("Class", report.course),
                ("Lectures", len(report.lectures)),
                ("Students", len(report.students)),
                ("Asked for", report.least),
                *((letter, status) for status, letter in LETTERS.items()),
            ],
        )
    _replace(path, buffer, report.course)


def _attendance(writer: pd.ExcelWriter, report: LectureReport) -> None:
    columns = ["Number", "Name", "Status", "First seen", "Last seen", "Minutes", "Share", "Confidence", "Source", "Picture"]
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
    clock = _clock_format(report)
    formats = {"First seen": clock, "Last seen": clock, "Minutes": "0.0", "Share": "0%", "Confidence": "0%"}
    sheet = _table(writer, "Attendance", columns, rows, formats)
    sheet.column_dimensions[get_column_letter(len(columns))].width = PICTURE_PX / 7 + 2
    for row, student in enumerate(report.students, start=2):
        _fill(sheet.cell(row, 3), COLOURS.get(student.status))
        if student.picture:
            _picture(sheet, row, len(columns), student.picture)


def _timeline(writer: pd.ExcelWriter, report: LectureReport) -> None:
    step = next((step for step in STEPS if report.duration <= step * TIMELINE_COLUMNS), STEPS[-1])
    edges = [index * step for index in range(max(1, -int(-report.duration // step)))]
    labels = [_label(report, edge, step) for edge in edges]
    seen = [[1 if _overlaps(student.intervals, edge, edge + step) else None for edge in edges] for student in report.students]
    rows = [[student.number, student.name, *marks] for student, marks in zip(report.students, seen, strict=True)]
    # The 1 is there for formulas and filters; the format hides it behind the colour.
    sheet = _table(writer, "Timeline", ["Number", "Name", *labels], rows, dict.fromkeys(labels, ";;;"))
    for column in range(3, 3 + len(edges)):
        sheet.column_dimensions[get_column_letter(column)].width = 2.6
        sheet.cell(1, column).alignment = Alignment(text_rotation=90, vertical="bottom", horizontal="center")
    sheet.row_dimensions[1].height = 52
    for row, marks in enumerate(seen, start=2):
        for column, mark in enumerate(marks, start=3):
            _fill(sheet.cell(row, column), "5B9BD5" if mark else None)


def _unknown(writer: pd.ExcelWriter, report: LectureReport) -> None:
    people = sorted(report.unknown, key=lambda person: person.still)
    living = sum(not person.still for person in people)
    rows = [
        [
            f"Still face {index - living} (portrait, poster or screen)" if person.still else f"Unknown {index}",
            *_first_and_last(report, person.intervals),
            person.seconds / 60,
            None,
            None,
            None,
        ]
        for index, person in enumerate(people, start=1)
    ]
    clock = _clock_format(report)
    columns = ["Person", "First seen", "Last seen", "Minutes", "Picture 1", "Picture 2", "Picture 3"]
    sheet = _table(writer, "Unknown", columns, rows, {"First seen": clock, "Last seen": clock, "Minutes": "0.0"})
    for row, person in enumerate(people, start=2):
        _fill(sheet.cell(row, 1), STILL if person.still else None)
        for column, picture in enumerate(person.pictures[:3], start=5):
            _picture(sheet, row, column, picture)
    for column in range(5, 8):
        sheet.column_dimensions[get_column_letter(column)].width = PICTURE_PX / 7 + 2


def _register(writer: pd.ExcelWriter, report: RegisterReport) -> None:
    days = Counter(f"{start:%Y-%m-%d}" for start in report.lectures)
    labels = [f"{start:%Y-%m-%d}" if days[f"{start:%Y-%m-%d}"] == 1 else f"{start:%Y-%m-%d %H:%M}" for start in report.lectures]
    below = f"Below {report.least:.0%}"
    rows: list[list[Value]] = []
    for student in report.students:
        share = _share(student.statuses)
        letters = [LETTERS[status] if status else None for status in student.statuses]
        rows.append([student.number, student.name, *letters, share, "yes" if share is not None and share < report.least else None])
    by_lecture = [[student.statuses[index] for student in report.students] for index in range(len(labels))]
    everything = [status for statuses in by_lecture for status in statuses]
    rows.append([None, "Attended", *(sum(status in ATTENDED for status in column) for column in by_lecture), _share(everything), None])

    sheet = _table(writer, "Register", ["Number", "Name", *labels, "Attendance", below], rows, {"Attendance": "0%"})
    for column in range(3, 3 + len(labels)):
        sheet.column_dimensions[get_column_letter(column)].width = 5
        for row in range(2, sheet.max_row + 1):
            sheet.cell(row, column).alignment = Alignment(horizontal="center")
        sheet.cell(1, column).alignment = Alignment(text_rotation=90, vertical="bottom", horizontal="center")
    sheet.row_dimensions[1].height = 115
    share_column = 3 + len(labels)
    for row, student in enumerate(report.students, start=2):
        for column, status in enumerate(student.statuses, start=3):
            _fill(sheet.cell(row, column), COLOURS.get(status or ""))
        if sheet.cell(row, share_column + 1).value:
            _fill(sheet.cell(row, share_column), COLOURS["Absent"])
    for cell in sheet[sheet.max_row]:
        cell.font = Font(name="Calibri", bold=True)
    # The totals are no student: sorting and filtering leave them where they are.
    sheet.auto_filter.ref = f"A1:{get_column_letter(sheet.max_column)}{sheet.max_row - 1}"


def _table(
    writer: pd.ExcelWriter, name: str, columns: Sequence[str], rows: Sequence[Sequence[Value]], formats: dict[str, str]
) -> Worksheet:
    """A sheet with a frozen, filtered header in its first row; columns as wide as their text."""
    frame = pd.DataFrame(
        [[clean(value) if isinstance(value, str) else value for value in row] for row in rows],
        columns=[clean(column) for column in columns],
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
    sheet.freeze_panes = "C2" if columns[0] == "Number" else "A2"
    sheet.auto_filter.ref = sheet.dimensions
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = "1:1"
    return sheet


def _pairs(writer: pd.ExcelWriter, pairs: Iterable[tuple[str, Value]]) -> None:
    sheet = _table(writer, "Summary", ["What", "Value"], list(pairs), {})
    for name, value in sheet.iter_rows(min_row=2):
        value.alignment = Alignment(horizontal="left", vertical="center", wrap_text=True)
        if name.value in {"Looked at", "Asked for"}:
            value.number_format = "0%"
        elif isinstance(value.value, float):
            value.number_format = "0.000" if name.value in {"Threshold", "Margin"} else "0.0"


def clean(text: str) -> str:
    """Text as a cell can hold it: without characters that XML forbids, cut to Excel's limit."""
    return ILLEGAL.sub("", text)[:CELL_LIMIT]


def _as_text(cell: Cell) -> None:
    """openpyxl takes "=..." for a formula and "#N/A" for an error; quotePrefix keeps it text when somebody edits the cell."""
    if isinstance(cell.value, str):
        cell.data_type = "s"
        cell.quotePrefix = cell.value.lstrip()[:1] in {"=", "+", "-", "@"}


def _fill(cell: Cell, colour: str | None) -> None:
    if colour:
        cell.fill = PatternFill("solid", start_color=colour)


def _picture(sheet: Worksheet, row: int, column: int, picture: bytes) -> None:
    """Anchored by both corners, so that the picture is sorted and hidden with its row."""
    image = Image(io.BytesIO(picture))
    scale = PICTURE_PX / max(image.width, image.height)
    edge = pixels_to_EMU(3)
    start = AnchorMarker(column - 1, edge, row - 1, edge)
    end = AnchorMarker(
        column - 1, edge + pixels_to_EMU(round(image.width * scale)), row - 1, edge + pixels_to_EMU(round(image.height * scale))
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


def _share(statuses: Iterable[str | None]) -> float | None:
    counted = [status for status in statuses if status and status not in UNCOUNTED]
    return sum(status in ATTENDED for status in counted) / len(counted) if counted else None


def _replace(path: Path, buffer: io.BytesIO, title: str) -> None:
    """Write the workbook beside `path` without the times that openpyxl and zip put into it, then rename it into place."""
    properties = DocumentProperties(creator="Rollcall", title=clean(title), created=EPOCH, modified=EPOCH)
    with replacing(path) as beside, zipfile.ZipFile(buffer) as source, zipfile.ZipFile(beside, "w") as target:
        for name in source.namelist():
            content = tostring(properties.to_tree()) if name == "docProps/core.xml" else source.read(name)
            target.writestr(zipfile.ZipInfo(name, EPOCH.timetuple()[:6]), content, zipfile.ZIP_DEFLATED)
