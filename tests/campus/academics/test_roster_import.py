"""The roster from CSV and Excel: what would change is shown first, what is wrong is named row by row, and what
leaves again."""

import re
import string
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from django.utils.html import escape
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from campus.academics import roster_files as roster
from campus.academics.models import Course, Enrolment, Lecture, Student
from campus.academics.roster_checks import is_other_name
from campus.academics.roster_columns import COLUMNS, guess_columns
from campus.academics.roster_import import import_roster
from campus.academics.roster_plan import RosterPlan, plan_roster
from campus.common.errors import UserError
from tests.campus import factories
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


def plan_of(content: bytes, course: Course | None = None, **decisions: Any) -> RosterPlan:
    table = roster.read_table(content)
    return plan_roster(table, guess_columns(table.headers), course, **decisions)


def do_import(content: bytes, course: Course | None = None, **decisions: Any) -> list[int]:
    """How many were new, changed, and as they were."""
    table = roster.read_table(content)
    plan = import_roster(table=table, columns=guess_columns(table.headers), course=course, **decisions)
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
def test_a_wrong_row_is_named_and_nothing_of_the_file_is_imported(
    registrar: Client, course: Course, row: str, sentence: str
) -> None:
    address, plan = preview(registrar, (HEADER + "1,Ann,,,CS101,,\n" + row + "\n").encode())
    (wrong,) = plan.errors
    assert wrong.line == 3, "as the spreadsheet counts"
    assert sentence in " ".join(wrong.reasons)
    assert escape(sentence) in registrar.get(address).content.decode()
    assert "can&#x27;t be imported" in registrar.post(address).content.decode()
    assert not Student.objects.exists()


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
    monkeypatch.setattr("campus.academics.roster_workbooks.MAX_UNPACKED_BYTES", 10)
    with pytest.raises(UserError, match="too large"):
        roster.read_table(workbook(["number"]))
    monkeypatch.setattr("campus.web.admin.roster_forms.MAX_BYTES", 5)
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
            assert [cell.value for cell in sheet[1]] == list(COLUMNS)
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


@pytest.fixture
def ann(course: Course) -> Student:
    student = Student.objects.create(number="1001", name="Ann Lee", email="ann@x.org")
    Enrolment.objects.create(course=course, student=student, valid_from=date(2026, 9, 1))
    return student


@pytest.mark.parametrize(
    "number",
    [
        "\u200b1001",
        "1001\u200e",
        "10\u00a001",
        "1001.0",
        "'1001",
        "\u0661\u0660\u0660\u0661",
        "\uff11\uff10\uff10\uff11",
    ],
)
def test_a_number_is_the_same_however_it_is_written(ann: Student, course: Course, number: str) -> None:
    content = f"number,name\n{number},Ann\u00a0Lee\u200b\n".encode()
    assert do_import(content, course, complete=True) == [0, 0, 1]
    assert Student.objects.get().number == "1001"


def test_what_is_stored_has_no_invisible_characters(course: Course) -> None:
    do_import("number,name,email\n\u200b7\u200e,Ann\u00a0Lee\ufeff,ann@x.org\u200b\n".encode())
    student = Student.objects.get()
    assert (student.number, student.name, student.email) == ("7", "Ann Lee", "ann@x.org")


@pytest.mark.parametrize(("case_sensitive", "new"), [(False, 0), (True, 1)])
def test_capitals_of_numbers_matter_where_the_institution_says_so(
    settings: Any, course: Course, case_sensitive: bool, new: int
) -> None:
    settings.STUDENT_NUMBERS_CASE_SENSITIVE = case_sensitive
    Student.objects.create(number="m5001", name="Ann")
    assert len(plan_of(b"number,name\nM5001,Bea\n").new) == new


@pytest.mark.parametrize(
    "row", ["0001234,Ánn Lee,", "0001234,lee  ANN,", '0001234,"Lee, Ann",', "0001234,Annie,ANN@x.org"]
)
def test_a_new_number_of_an_existing_name_or_address_asks_first(ann: Student, course: Course, row: str) -> None:
    content = f"number,name,email\n{row}\n".encode()
    (question,) = plan_of(content, course).undecided
    assert (question.line, question.student.number, question.existing) == (2, "0001234", [ann])
    with pytest.raises(UserError, match="same person"):
        do_import(content, course)
    assert Student.objects.count() == 1


