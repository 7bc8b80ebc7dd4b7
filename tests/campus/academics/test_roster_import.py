"""The roster from CSV and Excel: what would change is shown first, what is wrong is named row by row, and what
leaves again."""

import re
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from django.utils.html import escape
from openpyxl import Workbook, load_workbook

from campus.academics import roster_files as roster
from campus.academics.models import Course, Enrolment, Lecture, Student
from campus.academics.roster_columns import COLUMNS, guess_columns
from campus.academics.roster_import import import_roster
from campus.academics.roster_plan import plan_roster
from campus.common.errors import UserError
from campus.consent.models import Consent
from campus.consent.services import record_answer
from tests.campus import factories
from tests.campus.academics.rosters import (
    HEADER,
    IMPORT,
    confirm,
    do_import,
    plan_of,
    preview,
    read_otherwise,
    upload,
    workbook,
)
from tests.campus.web.admin_tools import client_of

pytestmark = pytest.mark.django_db


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


def test_importing_again_writes_what_changed(course: Course) -> None:
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


def test_who_is_missing_from_a_whole_roster_leaves(registrar: Client, course: Course) -> None:
    other = Course.objects.create(code="MA1", name="Maths")
    do_import(b"number,name,class,from\n1,Ann,CS101,2026-01-01\n2,Bob,CS101,2026-01-01\n3,Cy,MA1,2026-01-01\n")
    guest = Student.objects.create(number="G1", name="Guest", guest=True)
    Enrolment.objects.create(course=course, student=guest)
    address, plan = preview(registrar, b"number,name,class\n1,Ann,CS101\n")
    assert [str(row.student.number) for row in plan.leaving] == ["2"]
    confirm(registrar, address)
    assert Enrolment.objects.get(student__number="2").valid_to is None, "only when it is asked for"
    address, _ = preview(registrar, b"number,name,class\n1,Ann,CS101\n")
    refused = registrar.post(address, {"complete": "on"}).content.decode()
    assert "1 of 2 students leave CS101" in refused
    assert Enrolment.objects.get(student__number="2").valid_to is None, "half of the class only when it is confirmed"
    confirm(registrar, address, complete="on", accept_departures="on")
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
    chosen = registrar.get(f"{address}?number=0&name=2&class=4&email=").context["plan"]
    assert (chosen.new[0].student.name, chosen.new[0].student.email, chosen.new[0].course) == ("Åberg", "", course)
    nothing = registrar.get(f"{address}?number=&name=2")
    assert "No column is the student number" in nothing.content.decode()
    assert registrar.get(f"{address}?number=99").context["plan"] is None
    confirm(registrar, f"{address}?number=0&name=2")
    assert Student.objects.get().name == "Åberg"


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("9,Eve,,,XX9,,", "There is no class with the code"),
        ("9,Eve,not-an-address,,CS101,,", "valid email"),
        ("9,Eve,,,CS101,tomorrow,", "is not a date"),
        ("9,Eve,,,CS101,2026-09-02,2026-09-01", "ends before it starts"),
        ("9,,,,CS101,,", "cannot be blank"),
        (",Eve,,,CS101,,", "There is no student number"),
        ("1.23457E+11,Eve,,,CS101,,", "rounded by a spreadsheet program"),
        ('"1,23457e+11",Eve,,,CS101,,', "rounded by a spreadsheet program"),
        ("2026-02-01,Eve,,,CS101,,", "is a date that a spreadsheet program made"),
        ("#REF!,Eve,,,CS101,,", "a formula that failed"),
        ("9,E\ufffdve,,,CS101,,", "characters that can't be read"),
        ("9,ZoÃ«,,,CS101,,", "it was “Zoë”"),
        ("9,Eve,,,CS101,09/10/2026,", "can be two days"),
        ("9" * 41 + ",Eve,,,CS101,,", "at most 40 characters"),
        ("1,Ann,,,CS101,,", "in row 2 already"),
        ("1,Anna,,,,,", "Row 2 says something else"),
    ],
)
def test_with_a_wrong_row_nothing_is_imported(registrar: Client, course: Course, row: str, sentence: str) -> None:
    address, plan = preview(registrar, (HEADER + "1,Ann,,,CS101,,\n" + row + "\n").encode())
    (wrong,) = plan.errors
    assert wrong.line == 3, "as the spreadsheet counts"
    assert sentence in " ".join(wrong.reasons)
    assert escape(sentence) in registrar.get(address).content.decode()
    assert "can&#x27;t be imported" in registrar.post(address).content.decode()
    assert not Student.objects.exists()


