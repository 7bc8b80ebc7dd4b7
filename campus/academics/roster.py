"""The roster as a table: number, name, email, guardian_phone, class, from, to. A row is a student in a class, or a student alone.

A student is known by the number: importing the same file again changes nothing. A column that is there is the truth, also
where a cell is empty; a column that is missing changes nothing.
"""

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from import_export.fields import Field
from import_export.formats.base_formats import CSV, XLSX
from import_export.resources import ModelResource
from import_export.widgets import Widget
from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from tablib import Dataset

from campus.academics.models import Course, Enrolment, Student
from campus.errors import UserError

COLUMNS = ("number", "name", "email", "guardian_phone", "class", "from", "to")
MAX_BYTES = 10 * 1024 * 1024
MAX_ROWS = 20_000
MAX_COLUMNS = 50
MAX_UNPACKED_BYTES = 200 * 1024 * 1024
DAY_FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y")
# A spreadsheet program takes a cell that starts so for a formula; in CSV an apostrophe before it keeps it text.
FORMULA_START = ("=", "+", "-", "@", "\t", "\r")


def as_text(value: object) -> str:
    """A cell as people read it: 12345.0 is 12345, no break spaces are spaces, nothing is the empty string."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, datetime):
        value = value.date()
    text = unicodedata.normalize("NFC", str(value)).replace("\u00a0", " ").strip()
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA_START else text


class TextWidget(Widget):
    def clean(self, value: object, row: Any = None, **kwargs: Any) -> str:
        return as_text(value)


class DayWidget(Widget):
    def clean(self, value: object, row: Any = None, **kwargs: Any) -> date | None:
        text = as_text(value)
        for day_format in DAY_FORMATS:
            try:
                return datetime.strptime(text, day_format).date()  # noqa: DTZ007
            except ValueError:
                continue
        if text:
            raise ValueError(f"“{text}” is not a date. Write dates like 2026-09-30.")
        return None


class ClassWidget(Widget):
    def clean(self, value: object, row: Any = None, **kwargs: Any) -> Course | None:
        if not (code := as_text(value)):
            return None
        if course := Course.objects.filter(code__iexact=code).first():
            return course
        raise ValueError(f"There is no class with the code “{code}”. Make the class first, or correct the code.")

    def render(self, value: Course | None, **kwargs: Any) -> str:
        return value.code if value else ""


class RosterResource(ModelResource):
    """The columns `class`, `from` and `to` are those of the row's enrolment; they live on the student while a row is handled."""

    number = Field("number", "number", TextWidget())
    name = Field("name", "name", TextWidget())
    email = Field("email", "email", TextWidget())
    guardian_phone = Field("guardian_phone", "guardian_phone", TextWidget())
    course = Field("class", "class", ClassWidget())
    valid_from = Field("from", "from", DayWidget(), saves_null_values=False)
    valid_to = Field("to", "to", DayWidget())

    class Meta:
        model = Student
        fields = ("number", "name", "email", "guardian_phone", "course", "valid_from", "valid_to")
        import_id_fields = ("number",)
        skip_unchanged = True
        report_skipped = True
        clean_model_instances = True

    def after_init_instance(self, instance: Student, new: bool, row: Any, **kwargs: Any) -> None:
        code = as_text(row.get("class"))
        enrolment = None if new or not code else instance.enrolments.filter(course__code__iexact=code).select_related("course").first()
        set_enrolment(instance, enrolment)

    def import_instance(self, instance: Student, row: Any, **kwargs: Any) -> None:
        super().import_instance(instance, row, **kwargs)
        values = vars(instance)
        if values["class"] is None:
            set_enrolment(instance, None)
        elif values["from"] is None:
            values["from"] = timezone.localdate()

    def validate_instance(self, instance: Student, import_validation_errors: Any = None, validate_unique: bool = True) -> None:
        errors = dict(import_validation_errors or {})
        values = vars(instance)
        if values["from"] and values["to"] and values["to"] < values["from"]:
            errors["to"] = ValidationError("The enrolment ends before it starts.")
        super().validate_instance(instance, errors, validate_unique)

    def after_save_instance(self, instance: Student, row: Any, **kwargs: Any) -> None:
        values = vars(instance)
        if values["class"] is not None:
            Enrolment.objects.update_or_create(
                course=values["class"], student=instance, defaults={"valid_from": values["from"], "valid_to": values["to"]}
            )

    def iter_queryset(self, queryset: QuerySet[Student]) -> Iterator[Student]:
        for student in queryset.prefetch_related("enrolments__course"):
            for enrolment in student.enrolments.all() or [None]:
                set_enrolment(student, enrolment)
                yield student