@pytest.mark.parametrize(("old", "listed", "kept"), [("0001234", "1234", "0001234"), ("1234", "0001234", "0001234")])
def test_zeros_that_a_program_has_dropped_are_kept(course: Course, old: str, listed: str, kept: str) -> None:
    student = Student.objects.create(number=old, name="Ann Lee")
    content = f"number,name\n{listed},A. Lee\n".encode()
    assert [row.existing for row in plan_of(content, course).undecided] == [[student]]
    do_import(content, course, same_people={listed: student.pk})
    student.refresh_from_db()
    assert (student.number, student.name) == (kept, "A. Lee")
    assert course.students.get() == student


def test_long_numbers_that_all_end_in_zeros_were_rounded(course: Course) -> None:
    rows = "".join(f"123456789012{n}00,Student {n}\n" for n in range(100, 105))
    rounded = plan_of(f"number,name\n{rows}".encode())
    assert len(rounded.errors) == 5
    assert "rounded" in rounded.errors[0].reasons[0]
    exact = plan_of(f"number,name\n{rows}12345678901231001,Ann\n".encode())
    assert not exact.errors


def test_the_same_person_keeps_everything_and_gets_the_new_number(ann: Student, course: Course) -> None:
    content = b"number,name,class\n0001234,Ann Lee,CS101\n"
    assert do_import(content, complete=True, same_people={"0001234": ann.pk}) == [0, 1, 0]
    assert Student.objects.get().number == "0001234"
    assert Student.objects.get(number_key="0001234") == ann
    assert Enrolment.objects.get().valid_to is None
    assert do_import(content) == [0, 0, 1], "nothing is asked again"


def test_two_people_of_one_name_are_two_students(ann: Student, course: Course) -> None:
    assert do_import(b"number,name\n2002,Ann Lee\n", course, same_people={"2002": None}) == [1, 0, 0]
    assert set(Student.objects.values_list("number", flat=True)) == {"1001", "2002"}
    assert not plan_of(b"number,name\n1001,Ann Lee\n2002,Ann Lee\n3003,Ann Lee\n").undecided, "the file has them all"


def test_a_known_number_with_quite_another_name_asks_first(ann: Student, course: Course) -> None:
    content = b"number,name,email\n1001,Tom Berg,tom@x.org\n"
    (question,) = plan_of(content, course).undecided
    assert [student.name for student in question.existing] == ["Ann Lee"]
    assert (question.line, question.student.name, question.has_known_number) == (2, "Tom Berg", True)
    with pytest.raises(UserError, match="same person"):
        do_import(content, course)
    (error,) = plan_of(content, course, same_people={"1001": None}).errors
    assert error.reasons == ["1001 is the number of Ann Lee. Correct it, or say that it is the same person."]
    assert Student.objects.get().name == "Ann Lee"
    do_import(content, course, same_people={"1001": ann.pk})
    assert Student.objects.get().name == "Tom Berg"
    assert not plan_of(content, course, same_people={"1001": None}).errors, "importing it again changes nothing"


def test_two_whose_numbers_were_swapped_are_both_asked_about(ann: Student, course: Course) -> None:
    Student.objects.create(number="1002", name="Bob Roe")
    questions = plan_of(b"number,name\n1002,Ann Lee\n1001,Bob Roe\n", course).undecided
    assert [question.existing[0].name for question in questions] == ["Bob Roe", "Ann Lee"]


@pytest.mark.parametrize(
    "name", ["Ánn Lee", "LEE, Ann", "Lee Ann", "Ann Maria Lee", "Ann Roth", "A. Roth", "An Lee", "Anna Lehe"]
)
def test_another_spelling_of_a_name_is_a_change_like_any_other(ann: Student, course: Course, name: str) -> None:
    plan = plan_of(f'number,name\n1001,"{name}"\n'.encode(), course)
    assert not plan.undecided
    assert not plan.errors