def test_a_workbook_is_read_as_people_see_it(course: Course) -> None:
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
    assert sentence in registrar.get(upload(registrar, content)).content.decode()


def test_limits(registrar: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "MAX_ROWS", 1)
    with pytest.raises(UserError, match="more than 1 rows"):
        roster.read_table(b"number\n1\n2\n")
    monkeypatch.setattr("campus.academics.roster_workbooks.MAX_UNPACKED_BYTES", 10)
    with pytest.raises(UserError, match="too large"):
        roster.read_table(workbook(["number"]))
    monkeypatch.setattr(roster, "MAX_CHARACTERS", 1_000)
    with pytest.raises(UserError, match="Keep only the columns"):
        roster.read_table(b"number,name\n1," + b"x" * 1_000 + b"\n")
    monkeypatch.setattr("campus.academics.file_imports.MAX_ROSTER_BYTES", 5)
    page = registrar.post(IMPORT, {"file": SimpleUploadedFile("roster", b"number\n1\n")})
    assert "larger than" in page.content.decode()


def test_what_leaves_comes_back_the_same_and_is_no_formula(registrar: Client, course: Course) -> None:
    evil = Student.objects.create(number="007", name="=1+1", guardian_phone="+44 1", email="a@x.org")
    Enrolment.objects.create(course=course, student=evil, valid_from=date(2026, 9, 1), section="=A")
    Student.objects.create(number="-8", name="@Bob")
    record_answer(student=evil, given=False, method=Consent.Method.PAPER)
    for kind in ("csv", "xlsx"):
        content = registrar.post("/admin/academics/student/export/", {"kind": kind}).content
        if kind == "csv":
            assert "'=1+1" in content.decode()
            assert "'+44 1" in content.decode()
        else:
            sheet = load_workbook(BytesIO(content)).active
            assert [cell.value for cell in sheet[1]] == list(COLUMNS)
            assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
            assert "=1+1" in [cell.value for row in sheet.iter_rows() for cell in row]
        assert do_import(content) == [0, 0, 2]
    only = registrar.post("/admin/academics/student/export/", {"kind": "csv", "course": course.pk}).content.decode()
    assert len(only.splitlines()) == 2


def test_a_preview_is_its_owners_and_imported_once(
    registrar: Client, course: Course, django_capture_on_commit_callbacks: Any
) -> None:
    address, _ = preview(registrar, b"number,name\n1,Ann\n")
    stranger = client_of("second", registrar=True)
    assert stranger.get(address)["Location"] == IMPORT
    assert stranger.post(address)["Location"] == IMPORT
    with django_capture_on_commit_callbacks(execute=True):
        confirm(registrar, address)
    assert not default_storage.listdir("imports")[1]
    assert registrar.post(address)["Location"] == IMPORT


def test_only_registrars_import_and_export(registrar: Client) -> None:
    address, _ = preview(registrar, b"number,name\n1,Ann\n")
    lecturer = client_of("lecturer")
    for page in (IMPORT, address, "/admin/academics/student/export/"):
        assert re.match("/admin/login/", lecturer.post(page)["Location"])


def test_ten_thousand_rows_take_few_queries(course: Course, django_assert_max_num_queries: Any) -> None:
    rows = "\n".join(f"{number},Student {number},s{number}@x.org,,CS101,," for number in range(10_000))
    table = roster.read_table((HEADER + rows).encode())
    columns = guess_columns(table.headers)
    with django_assert_max_num_queries(400):
        assert len(import_roster(table=table, columns=columns).new) == 10_000
    with django_assert_max_num_queries(5):
        assert plan_roster(table, columns).unchanged == 10_000


def test_a_tenth_of_a_class_may_leave_without_a_question(course: Course) -> None:
    rows = [f"{number},Student {number},CS101" for number in range(10)]
    do_import("\n".join(["number,name,class", *rows]).encode())
    assert not plan_of("\n".join(["number,name,class", *rows[:9]]).encode()).large_departures
    (departure,) = plan_of("\n".join(["number,name,class", *rows[:8]]).encode()).large_departures
    assert (departure.course, departure.leaving, departure.enrolled) == (course, 2, 10)


