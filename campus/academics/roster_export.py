"""Write rosters as CSV files or Excel workbooks. A row is a student in a class, or a student without one."""

import csv
import io
from collections.abc import Iterable, Iterator

from django.db.models import QuerySet
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from campus.academics.models import Enrolment, Student
from campus.academics.roster_columns import COLUMNS
from campus.academics.roster_plan import known_answers
from campus.common.csv_cells import guard_cell


def roster_rows(students: QuerySet[Student], course: int | None = None) -> Iterator[list[str]]:
    """The headers, then a row for each enrolment of these students (of one class where one is given), and for who has
    none. The section's column is there only where somebody is in one, that of consent where somebody has answered.
    """
    of_class = {} if course is None else {"course": course}
    has_sections = Enrolment.objects.filter(student__in=students, **of_class).exclude(section="").exists()
    answers = known_answers(students)
    left_out = {name for name, used in (("section", has_sections), ("consent", bool(answers))) if not used}
    yield [column for column in COLUMNS if column not in left_out]
    for student in students.prefetch_related("enrolments__course"):
        about = [student.number, student.name, student.surname, student.email, student.guardian_phone]
        answer = [str(answers.get(student.pk, ""))] if answers else []
        enrolments = [row for row in student.enrolments.all() if course in (None, row.course_id)]
        for row in enrolments:
            section = [row.section] if has_sections else []
            yield [*about, row.course.code, *section, str(row.valid_from), str(row.valid_to or ""), *answer]
        if not enrolments:
            yield [*about, *[""] * (3 + has_sections), *answer]


def write_csv(rows: Iterable[list[str]]) -> bytes:
    content = io.StringIO(newline="")
    csv.writer(content).writerows([guard_cell(cell) for cell in row] for row in rows)
    return content.getvalue().encode("utf-8-sig")


def write_workbook(rows: Iterable[list[str]]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Roster")
    sheet.freeze_panes = "A2"
    for row in rows:
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
