"""Sections of a class: from the roster to the class's page, the roll, the register and every file."""

import csv
import io
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook
from pypdf import PdfReader

from campus.academics.models import Course, Enrolment, Lecture, Term
from campus.academics.roster_export import roster_rows
from campus.academics.services import enrol_student
from campus.attendance.course_copy import copy_course
from campus.attendance.csv_files import lecture_csv
from campus.attendance.lecture_report import build_lecture_report
from campus.attendance.models import AttendanceRecord
from campus.attendance.pdf import lecture_pdf
from campus.attendance.roll import mark_others
from campus.attendance.student_merge import merge_students
from recognition.excel.lecture_workbook import write_lecture_workbook
from tests.campus import factories
from tests.campus.academics.rosters import do_import, plan_of
from tests.campus.conftest import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def course() -> Course:
    """Ann and Bob are in section A, Cem is in Lab 2, Dee in none."""
    course = factories.course(code="CS101", lecturers=(factories.user(username="lecturer"),))
    for name, section in (("Ann A", "A"), ("Bob B", "A"), ("Cem C", "Lab 2"), ("Dee D", "")):
        factories.enrol(course, factories.student(name=name), section=section)
    return course


@pytest.fixture
def lecture(course: Course) -> Lecture:
    return factories.lecture(course, starts_at=timezone.now() - timedelta(hours=2))


@pytest.fixture
def registrar() -> Client:
    client = Client()
    client.force_login(factories.registrar())
    return client


def names(text: str) -> list[str]:
    return [name for name in ("Ann A", "Bob B", "Cem C", "Dee D") if name in text]


def sections(course: Course) -> list[str]:
    return [row.section for row in course.enrolments.order_by("student__name_key")]


def test_the_roster_says_who_is_in_which_section(course: Course) -> None:
    table = "student number;name;course;section\n" + "\n".join(
        f"{row.student.number};{row.student.name};CS101;{section}"
        for row, section in zip(course.enrolments.all(), ("A", "B", "Lab 2", ""), strict=True)
    )
    plan = plan_of(table.encode())
    assert [change.changes for change in plan.changed] == [[("section", "A", "B")]]
    assert do_import(table.encode()) == [0, 1, 3]
    assert sections(course) == ["A", "B", "Lab 2", ""]
    assert do_import(table.replace(";section", ";remark").encode()) == [0, 0, 4], "no column changes nothing"
    too_long = table.replace("Lab 2", "L" * 41)
    assert "section: " in plan_of(too_long.encode()).errors[0].reasons[0]


def test_an_exported_roster_has_the_column_where_somebody_is_in_a_section(course: Course) -> None:
    students = course.students.order_by("name_key")
    header, *rows = roster_rows(students)
    assert [row[header.index("section")] for row in rows] == ["A", "A", "Lab 2", ""]
    assert [len(row) for row in rows] == [len(header)] * 4
    Enrolment.objects.update(section="")
    assert "section" not in next(roster_rows(students))


def test_sections_stay_with_a_copied_class_and_a_merged_student(course: Course) -> None:
    first = timezone.localdate()
    term = Term.objects.create(name="Next", first_day=first, last_day=first + timedelta(days=90))
    copied = copy_course(
        course=course, term=term, code="CS101b", name="Computing", with_roster=True, user=factories.registrar()
    )
    assert sections(copied) == ["A", "A", "Lab 2", ""]
    guest = factories.student(name="Guest", guest=True)
    factories.enrol(course, guest, section="B")
    dee = course.students.get(name="Dee D")
    merge_students(duplicate=guest, student=dee, user=factories.registrar())
    assert course.enrolments.get(student=dee).section == "B"


def test_the_students_tab_shows_and_changes_sections(registrar: Client, course: Course) -> None:
    address = reverse("course-students", args=[course.pk])
    everybody = registrar.get(address).content.decode()
    assert names(everybody) == ["Ann A", "Bob B", "Cem C", "Dee D"]
    assert 'href="?section=Lab+2"' in everybody
    assert names(registrar.get(address, {"section": "Lab 2"}).content.decode()) == ["Cem C"]
    found = registrar.get(address, {"section": "A", "q": "bob"}).content.decode()
    assert names(found) == ["Bob B"]
    assert '<input type="hidden" name="section" value="A">' in found
    assert "?section=Lab+2&amp;q=bob" in found
    row = course.enrolments.get(student__name="Dee D")
    days = {"valid_from": row.valid_from, "valid_to": ""}
    registrar.post(reverse("enrolment", args=[row.pk]), {**days, "section": "C"})
    registrar.post(address, {"number": "E1", "name": "Eve E", "section": "A"})
    assert sections(course) == ["A", "A", "Lab 2", "C", "A"]
    Enrolment.objects.update(section="")
    plain = registrar.get(address, {"section": "A"}).content.decode()
    assert "All sections" not in plain
    assert names(plain) == ["Ann A", "Bob B", "Cem C", "Dee D"]


