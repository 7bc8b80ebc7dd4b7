"""Who in a roster exists already: whoever has the number, however it is written, or whom a person chooses."""

import string
from datetime import date
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from campus.academics.models import Course, Enrolment, Student
from campus.academics.roster_checks import is_other_name
from campus.common.errors import UserError
from tests.campus.academics.rosters import confirm, do_import, plan_of, preview

pytestmark = pytest.mark.django_db


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
