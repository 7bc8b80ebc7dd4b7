"""The register: statuses with points, percentages, who is below, and every form that it is taken away in."""

import csv
import io
import zipfile
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import translation
from openpyxl import load_workbook
from pypdf import PdfReader

from campus.academics.models import Course, Lecture, Student
from campus.attendance import statuses
from campus.attendance.csv_files import lecture_csv, moodle_marks, moodle_zip, register_csv
from campus.attendance.history import course_histories, student_history
from campus.attendance.models import AttendanceRecord, AttendanceStatus, RegisterPolicy
from campus.attendance.overrides import set_override
from campus.attendance.pdf import lecture_pdf, register_pdf
from campus.attendance.register import build_register
from campus.attendance.register_workbook import write_register
from campus.attendance.reports import write_register_report
from tests.campus import factories

pytestmark = pytest.mark.django_db


def mark(lecture: Lecture, student: Student, machine: str, override: str = "") -> AttendanceRecord:
    return AttendanceRecord.objects.create(
        lecture=lecture, student=student, machine_status=machine, override_status=override
    )


@pytest.fixture
def course() -> Course:
    """Ada: present, late, left early, present. Alan: present, absent, absent, excused. Grace came to the second
    lecture only, and is
    to be confirmed there."""
    course = factories.course(code="CS101", name="Algorithms")
    ada, alan, grace = (
        factories.student(number=number, name=name)
        for number, name in (("007", "Ada Lovelace"), ("012", "Alan Turing"), ("100", "Grace Young"))
    )
    lectures = [factories.lecture(course, starts_at=factories.STARTS + timedelta(days=7 * n)) for n in range(4)]
    for lecture, status in zip(lectures, ("present", "late", "left_early", "present"), strict=True):
        mark(lecture, ada, status)
    for lecture, status in zip(lectures, ("present", "absent", "absent", "present"), strict=True):
        mark(lecture, alan, status)
    AttendanceRecord.objects.filter(lecture=lectures[3], student=alan).update(override_status="excused")
    mark(lectures[1], grace, "to_confirm")
    return course


def test_points_and_percentage_are_of_what_counts(course: Course) -> None:
    ada, alan, grace = build_register(course).rows
    assert (ada.tally.points, ada.tally.max_points, ada.tally.share) == (Decimal(6), Decimal(8), 0.75)
    # Excused does not count: two of six points.
    assert (alan.tally.points, alan.tally.max_points, alan.tally.counted_lectures) == (Decimal(2), Decimal(6), 3)
    # Nobody has said yet whether she was there.
    assert (grace.tally.share, grace.is_below) == (None, False)
    assert [kind.letter if kind else "" for kind in grace.statuses] == ["", "?", "", ""]
    assert [ada.is_below, alan.is_below] == [False, True]
    assert [tally.attended_lectures for tally in build_register(course).lecture_tallies] == [2, 1, 1, 1]


def test_a_class_says_what_it_asks_for(course: Course) -> None:
    RegisterPolicy.objects.create(course=course, required_percent=80)
    assert [line.is_below for line in build_register(course).rows] == [True, True, False]
    RegisterPolicy.objects.update(required_percent=0)
    assert build_register(course).below_count == 0
    with pytest.raises(IntegrityError), transaction.atomic():
        RegisterPolicy.objects.update(required_percent=101)


def test_cancelled_lectures_and_other_days_are_left_out(course: Course) -> None:
    first, *_, last = course.lectures.order_by("starts_at")
    Lecture.objects.filter(pk=first.pk).update(cancelled=True)
    assert len(build_register(course).lectures) == 3
    day = last.starts_at.date()
    assert build_register(course, since=day).lectures == (last,)
    assert build_register(course, until=day).lectures[-1] == last
    assert last not in build_register(course, until=day - timedelta(days=1)).lectures
    assert build_register(course, since=date(2030, 1, 1)).rows == ()