def set_enrolment(student: Student, enrolment: Enrolment | None) -> None:
    values = (enrolment.course, enrolment.valid_from, enrolment.valid_to) if enrolment else (None, None, None)
    vars(student).update(zip(("class", "from", "to"), values, strict=True))


def roster_table(rows: Iterable[Iterable[object]]) -> Dataset:
    """A table with the known columns, empty rows left out. Raises UserError: no column `number`, or too many rows."""
    lines = iter(rows)
    headers = [re.sub(r"[\s-]+", "_", as_text(cell).casefold()) for cell in next(lines, [])]
    if "number" not in headers:
        raise UserError(f"The first row has no column “number”. It should name the columns: {', '.join(COLUMNS)}.")
    if twice := next((header for header in headers if header in COLUMNS and headers.count(header) > 1), None):
        raise UserError(f"The column “{twice}” is there twice. Remove one.")
    known = [index for index, header in enumerate(headers) if header in COLUMNS]
    table = Dataset(headers=[headers[index] for index in known])
    for line in lines:
        cells = [as_text(cell) for cell in line]
        row = [cells[index] if index < len(cells) else "" for index in known]
        if not any(row):
            continue
        if len(table) == MAX_ROWS:
            raise UserError(f"The file has more than {MAX_ROWS} rows. Split it.")
        table.append(row)
    return table


class RosterCSV(CSV):
    """CSV as people's programs write it: comma, semicolon or tab; UTF-8 with or without mark, UTF-16, or Windows' own."""

    def create_dataset(self, in_stream: bytes, **kwargs: Any) -> Dataset:
        try:
            text = in_stream.decode("utf-16" if in_stream[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        except UnicodeDecodeError:
            text = in_stream.decode("cp1252", errors="replace")
        if "\0" in text:
            raise UserError("This is no CSV file. Choose the format that the file has.")
        first = text.partition("\n")[0]
        try:
            return roster_table(csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count)))
        except csv.Error as error:
            raise UserError(f"The CSV file can't be read: {error}. Save it again as “CSV UTF-8”.") from error

    def export_data(self, dataset: Dataset, **kwargs: Any) -> str:
        safe = Dataset(headers=dataset.headers)
        for row in dataset:
            safe.append([f"'{cell}" if cell.startswith(FORMULA_START) else cell for cell in row])
        return super().export_data(safe, **kwargs)


class RosterXLSX(XLSX):
    def create_dataset(self, in_stream: bytes) -> Dataset:
        try:
            with zipfile.ZipFile(io.BytesIO(in_stream)) as archive:
                if sum(part.file_size for part in archive.infolist()) > MAX_UNPACKED_BYTES:
                    raise UserError("Unpacked, the workbook is too large. Keep only the roster in it.")
            sheet = load_workbook(io.BytesIO(in_stream), read_only=True, data_only=True).worksheets[0]
            return roster_table(sheet.iter_rows(max_col=MAX_COLUMNS, max_row=2 * MAX_ROWS, values_only=True))
        except UserError:
            raise
        except Exception as error:
            raise UserError("This is no Excel workbook, or it is damaged. Save it again as .xlsx.") from error

    def export_data(self, dataset: Dataset, **kwargs: Any) -> bytes:
        book = Workbook(write_only=True)
        sheet = book.create_sheet("Roster")
        sheet.freeze_panes = "A2"
        for row in [dataset.headers, *dataset]:
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
