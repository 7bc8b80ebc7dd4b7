"""The roster from CSV and Excel, through the admin's preview: what it does, what it refuses row by row, and what leaves again."""

from datetime import date
from io import BytesIO
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from openpyxl import Workbook, load_workbook

from campus.academics import roster
from campus.academics.models import Course, Enrolment, Student
from campus.errors import UserError
from tests.campus.admin_tools import client_of

pytestmark = pytest.mark.django_db
CSV, XLSX = "0", "1"
HEADER = "number,name,email,guardian_phone,class,from,to\n"


def preview(client: Client, content: bytes, kind: str = CSV) -> Any:
    file = SimpleUploadedFile("roster.csv" if kind == CSV else "roster.xlsx", content)
    response = client.post("/admin/academics/student/import/", {"import_file": file, "format": kind, "resource": "0"})
    assert response.status_code == 200
    return response


def confirm(client: Client, response: Any) -> Any:
    form = response.context.get("confirm_form")
    assert form is not None, response.context["form"].errors or [
        error.error for errors in response.context["result"].row_errors() for error in errors[1]
    ]
    return client.post("/admin/academics/student/process_import/", form.initial)


def do_import(client: Client, content: bytes, kind: str = CSV) -> list[str]:
    """Preview and confirm; returns what happened to each row."""
    response = preview(client, content, kind)
    assert confirm(client, response).status_code == 302
    return [row.import_type for row in response.context["result"].rows]


def workbook(*rows: list[object]) -> bytes:
    book, content = Workbook(), BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(content)
    return content.getvalue()


@pytest.fixture
def registrar(db: None) -> Client:
    return client_of("registrar", registrar=True)


@pytest.fixture
def course(db: None) -> Course:
    return Course.objects.create(code="CS101", name="Computing")


def test_preview_changes_nothing_and_confirming_enrols(registrar: Client, course: Course) -> None:
    content = (HEADER + "007,Ann Lee,ann@x.org,+44 20 1,cs101,2026-09-01,31/12/2026\n008,Bob,,,,,\n").encode()
    response = preview(registrar, content)
    assert not Student.objects.exists()
    assert confirm(registrar, response).status_code == 302
    ann = Student.objects.get(number="007")
    assert (ann.name, ann.email, ann.guardian_phone) == ("Ann Lee", "ann@x.org", "+44 20 1")
    enrolment = Enrolment.objects.get()
    assert (enrolment.student, enrolment.course) == (ann, course)
    assert (enrolment.valid_from, enrolment.valid_to) == (date(2026, 9, 1), date(2026, 12, 31))
    assert Student.objects.filter(number="008", courses=None).exists()


def test_the_same_file_again_changes_nothing_and_a_changed_row_updates(registrar: Client, course: Course) -> None:
    content = (HEADER + "007,Ann,,,CS101,,\n").encode()
    assert do_import(registrar, content) == ["new"]
    assert do_import(registrar, content) == ["skip"]
    assert do_import(registrar, (HEADER + "007,Ann Lee,,,CS101,,2030-01-01\n").encode()) == ["update"]
    assert Student.objects.get().name == "Ann Lee"
    assert Enrolment.objects.get().valid_to == date(2030, 1, 1)
    # A column that is missing changes nothing.
    assert do_import(registrar, b"number,email\n007,a@x.org\n") == ["update"]
    assert Student.objects.get().name == "Ann Lee"


def test_a_student_may_stand_in_several_classes_in_one_file(registrar: Client, course: Course) -> None:
    Course.objects.create(code="MA1", name="Maths")
    do_import(registrar, (HEADER + "1,Ann,,,CS101,,\n1,Ann,,,MA1,,\n").encode())
    assert Student.objects.count() == 1
    assert Enrolment.objects.count() == 2


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("9,Eve,,,XX9,,", "There is no class with the code"),
        ("9,Eve,not-an-address,,CS101,,", "valid email"),
        ("9,Eve,,,CS101,tomorrow,", "is not a date"),
        ("9,Eve,,,CS101,2026-09-02,2026-09-01", "ends before it starts"),
        ("9,,,,CS101,,", "cannot be blank"),
        (",Eve,,,CS101,,", "cannot be blank"),
        ("9" * 41 + ",Eve,,,CS101,,", "at most 40 characters"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_of_the_file_is_imported(registrar: Client, course: Course, row: str, sentence: str) -> None:
    response = preview(registrar, (HEADER + "1,Ann,,,CS101,,\n" + row + "\n").encode())
    (invalid,) = response.context["result"].invalid_rows
    assert invalid.number == 2
    assert sentence in str(invalid.error)
    assert sentence in response.content.decode()
    assert "confirm_form" not in response.context
    assert not Student.objects.exists()


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffnumber;name;guardian_phone\r\n007;Zoë;+44;\r\n".encode(),
        "Number\tName\tGuardian phone\n007\tZoë\t+44\n".encode("utf-16"),
        "number,name,guardian_phone\n007,Zoë,+44\n\n,,\n".encode("cp1252"),
    ],
)
def test_csv_as_programs_write_it(registrar: Client, content: bytes) -> None:
    do_import(registrar, content)
    student = Student.objects.get()
    assert (student.number, student.name, student.guardian_phone) == ("007", "Zoë", "+44")


