"""The roster from CSV and Excel: what would change is shown first, what is wrong is named row by row, and what
leaves again."""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from openpyxl import Workbook, load_workbook

from campus.academics import roster_files as roster
from campus.academics.models import Course, Enrolment, Student
from campus.academics.roster_import import RosterPlan, import_roster, plan_roster
from campus.common.errors import UserError
from tests.campus.web.admin_tools import client_of

pytestmark = pytest.mark.django_db
HEADER = "number,name,email,guardian_phone,class,from,to\n"
IMPORT = "/admin/academics/student/import/"


def upload(client: Client, content: bytes, **fields: Any) -> Any:
    return client.post(IMPORT, {"file": SimpleUploadedFile("roster", content), **fields})


def preview(client: Client, content: bytes, **fields: Any) -> tuple[str, RosterPlan]:
    """Returns the preview's address and what it says."""
    address = upload(client, content, **fields).url
    return address, client.get(address).context["plan"]


def confirm(client: Client, address: str, **fields: str) -> None:
    assert client.post(address, fields)["Location"] == "/admin/academics/student/"


def do_import(content: bytes, course: Course | None = None, complete: bool = False) -> list[int]:
    """How many were new, changed, and as they were."""
    table = roster.read_table(content)
    plan = import_roster(table=table, columns=roster.guess_columns(table.headers), course=course, complete=complete)
    return [len(plan.new), len(plan.changed), plan.unchanged]


def workbook(*rows: Sequence[object]) -> bytes:
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
    address, plan = preview(registrar, content)
    assert [(change.student.number, change.new_student, change.joins) for change in plan.new] == [
        ("007", True, True),
        ("008", True, False),
    ]
    assert not Student.objects.exists()
    confirm(registrar, address)
    ann = Student.objects.get(number="007")
    assert (ann.name, ann.email, ann.guardian_phone) == ("Ann Lee", "ann@x.org", "+44 20 1")
    enrolment = Enrolment.objects.get()
    assert (enrolment.student, enrolment.course) == (ann, course)
    assert (enrolment.valid_from, enrolment.valid_to) == (date(2026, 9, 1), date(2026, 12, 31))
    assert Student.objects.filter(number="008", courses=None).exists()
    course.refresh_from_db()
    assert course.gallery_outdated_at, "the class may need another gallery"


def test_the_same_file_again_changes_nothing_and_a_changed_row_updates(course: Course) -> None:
    content = (HEADER + "007,Ann,,,CS101,,\n").encode()
    assert do_import(content) == [1, 0, 0]
    assert do_import(content) == [0, 0, 1]
    assert do_import((HEADER + "007,Ann Lee,,,CS101,,2030-01-01\n").encode()) == [0, 1, 0]
    assert Student.objects.get().name == "Ann Lee"
    assert Enrolment.objects.get().valid_to == date(2030, 1, 1)
    # A column that is missing changes nothing.
    assert do_import(b"number,email\n007,a@x.org\n") == [0, 1, 0]
    assert Student.objects.get().name == "Ann Lee"


def test_the_preview_says_what_a_row_was_and_will_be(registrar: Client, course: Course) -> None:
    do_import(b"number,name,class\n007,Ann,CS101\n")
    page = registrar.get(preview(registrar, b"number,name\n007,<b>Ann Lee</b>\n")[0]).content.decode()
    assert "Ann → &lt;b&gt;Ann Lee&lt;/b&gt;" in page


def test_a_student_may_stand_in_several_classes_in_one_file(course: Course) -> None:
    Course.objects.create(code="MA1", name="Maths")
    assert do_import((HEADER + "1,Ann,,,CS101,,\n1,Ann,,,MA1,,\n").encode()) == [2, 0, 0]
    assert Student.objects.count() == 1
    assert Enrolment.objects.count() == 2


def test_who_is_not_in_the_file_is_named_and_leaves_when_the_file_is_the_whole_roster(
    registrar: Client, course: Course
) -> None:
    other = Course.objects.create(code="MA1", name="Maths")
    do_import(b"number,name,class,from\n1,Ann,CS101,2026-01-01\n2,Bob,CS101,2026-01-01\n3,Cy,MA1,2026-01-01\n")
    guest = Student.objects.create(number="G1", name="Guest", guest=True)
    Enrolment.objects.create(course=course, student=guest)
    address, plan = preview(registrar, b"number,name,class\n1,Ann,CS101\n")
    assert [str(row.student.number) for row in plan.leaving] == ["2"]
    confirm(registrar, address)
    assert Enrolment.objects.get(student__number="2").valid_to is None, "only when it is asked for"
    confirm(registrar, preview(registrar, b"number,name,class\n1,Ann,CS101\n")[0], complete="on")
    assert Enrolment.objects.get(student__number="2").valid_to == timezone.localdate() - timedelta(days=1)
    assert not Enrolment.objects.exclude(student__number="2").exclude(valid_to=None).exists()
    assert other.students.count() == 1
    assert do_import(b"number,name,class\n1,Ann,CS101\n2,Bob,CS101\n") == [0, 1, 1], (
        "who is on the roster again comes back"
    )
    assert Enrolment.objects.get(student__number="2").valid_to is None