def test_who_keeps_the_address_is_the_same_person(ann: Student, course: Course) -> None:
    assert not plan_of(f"number,name,email\n1001,Tom Berg,{ann.email.upper()}\n".encode(), course).undecided


@given(words=st.lists(st.text(string.ascii_letters, min_size=1), min_size=1, max_size=4), data=st.data())
def test_the_order_of_a_name_and_words_left_out_do_not_matter(words: list[str], data: st.DataObject) -> None:
    other = data.draw(st.permutations(words))
    fewer = other[: data.draw(st.integers(1, len(other)))]
    assert not is_other_name(" ".join(words), " ".join(fewer))
    assert not is_other_name(" ".join(fewer), " ".join(words))


def test_a_guest_becomes_the_student(course: Course) -> None:
    guest = Student.objects.create(number="guest-1", name="Ann Lee", guest=True)
    do_import(b"number,name\n1001,Ann Lee\n", course, same_people={"1001": guest.pk})
    guest.refresh_from_db()
    assert (guest.number, guest.guest) == ("1001", False)


def test_an_existing_student_gets_one_new_number_only(ann: Student, course: Course) -> None:
    both = plan_of(b"number,name\n2,Ann Lee\n3,Ann Lee\n", same_people={"2": ann.pk, "3": ann.pk})
    assert [error.line for error in both.errors] == [3]
    assert plan_of(b"number,name\n2,Ann Lee\n", same_people={"2": 999}).errors
    assert plan_of(b"number,name\n1001,Ann Lee\n2,Ann Lee\n", same_people={"2": ann.pk}).errors


def test_the_preview_shows_pairs_side_by_side_and_does_what_is_chosen(
    registrar: Client, ann: Student, course: Course
) -> None:
    Student.objects.create(number="5", name="Bob Roe")
    content = b"number,name,class\n0001234,Ann Lee,CS101\n6,Bob Roe,CS101\n"
    address, _ = preview(registrar, content)
    page = registrar.get(address).content.decode()
    for text in ("Exists already", "In the file, row 2", "1001 becomes 0001234", "Two people", "ann@x.org"):
        assert text in page
    assert "Choose for each" in registrar.post(address, {"person_2": str(ann.pk)}).content.decode()
    assert Student.objects.count() == 2
    confirm(registrar, address, person_2=str(ann.pk), person_3="other")
    assert set(Student.objects.values_list("number", "name")) == {
        ("0001234", "Ann Lee"),
        ("5", "Bob Roe"),
        ("6", "Bob Roe"),
    }


def test_one_answer_for_all_pairs(registrar: Client, ann: Student, course: Course) -> None:
    bob = Student.objects.create(number="5", name="Bob Roe")
    address, _ = preview(registrar, b"number,name\n0001234,Ann Lee\n6,Bob Roe\n")
    confirm(registrar, address, all_people="same", person_3="other")
    ann.refresh_from_db()
    bob.refresh_from_db()
    assert (ann.number, bob.number) == ("0001234", "5")


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
    other = f"{address}?format=&encoding=cp1252&separator=;&header_row=1"
    assert registrar.get(other).context["plan"].new[0].student.name == "£ukasz Wójcik"
    assert "Check that these" not in registrar.get(other).content.decode()
    no_header = f"{address}?format=&encoding=cp1250&separator=;&header_row=0&number=0&name=1"
    assert [row.number for row in registrar.get(no_header).context["plan"].errors] == []
    assert [row.student.number for row in registrar.get(no_header).context["plan"].new] == ["number", "1"]
    assert registrar.get(f"{address}?format=&encoding=rot13&separator=;&header_row=1").status_code == 200
    confirm(registrar, other)
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
    assert registrar.get(f"{address}?format=&sheet=B&header_row=1").context["plan"].new[0].student.number == "B"


def test_a_roster_that_comes_late_says_where_nobody_looked_for_its_students(registrar: Client) -> None:
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