def test_the_roll_of_a_section(course: Course, lecture: Lecture) -> None:
    client = Client()
    client.force_login(course.lecturers.get())
    page = client.get(reverse("lecture", args=[lecture.pk]), {"section": "A", "show": "unmarked"}).content.decode()
    assert names(page) == ["Ann A", "Bob B"]
    assert "?section=A&amp;show=attended#result" in page
    assert "?section=Lab+2&amp;show=unmarked#result" in page
    assert "This signs off all sections." in page
    everybody = client.get(reverse("lecture", args=[lecture.pk]), {"section": "none such"}).content.decode()
    assert names(everybody) == ["Ann A", "Bob B", "Cem C", "Dee D"]
    others = reverse("roll-others", args=[lecture.pk])
    answer = client.post(others, {"status": "present", "section": "A", "show": "unmarked"})
    assert answer["Location"] == reverse("lecture", args=[lecture.pk]) + "?show=unmarked&section=A#result"
    marked = AttendanceRecord.objects.filter(override_status="present")
    assert sorted(record.student.name for record in marked) == ["Ann A", "Bob B"]
    assert len(mark_others(lecture=lecture, status="absent", user=course.lecturers.get())) == 2


def test_the_register_of_a_section_and_its_files(course: Course, lecture: Lecture) -> None:
    client = Client()
    client.force_login(course.lecturers.get())
    mark_others(lecture=lecture, status="present", user=course.lecturers.get())
    page = client.get(reverse("register", args=[course.pk]), {"section": "A", "required": "50"}).content.decode()
    assert names(page) == ["Ann A", "Bob B"]
    assert client.get(reverse("register", args=[course.pk]), {"section": "Z"}).status_code == 400

    def file(kind: str, section: str) -> bytes:
        address = reverse("register-file", args=[course.pk, kind])
        assert f"{address}?section=A&amp;required=50" in page
        return client.get(address, {"section": section}).getvalue()

    _head, *rows = csv.reader(io.StringIO(file("csv", "A").decode("utf-8-sig")))
    assert [row[1:3] for row in rows] == [["Ann A", "A"], ["Bob B", "A"]]
    book = load_workbook(io.BytesIO(file("xlsx", "")))
    for sheet in ("Register", "Students"):
        assert [cell.value for cell in book[sheet]["C"][:4]] == ["Section", "A", "A", "Lab 2"]
    assert "Lab 2" in PdfReader(io.BytesIO(file("pdf", "Lab 2"))).pages[0].extract_text()
    Enrolment.objects.update(section="")
    assert b"Section" not in client.get(reverse("register-file", args=[course.pk, "csv"])).getvalue()


def test_the_files_of_a_lecture_have_the_column(course: Course, lecture: Lecture, tmp_path) -> None:
    mark_others(lecture=lecture, status="present", user=course.lecturers.get())
    _head, *rows = csv.reader(io.StringIO(lecture_csv(lecture).decode("utf-8-sig")))
    assert [row[2:4] for row in rows] == [
        ["A", "Present"], ["A", "Present"], ["Lab 2", "Present"], ["", "Present"]
    ]  # fmt: skip
    assert "Lab 2" in PdfReader(io.BytesIO(lecture_pdf(lecture))).pages[0].extract_text()
    write_lecture_workbook(tmp_path / "lecture.xlsx", build_lecture_report(lecture))
    sheet = load_workbook(tmp_path / "lecture.xlsx")["Attendance"]
    assert [cell.value for cell in sheet["C"]] == ["Section", "A", "A", "Lab 2", None]
    assert sheet["D2"].fill.start_color.rgb != sheet["C2"].fill.start_color.rgb


def test_the_api_knows_sections(world: World) -> None:
    client = Client()
    client.force_login(world.registrar)
    row = world.course.enrolments.first()
    assert row is not None
    address = reverse("api-enrolment-detail", args=[row.pk])
    assert client.patch(address, {"section": "B"}, content_type="application/json").json()["section"] == "B"
    found = client.get(reverse("api-enrolment-list"), {"section": "B"}).json()["results"]
    assert [enrolment["id"] for enrolment in found] == [row.pk]


def test_a_student_joins_a_section(course: Course) -> None:
    student = enrol_student(number="E1", name="Eve", course=course, section="Lab 2")
    assert course.enrolments.get(student=student).section == "Lab 2"