def hold_lectures(course: Course, *days: date) -> None:
    for day in days:
        starts = timezone.make_aware(datetime.combine(day, time(9)))
        Lecture.objects.create(course=course, starts_at=starts, ends_at=starts + timedelta(hours=1))


def test_who_joins_is_enrolled_from_the_first_lecture_of_the_term(course: Course) -> None:
    today = timezone.localdate()
    first = today - timedelta(days=50)
    last_term = first - timedelta(days=60)
    hold_lectures(course, last_term, first, today - timedelta(days=20), today + timedelta(days=8))
    do_import(f"number,name,from\n1,Ann,\n2,Bob,{today}\n".encode(), course)
    assert [row.valid_from for row in Enrolment.objects.order_by("student__number")] == [first, today]


def test_a_class_without_lectures_yet_starts_today(course: Course) -> None:
    hold_lectures(course, timezone.localdate() + timedelta(days=8))
    do_import(b"number,name\n1,Ann\n", course)
    assert Enrolment.objects.get().valid_from == timezone.localdate()


def test_the_start_of_the_enrolments_can_be_chosen(registrar: Client, course: Course) -> None:
    address, _ = preview(registrar, b"number,name,class\n1,Ann,CS101\n")
    assert "enter a valid date" in registrar.post(address, {"start": "soon"}).content.decode().lower()
    confirm(registrar, address, start="2026-09-14")
    assert Enrolment.objects.get().valid_from == date(2026, 9, 14)


def test_the_format_of_the_file_is_shown_and_can_be_changed(registrar: Client, course: Course) -> None:
    content = "number;name\r\n1;Łukasz Wójcik\r\n".encode("cp1250")
    address, plan = preview(registrar, content)
    assert plan.new[0].student.name == "Łukasz Wójcik"
    assert "Check that these are right: Łukasz Wójcik" in registrar.get(address).content.decode()
    chosen = {"encoding": "cp1250", "separator": ";", "header_row": 0}
    read_otherwise(registrar, address, **chosen)
    no_header = registrar.get(f"{address}?number=0&name=1").context["plan"]
    assert ([row.number for row in no_header.errors], len(no_header.new)) == ([], 2)
    assert registrar.post(address, {"format": "", **chosen, "encoding": "rot13"}).context["format_form"].errors
    failed = read_otherwise(registrar, address, **chosen | {"header_row": 30})
    assert (failed.context["problem"][:17], failed.context["plan"]) == ("There are no rows", None)
    other = read_otherwise(registrar, address, **chosen | {"encoding": "cp1252", "header_row": 1})
    assert other.context["plan"].new[0].student.name == "£ukasz Wójcik"
    assert "Check that these" not in other.content.decode()
    confirm(registrar, address)
    assert Student.objects.get().name == "£ukasz Wójcik", "what was previewed is imported"


def test_another_sheet_can_be_chosen(registrar: Client, course: Course) -> None:
    book, content = Workbook(), BytesIO()
    for title, row in (("A", ["number", "name"]), ("B", ["number", "name"])):
        sheet = book.create_sheet(title)
        sheet.append(row)
        sheet.append([title, "Ann"])
    book.save(content)
    address, plan = preview(registrar, content.getvalue())
    assert plan.new[0].student.number == "A"
    page = read_otherwise(registrar, address, sheet="B", header_row=1)
    assert page.context["plan"].new[0].student.number == "B"


def test_a_late_roster_says_what_to_count_again(registrar: Client) -> None:
    recording = factories.recording(state="done", duration=60.0)
    content = f"number,name,class\nX1,Zoë Åberg,{recording.lecture.course.code}\n".encode()
    address, _ = preview(registrar, content)
    page = registrar.post(address, {"start": str(factories.STARTS.date())}, follow=True).content.decode()
    assert "Take attendance again" in page
    link = re.search(r"/admin/recordings/recording/\?id__in=[^\"]+", page)
    assert link
    assert registrar.get(link[0]).context["cl"].result_count == 1
    action = {"action": "restart_all", "_selected_action": [recording.pk]}
    registrar.post("/admin/recordings/recording/", action)
    recording.refresh_from_db()
    assert recording.state == "uploaded"