def test_an_institution_has_statuses_of_its_own(course: Course) -> None:
    AttendanceStatus.objects.create(
        code="online", name="Online", letter="O", points="1.5", meaning="present", moodle_acronym="P"
    )
    AttendanceStatus.objects.filter(code="late").update(points=2)
    record = AttendanceRecord.objects.get(student__name="Alan Turing", lecture=course.lectures.order_by("starts_at")[1])
    set_override(record=record, status="online", reason="by video", user=factories.registrar())
    record.refresh_from_db()
    assert record.get_status_display() == "Online"
    statuses.clear_cache()
    ada, alan, _ = build_register(course).rows
    assert (ada.tally.points, alan.tally.points, alan.tally.attended_lectures) == (Decimal(7), Decimal("3.5"), 2)
    assert statuses.meaning_of("online") == statuses.Status.PRESENT
    assert ("online", "Online") in statuses.override_choices()
    assert "to_confirm" not in dict(statuses.override_choices())


def test_a_status_that_is_gone_harms_nothing(course: Course) -> None:
    """Somebody deletes it in the database."""
    AttendanceRecord.objects.filter(student__name="Ada Lovelace").update(override_status="online")
    assert statuses.status_label("online") == "online"
    assert build_register(course).rows[0].tally.counted_lectures == 0


@pytest.mark.parametrize(
    "bad", [{"code": "to_confirm", "name": "x"}, {"code": "own", "name": " "}, {"code": "own", "points": -1}]
)
def test_a_status_that_makes_no_sense_is_refused(bad: dict) -> None:
    with pytest.raises(ValidationError):
        AttendanceStatus(**{"name": "Own", "letter": "W", "points": 1, "meaning": "present"} | bad).full_clean()


def test_the_workbook_has_a_letter_a_student_and_date(course: Course, tmp_path: Path) -> None:
    path = tmp_path / "register.xlsx"
    write_register(path, build_register(course))
    table = pd.read_excel(path, dtype=str, keep_default_na=False)
    dates = ["2026-11-16", "2026-11-23", "2026-11-30", "2026-12-07"]
    assert list(table.columns)[:8] == ["Number", "Name", *dates, "Percentage", "Below 75%"]
    assert list(table.iloc[0])[:6] == ["007", "Ada Lovelace", "P", "L", "LE", "P"]
    assert list(table.iloc[1])[2:6] == ["P", "A", "A", "E"]
    assert [table["Percentage"][0], table["Percentage"][2]] == ["0.75", ""]
    assert list(table["Below 75%"]) == ["", "yes", "", ""]
    assert (table["Points"][0], table["Of"][0], table["Late"][0], table["Absent"][1]) == ("6", "8", "1", "2")
    assert list(table.iloc[3])[1:6] == ["Attended", "2", "1", "1", "1"]
    sheet = load_workbook(path)["Register"]
    assert sheet["G3"].fill.fill_type == "solid"
    assert sheet["G2"].fill.fill_type is None
    assert sheet.auto_filter.ref.endswith("4")  # the totals are no student
    write_register(path, build_register(factories.course()))
    assert list(pd.read_excel(path).columns)[:4] == ["Number", "Name", "Percentage", "Below 75%"]


HOSTILE = {
    "=1+1": "'=1+1",
    "+1": "'+1",
    "-1": "'-1",
    "@SUM(A1)": "'@SUM(A1)",
    "\t=1": "'\t'=1",
    '=HYPERLINK("http://evil.example","x")': """'=HYPERLINK("http://evil.example","x")""",
    "#N/A": "#N/A",
}