def test_numbers_and_dates_of_a_workbook_are_read_as_people_see_them(registrar: Client, course: Course) -> None:
    header = ["Number", "name", "guardian_phone", "class", "from", "unknown column"]
    do_import(
        registrar, workbook(header, [12345.0, "Ann", 447700900000, "CS101", date(2026, 9, 1), "x"], ["007", "Bob", "+44", None]), XLSX
    )
    assert {(student.number, student.guardian_phone) for student in Student.objects.all()} == {("12345", "447700900000"), ("007", "+44")}
    assert Enrolment.objects.get().valid_from == date(2026, 9, 1)


@pytest.mark.parametrize(
    ("content", "kind", "sentence"),
    [
        (b"name\nAnn\n", CSV, "no column “number”"),
        (b"number,number\n1,2\n", CSV, "there twice"),
        (b"PK\x00\x00", CSV, "no CSV file"),
        (b"number,name\n1,Ann\n", XLSX, "no Excel workbook"),
        (b"number\n" + b"x" * 200_000, CSV, "can&#x27;t be read"),
    ],
)
def test_a_file_that_is_no_roster_is_refused_with_a_sentence(registrar: Client, content: bytes, kind: str, sentence: str) -> None:
    assert sentence in preview(registrar, content, kind).content.decode()


def test_limits(registrar: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "MAX_ROWS", 1)
    with pytest.raises(UserError, match="more than 1 rows"):
        roster.RosterCSV().create_dataset(b"number\n1\n2\n")
    monkeypatch.setattr(roster, "MAX_UNPACKED_BYTES", 10)
    with pytest.raises(UserError, match="too large"):
        roster.RosterXLSX().create_dataset(workbook(["number"]))
    monkeypatch.setattr("campus.web.admin.students.MAX_BYTES", 5)
    assert "larger than" in preview(registrar, b"number\n1\n").content.decode()


def test_what_leaves_comes_back_the_same_and_is_no_formula(registrar: Client, course: Course) -> None:
    evil = Student.objects.create(number="007", name="=1+1", guardian_phone="+44 1", email="a@x.org")
    Enrolment.objects.create(course=course, student=evil, valid_from=date(2026, 9, 1))
    Student.objects.create(number="-8", name="@Bob")
    for kind in (CSV, XLSX):
        response = registrar.post("/admin/academics/student/export/", {"format": kind, "resource": "0"})
        content = response.content
        if kind == CSV:
            assert "'=1+1" in content.decode()
            assert "'+44 1" in content.decode()
        else:
            sheet = load_workbook(BytesIO(content)).active
            assert [cell.value for cell in sheet[1]] == list(roster.COLUMNS)
            assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
            assert "=1+1" in [cell.value for row in sheet.iter_rows() for cell in row]
        assert do_import(registrar, content, kind) == ["skip", "skip"]


def test_a_preview_is_confirmed_once_and_names_no_other_file(registrar: Client, course: Course) -> None:
    response = preview(registrar, b"number,name\n1,Ann\n")
    confirm(registrar, response)
    assert not default_storage.listdir("django-import-export")[1]
    assert confirm(registrar, response).url == "/admin/academics/student/import/"
    form = response.context["confirm_form"].initial | {"import_file_name": "../../../etc/passwd"}
    assert registrar.post("/admin/academics/student/process_import/", form).url == "/admin/academics/student/import/"


def test_only_registrars_import_and_export(db: None) -> None:
    lecturer = client_of("lecturer")
    for address in ("import", "export", "process_import"):
        assert lecturer.post(f"/admin/academics/student/{address}/").status_code == 302
