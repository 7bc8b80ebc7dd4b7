"""What is found by what people type."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone, translation

from campus.academics.models import Course, Lecture, Room, Student
from campus.academics.search import find_courses, find_lectures, find_rooms, find_students, split_off_days
from campus.accounts.roles import Role
from tests.campus import factories
from tests.campus.conftest import World

FINDERS = (find_courses, find_students, find_lectures, find_rooms)


def test_who_finds_what(world: World):
    hidden = factories.student(name="Zoë Hidden")
    factories.enrol(world.foreign.course, hidden)
    for who in (world.registrar, factories.person(Role.AUDITOR), factories.person(Role.ADMINISTRATOR), world.other):
        assert list(find_students(who, "zoë hidden")) == [hidden]
        assert list(find_courses(who, "MA202")) == [world.foreign.course]
        assert list(find_lectures(who, "MA202")) == [world.foreign]
        assert list(find_rooms(who, "B 12")) == [world.lecture.room]
    for finder, text in ((find_students, "hidden"), (find_courses, "MA202"), (find_lectures, "MA202")):
        assert not finder(world.own, text)
    assert list(find_lectures(world.own, "Loops")) == [world.lecture]
    world.own.is_active = False
    assert not any(finder(world.own, text) for finder in FINDERS for text in ("CS101", "Loops", "B 12", "Student"))


@pytest.mark.parametrize("text", ["muller", "MÜLLER", "mu\u0308ller", "jürg muller", "  Muller   Jurg ", "\uff4duller"])
def test_capitals_marks_and_the_order_of_words_make_no_difference(world: World, text: str):
    named = "Jürg Müller"
    student, room = factories.student(name=named), factories.room(named)
    course = factories.course(name=named)
    lecture = factories.lecture(factories.course(), title=named)
    assert list(find_students(world.registrar, text)) == [student]
    assert list(find_courses(world.registrar, text)) == [course]
    assert list(find_rooms(world.registrar, text)) == [room]
    assert list(find_lectures(world.registrar, text)) == [lecture]


def test_codes_and_rooms_are_found_without_their_spaces(world: World):
    course = factories.course(code="PH 7 A")
    assert list(find_courses(world.registrar, "ph7a")) == list(find_courses(world.registrar, "PH 7 a")) == [course]
    assert list(find_rooms(world.registrar, "b12")) == [world.lecture.room]


def test_a_room_is_found_by_its_building_and_what_changes_is_found_by_its_new_name(world: World):
    room = Room.objects.create(name="Aula", building="Café Wing")
    assert list(find_rooms(world.registrar, "cafe")) == [room]
    room.building = "Tower"
    room.save(update_fields=["building"])
    assert not find_rooms(world.registrar, "cafe")
    assert list(find_rooms(world.registrar, "tower")) == [room]
    Lecture.objects.filter(pk=world.lecture.pk).update(title="Señales")
    assert list(find_lectures(world.registrar, "senales")) == [world.lecture]


def test_what_is_called_exactly_so_comes_first_then_what_begins_so(world: World):
    for number, name in (("71", "Xavier Aaa"), ("7", "Yves Zzz"), ("8", "Uno Kamuller"), ("9", "Ann Muller")):
        Student.objects.create(number=number, name=name)
    assert [student.number for student in find_students(world.registrar, "7")][:2] == ["7", "71"]
    assert [student.number for student in find_students(world.registrar, "muller")] == ["9", "8"]
    Course.objects.create(code="AB ART", name="Partly")
    art = Course.objects.create(code="ART", name="Painting")
    assert find_courses(world.registrar, "art").first() == art


def test_lectures_are_found_by_class_title_room_and_day(world: World):
    day = factories.STARTS.date()
    other_day = factories.lecture(world.course, starts_at=factories.STARTS + timedelta(days=7), room=world.lecture.room)
    for text in (
        f"cs101 {day}",
        "16.11.2026 loops",
        "16/11/2026 CS101",
        "CS101 16 November 2026",
        "loops 16. nov 2026",
        "b12 cs101 16 Nov 2026",
    ):
        assert list(find_lectures(world.own, text)) == [world.lecture], text
    assert set(find_lectures(world.registrar, str(day))) == {world.lecture, world.foreign}
    assert set(find_lectures(world.own, "cs101 b 12")) == {world.lecture, other_day}
    with translation.override("de"):
        assert list(find_lectures(world.own, "16. november 2026")) == [world.lecture]


def test_a_number_that_may_be_a_day_also_finds_what_is_called_so(world: World):
    lecture = factories.lecture(world.course, title="Python 3.11", starts_at=datetime(2026, 5, 5, 9, tzinfo=UTC))
    assert lecture in find_lectures(world.own, "python 3.11")
    assert lecture not in find_lectures(world.own, "python 4.11")


def test_todays_lectures_come_first_then_the_coming_ones_then_the_latest(world: World):
    now, course = timezone.now(), factories.course(code="ORDER1")
    lectures = {days: factories.lecture(course, starts_at=now + timedelta(days=days)) for days in (-9, 8, -2, 3, 0)}
    assert list(find_lectures(world.registrar, "order1")) == [lectures[days] for days in (0, 3, 8, -2, -9)]
    assert list(find_lectures(world.registrar, "order1 today")) == [lectures[0]]


def test_days_in_texts():
    today = timezone.localdate()
    assert split_off_days("today") == ([today], "")
    assert split_off_days("CS1 Tomorrow") == ([today + timedelta(days=1)], "cs1")
    days, rest = split_off_days("a 5 mar b")
    assert days == [date(today.year + n, 3, 5) for n in (-1, 0, 1)]
    assert rest.split() == ["a", "b"]
    for text in ("31.2.2026", "2026-13-01", "1.1.9999", "99/99", "0001-01-01"):
        assert split_off_days(text)[0] == [], text
    for text in ("5 xyz", "1.2.3.4", "10 students", "x2026-11-16"):
        assert split_off_days(text) == ([], text)


@pytest.mark.parametrize("text", ["", "   ", "\x00", "\u200b", "\t\n"])
def test_nothing_is_found_by_nothing(world: World, text: str):
    assert not any(finder(world.registrar, text) for finder in FINDERS)


@pytest.mark.parametrize("text", ["%", "_", "\\", "%%%", "C_101", "' OR 1=1 --", '"', "x" * 5000, "<script>", "\u0308"])
def test_wildcards_and_hostile_texts_are_texts(world: World, text: str):
    found = [len(finder(world.registrar, text)) for finder in FINDERS]
    assert sum(found) == 0


def test_of_very_many_words_the_first_count(world: World):
    assert list(find_courses(world.registrar, "cs101 " * 50)) == [world.course]