@pytest.mark.parametrize(("text", "cell"), HOSTILE.items())
def test_no_file_holds_a_formula(text: str, cell: str, tmp_path: Path) -> None:
    lecture = factories.lecture(factories.course(name=text))
    mark(lecture, factories.student(name=text, number=text), "present")
    rows = list(csv.reader(io.StringIO(register_csv(build_register(lecture.course)).decode("utf-8-sig"))))
    assert rows[1][1] == cell
    assert not lecture_csv(lecture).decode("utf-8-sig").splitlines()[1].startswith(("=", "+", "-", "@"))
    write_register(tmp_path / "r.xlsx", build_register(lecture.course))
    cells = [cell for row in load_workbook(tmp_path / "r.xlsx")["Register"].iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr", "n"}


def test_two_lectures_of_one_day_are_told_apart(course: Course) -> None:
    last = course.lectures.order_by("starts_at").last()
    mark(factories.lecture(course, starts_at=last.starts_at + timedelta(hours=5)), factories.student(), "present")
    head = register_csv(build_register(course)).decode("utf-8-sig").splitlines()[0].split(",")
    assert head[5:7] == ["2026-12-07 09:00", "2026-12-07 14:00"]


def test_moodle_gets_acronyms_and_no_times(course: Course) -> None:
    """A time would make Moodle work out a status of its own; who is to be confirmed is not decided by a file."""
    second = course.lectures.order_by("starts_at")[1]
    assert moodle_marks(second).decode() == "idnumber,scantime,status\r\n007,,L\r\n012,,A\r\n"
    last = course.lectures.order_by("starts_at")[3]
    assert moodle_marks(last).decode().splitlines()[1:] == ["007,,P", "012,,E"]
    with zipfile.ZipFile(io.BytesIO(moodle_zip(build_register(course)))) as archive:
        assert archive.namelist() == [
            "sessions.csv",
            *(f"marks_2026-{day}.csv" for day in ("11-16", "11-23", "11-30", "12-07")),
        ]
        assert archive.read("marks_2026-11-23.csv") == moodle_marks(second)
        assert archive.read("sessions.csv").decode().splitlines()[1] == "CS101,,2026-11-16,09:00,10:30,"


def pages(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]


def test_the_register_on_paper(course: Course) -> None:
    text = "\n".join(pages(register_pdf(build_register(course))))
    for wanted in ("CS101 Algorithms", "Ada Lovelace", "007", "16 Nov 2026", "75 %", "2 / 6", "33 %"):
        assert wanted in text


def test_paper_has_room_for_many_lectures_and_students_and_any_name() -> None:
    course = factories.course(students=40)
    ana = factories.student(name=("Zoë Łukaszewicz-Nguyễn Иванова " + "von und zu " * 20)[:200])
    for n in range(45):
        lecture = factories.lecture(course, starts_at=factories.STARTS + timedelta(days=n))
        AttendanceRecord.objects.bulk_create(
            AttendanceRecord(lecture=lecture, student=student, machine_status="present")
            for student in [*course.students.all(), ana]
        )
    found = pages(register_pdf(build_register(course)))
    assert len(found) == 4  # two for the students, twice for the lectures
    assert any("Zoë Łukaszewicz-Nguyễn" in page for page in found)
    assert sum("100 %" in page for page in found) == 2
    assert len(pages(lecture_pdf(lecture))) == 1


def test_an_empty_class_has_its_files_too() -> None:
    empty = build_register(factories.course())
    assert pages(register_pdf(empty))
    assert register_csv(empty).startswith(b"\xef\xbb\xbfNumber,Name")


def test_a_student_over_all_classes_that_the_user_may_see(course: Course) -> None:
    ada = Student.objects.get(name="Ada Lovelace")
    other = factories.lecture(factories.course(code="MA202"))
    mark(other, ada, "absent")
    own = factories.user()
    course.lecturers.add(own)
    (seen,) = student_history(own, ada)
    assert (seen.course, len(seen.lectures), seen.tally.share, seen.is_below) == (course, 4, 0.75, False)
    assert [item.course.code for item in student_history(factories.registrar(), ada)] == ["CS101", "MA202"]
    assert [week for week, _ in seen.weeks] == [
        date(2026, 11, 16),
        date(2026, 11, 23),
        date(2026, 11, 30),
        date(2026, 12, 7),
    ]
    assert [share for _, share in seen.weeks] == [1.0, 0.75, pytest.approx(2 / 3), 0.75]  # of all until then
    assert student_history(own, factories.student()) == []


def test_classes_beside_each_other(course: Course, django_assert_num_queries) -> None:
    empty = factories.course()
    statuses.clear_cache()
    with django_assert_num_queries(3):
        of_course, of_empty = course_histories([course, empty])
    assert of_course.tally.share == pytest.approx(8 / 14)
    assert of_course.weeks[0] == (date(2026, 11, 16), 1.0)
    assert of_empty.weeks == ()


def test_the_register_asks_the_database_a_fixed_number_of_times(course: Course, django_assert_num_queries) -> None:
    for n in range(10):
        lecture = factories.lecture(course, starts_at=factories.STARTS + timedelta(days=60 + n))
        for student in Student.objects.all():
            mark(lecture, student, "present")
    statuses.clear_cache()
    with django_assert_num_queries(6):
        build_register(course)


def test_a_workbook_is_in_the_institutions_language_whoever_asks(course: Course, settings) -> None:
    with translation.override("de"):
        report = write_register_report(course=course)
    assert "Late" in pd.read_excel(settings.REPORTS_DIR / report.file_name).columns