def test_columns_are_recognised_or_chosen(registrar: Client, course: Course) -> None:
    content = "Matrikelnummer;Vorname;Nachname;E-Mail;X\n7;Zoë;Åberg;z@x.org;CS101\n".encode()
    address, plan = preview(registrar, content, course=course.pk)
    assert (plan.new[0].student.name, plan.new[0].course) == ("Zoë Åberg", course)
    chosen = registrar.get(f"{address}&number=0&name=2&class=4&email=").context["plan"]
    assert (chosen.new[0].student.name, chosen.new[0].student.email, chosen.new[0].course) == ("Åberg", "", course)
    nothing = registrar.get(f"{address}&number=&name=2")
    assert "No column is the student number" in nothing.content.decode()
    assert registrar.get(f"{address}&number=99").context["plan"] is None
    confirm(registrar, f"{address}&number=0&name=2")
    assert Student.objects.get().name == "Åberg"


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
        ("1,Ann,,,CS101,,", "in row 2 already"),
        ("1,Anna,,,,,", "Row 2 says something else"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_of_the_file_is_imported(
    registrar: Client, course: Course, row: str, sentence: str
) -> None:
    address, plan = preview(registrar, (HEADER + "1,Ann,,,CS101,,\n" + row + "\n").encode())
    (wrong,) = plan.errors
    assert wrong.line == 3, "as the spreadsheet counts"
    assert sentence in " ".join(wrong.reasons)
    assert sentence in registrar.get(address).content.decode()
    assert "can&#x27;t be imported" in registrar.post(address).content.decode()
    assert not Student.objects.exists()


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffnumber;name;guardian_phone\r\n007;Zoë;+44;\r\n".encode(),
        "Number\tName\tGuardian phone\n007\tZoë\t+44\n".encode("utf-16"),
        "number,name,guardian_phone\n007,Zoë,+44\n\n,,\n".encode("cp1252"),
    ],
)
def test_csv_as_programs_write_it(content: bytes) -> None:
    do_import(content)
    student = Student.objects.get()
    assert (student.number, student.name, student.guardian_phone) == ("007", "Zoë", "+44")


def test_numbers_and_dates_of_a_workbook_are_read_as_people_see_them(course: Course) -> None:
    header = ["Number", "name", "guardian_phone", "class", "from", "unknown column"]
    do_import(
        workbook(header, [12345.0, "Ann", 447700900000, "CS101", date(2026, 9, 1), "x"], ["007", "Bob", "+44", None])
    )
    assert {(student.number, student.guardian_phone) for student in Student.objects.all()} == {
        ("12345", "447700900000"),
        ("007", "+44"),
    }
    assert Enrolment.objects.get().valid_from == date(2026, 9, 1)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no rows"),
        (b"number,name\n", "no rows"),
        (b"MZ\x00\x00", "neither a CSV file nor an Excel workbook"),
        (b"PK\x03\x04 no workbook", "no Excel workbook"),
        (b"number\n" + b"x" * 200_000, "can&#x27;t be read"),
    ],
)
def test_a_file_that_is_no_roster_is_refused_with_a_sentence(registrar: Client, content: bytes, sentence: str) -> None:
    assert sentence in upload(registrar, content).content.decode()
    assert not default_storage.exists("rosters") or not default_storage.listdir("rosters")[1]


def test_limits(registrar: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "MAX_ROWS", 1)
    with pytest.raises(UserError, match="more than 1 rows"):
        roster.read_table(b"number\n1\n2\n")
    monkeypatch.setattr(roster, "MAX_UNPACKED_BYTES", 10)
    with pytest.raises(UserError, match="too large"):
        roster.read_table(workbook(["number"]))
    monkeypatch.setattr("campus.web.admin.rosters.MAX_BYTES", 5)
    assert "larger than" in upload(registrar, b"number\n1\n").content.decode()


def test_what_leaves_comes_back_the_same_and_is_no_formula(registrar: Client, course: Course) -> None:
    evil = Student.objects.create(number="007", name="=1+1", guardian_phone="+44 1", email="a@x.org")
    Enrolment.objects.create(course=course, student=evil, valid_from=date(2026, 9, 1))
    Student.objects.create(number="-8", name="@Bob")
    for kind in ("csv", "xlsx"):
        content = registrar.post("/admin/academics/student/export/", {"kind": kind}).content
        if kind == "csv":
            assert "'=1+1" in content.decode()
            assert "'+44 1" in content.decode()
        else:
            sheet = load_workbook(BytesIO(content)).active
            assert [cell.value for cell in sheet[1]] == list(roster.COLUMNS)
            assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
            assert "=1+1" in [cell.value for row in sheet.iter_rows() for cell in row]
        assert do_import(content) == [0, 0, 2]
    only = registrar.post("/admin/academics/student/export/", {"kind": "csv", "course": course.pk}).content.decode()
    assert len(only.splitlines()) == 2


def test_a_preview_is_imported_once_and_is_its_owner_s_alone(registrar: Client, course: Course) -> None:
    address, _ = preview(registrar, b"number,name\n1,Ann\n")
    stranger = client_of("second", registrar=True)
    assert stranger.get(address)["Location"] == IMPORT
    assert stranger.post(address)["Location"] == IMPORT
    confirm(registrar, address)
    assert not default_storage.listdir("rosters")[1]
    assert registrar.post(address)["Location"] == IMPORT


def test_only_registrars_import_and_export(registrar: Client) -> None:
    address, _ = preview(registrar, b"number,name\n1,Ann\n")
    lecturer = client_of("lecturer")
    for page in (IMPORT, address, "/admin/academics/student/export/"):
        assert re.match("/admin/login/", lecturer.post(page)["Location"])


def test_ten_thousand_rows_ask_the_database_a_few_times_only(
    course: Course, django_assert_max_num_queries: Any
) -> None:
    rows = "\n".join(f"{number},Student {number},s{number}@x.org,,CS101,," for number in range(10_000))
    table = roster.read_table((HEADER + rows).encode())
    columns = roster.guess_columns(table.headers)
    with django_assert_max_num_queries(400):
        assert len(import_roster(table=table, columns=columns).new) == 10_000
    with django_assert_max_num_queries(5):
        assert plan_roster(table, columns).unchanged == 10_000
