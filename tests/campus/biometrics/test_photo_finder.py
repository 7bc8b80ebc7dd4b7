"""Whose folder it is: what people call folders is understood, and nobody's photos are given to somebody else."""

import unicodedata
from typing import Any

import pytest

from campus.academics.models import Course, Student
from campus.biometrics.photo_finder import FolderMatch, StudentFinder
from tests.campus import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def course() -> Course:
    return factories.course(code="CS101")


def enrol(course: Course, *students: tuple[str, str]) -> None:
    for number, name in students:
        factories.enrol(course, Student.objects.create(number=number, name=name))


def match(course: Course, folder: str) -> FolderMatch:
    return StudentFinder(course).match(["photos", folder])


@pytest.mark.parametrize(
    "folder",
    [
        "1001",
        "Umut Uysal",
        "umut  uysal",
        "Umut_Uysal",
        "Uysal, Umut",
        "1001 Umut Uysal",
        "1001_Uysal, Umut",
        "1001 - Umut Uysal",
        "Umut Uysal_1001",
        "Umut Uysal (1001)",
        "Umut Uysal_123456_assignsubmission_file",
        "Umut Uysal_123456_assignsubmission_file_",
        "Uysal, Umut_123456_assignsubmission_file",
    ],
)
def test_what_people_call_folders_is_understood(course: Course, folder: str) -> None:
    enrol(course, ("1001", "Umut Uysal"), ("123456", "Somebody Else"))
    found = match(course, folder).student
    assert found
    assert found.number == "1001"


def test_an_e_mail_address_is_its_students(course: Course) -> None:
    factories.enrol(course, Student.objects.create(number="1", name="Ann", email="Ann.Lee@uni.example"))
    factories.enrol(course, Student.objects.create(number="2", name="Bob"))
    assert match(course, "ann.lee@uni.example").student
    assert match(course, "").student is None


@pytest.mark.parametrize("folder", ["O'Connor", "O’Connor", "o‘connor", "O´Connor", "O'Connor "])  # noqa: RUF001
def test_kinds_of_apostrophes_make_no_difference(course: Course, folder: str) -> None:
    enrol(course, ("1", "O’Connor"))  # noqa: RUF001
    assert match(course, folder).student


@pytest.mark.parametrize("name", ["Dũng Nguyễn", "Hörsaal", "ハク パク", "Zoë Åberg"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_in_other_bytes_is_the_same_name(course: Course, name: str, form: str) -> None:
    enrol(course, ("1", name))
    assert match(course, unicodedata.normalize(form, name)).student  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "other"), [("Dũng", "Dung"), ("Hành", "Hạnh"), ("ハク", "パク"), ("Jorg", "Jörg"), ("Mueller", "Müller")]
)
def test_names_that_differ_by_marks_are_different_people(course: Course, one: str, other: str) -> None:
    enrol(course, ("1", one))
    assert match(course, other).student is None
    enrol(course, ("2", other))
    assert (match(course, one).student, match(course, other).student) == tuple(Student.objects.order_by("number"))


def test_numbers_that_differ_by_capitals_are_two_where_the_institution_says_so(course: Course, settings: Any) -> None:
    settings.STUDENT_NUMBERS_CASE_SENSITIVE = True
    enrol(course, ("m5001", "Ann"), ("M5001", "Bob"))
    found = [match(course, folder).student for folder in ("m5001", "M5001", "m5001 Ann", "M5001 Ann")]
    assert [student and student.name for student in found] == ["Ann", "Bob", "Ann", None]


def test_a_number_is_a_number_before_it_is_a_name(course: Course) -> None:
    enrol(course, ("007", "Ann"), ("008", "007"))
    found = match(course, "007").student
    assert found
    assert found.name == "Ann"


@pytest.mark.parametrize(
    ("folder", "candidates", "why"),
    [
        ("Ann Lee", ["1001", "1002"], "Several students"),
        ("1003 Ann Lee", ["1003", "1001", "1002"], "both the number and the name"),
        ("1003 Bob", ["1003"], "both the number and the name"),
        ("Cy_999", ["1003"], "both the number and the name"),
        ("Lee", [], "No student"),
        ("Ann", [], "No student"),
        ("Lee Ann", [], "No student"),
        ("", [], "No student"),
    ],
)
def test_what_is_not_sure_names_whom_it_may_mean(course: Course, folder: str, candidates: list[str], why: str) -> None:
    enrol(course, ("1001", "Ann Lee"), ("1002", "Ann Lee"), ("1003", "Cy"))
    found = match(course, folder)
    assert found.student is None
    assert [student.number for student in found.candidates] == candidates
    assert why in str(found.reason)


@pytest.mark.parametrize("folder", ["Dung Nguyen", "Nguyen Dung", "nguyễn, dung", "Dung Nguyen 2024"])
def test_similar_names_are_suggested_and_never_taken(course: Course, folder: str) -> None:
    enrol(course, ("1", "Dũng Nguyễn"), ("2", "Ann Lee"))
    Student.objects.create(number="3", name="Dúng Nguyên")  # not of the class
    found = match(course, folder)
    assert (found.student, found.candidates) == (None, [])
    assert [student.number for student in found.similar] == ["1"]


def test_the_roster_decides_between_two_of_one_name(course: Course) -> None:
    enrol(course, ("1001", "Ann Lee"))
    Student.objects.create(number="1002", name="Ann Lee")
    outsider = Student.objects.create(number="1003", name="Out Sider")
    found = match(course, "Ann Lee").student
    assert found
    assert found.number == "1001"
    assert match(course, "Out Sider").candidates == [outsider]
    assert "not on the roster" in str(match(course, "Out Sider").reason)


def test_the_folder_next_to_the_file_counts_first(course: Course) -> None:
    enrol(course, ("1", "Ann"), ("2", "Bob"))
    found = StudentFinder(course).match(["Ann", "Bob"]).student
    assert found
    assert found.name == "Bob"
    found = StudentFinder(course).match(["Ann", "holiday"]).student
    assert found
    assert found.name == "Ann"


def test_a_hostile_name_takes_no_time(course: Course) -> None:
    enrol(course, ("1", "Ann"))
    for name in ("1" * 60_000, "a1" * 30_000, "1 " * 30_000, "_" * 60_000, "1" * 300, "_1" * 150):
        assert match(course, name).student is None


def test_numbers_that_differ_by_capitals_are_of_two_students_where_the_institution_says_so(settings: Any) -> None:
    settings.STUDENT_NUMBERS_CASE_SENSITIVE = True
    small, capital = (Student.objects.create(number=number, name="Ann Lee") for number in ("m5001", "M5001"))
    finder = StudentFinder(None)
    assert [finder.match([number]).student for number in ("m5001", "M5001", "\u200bM5001")] == [small, capital, capital]
