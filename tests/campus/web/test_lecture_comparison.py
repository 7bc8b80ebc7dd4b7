"""Two lectures of a class side by side."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from campus.academics.models import Lecture
from campus.attendance.models import AttendanceRecord, Sighting
from campus.attendance.proposals import recount_lecture
from campus.attendance.roll import mark_others, mark_students
from tests.campus import factories
from tests.campus.conftest import World


@pytest.fixture
def lecturer(client: Client, world: World) -> Client:
    client.force_login(world.own)
    return client


@pytest.fixture
def earlier(world: World) -> Lecture:
    """A week before the world's lecture; nobody came."""
    lecture = factories.lecture(world.course, starts_at=world.lecture.starts_at - timedelta(weeks=1))
    mark_others(lecture=lecture, status="absent", user=world.own)
    return lecture


def compared(client: Client, lecture: Lecture, other: int | str | None = None) -> str:
    address = reverse("lecture-compare", args=[lecture.pk])
    response = client.get(address, {"other": other} if other is not None else {})
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode()).partition("<main")[2]


def groups(text: str) -> dict[str, list[int]]:
    """The students of each group, by its id."""
    parts = re.split(r'<h2 id="(\w+)"', text)[1:]
    return {
        key: [int(pk) for pk in re.findall(r'class="name" href="/students/(\d+)/"', part)]
        for key, part in zip(parts[::2], parts[1::2], strict=True)
    }


def test_who_came_to_both_to_one_and_to_neither(lecturer: Client, world: World, earlier: Lecture) -> None:
    other = world.course.students.exclude(pk=world.student.pk).get()
    text = compared(lecturer, world.lecture)
    assert groups(text) == {"second": [world.student.pk], "neither": [other.pk]}
    assert "Only on Mon 16 Nov, 09:00" in text
    assert reverse("crop", args=[world.sighting.pk, 0]) in text, "the face that was seen"
    assert compared(lecturer, earlier).split("<h2")[1:] == text.split("<h2")[1:], "the earlier one is always the first"
    mark_students(lecture=earlier, statuses={world.student.pk: "late", other.pk: "present"}, user=world.own)
    assert groups(compared(lecturer, world.lecture)) == {"both": [world.student.pk], "first": [other.pk]}


def test_who_is_to_be_confirmed_or_not_marked_is_in_no_other_group(
    lecturer: Client, world: World, earlier: Lecture
) -> None:
    Sighting.objects.filter(pk=world.sighting.pk).update(present=False, to_confirm=True)
    recount_lecture(lecture=world.lecture)
    other = world.course.students.exclude(pk=world.student.pk).get()
    AttendanceRecord.objects.filter(lecture=earlier, student=other).update(override_status="")
    text = compared(lecturer, world.lecture)
    assert set(groups(text)["open"]) == {world.student.pk, other.pk}
    assert list(groups(text)) == ["open"]


def test_who_was_enrolled_later_was_not_there_before(lecturer: Client, world: World, earlier: Lecture) -> None:
    factories.enrol(world.course, late := factories.student(), valid_from=world.lecture.starts_at.date())
    mark_students(lecture=world.lecture, statuses={late.pk: "present"}, user=world.own)
    text = compared(lecturer, world.lecture)
    assert late.pk in groups(text)["second"]
    assert "Not enrolled" in text


def test_the_other_lecture_is_chosen_from_those_of_the_class_that_were_held(
    lecturer: Client, world: World, earlier: Lecture
) -> None:
    empty = factories.lecture(world.course, starts_at=world.lecture.starts_at - timedelta(days=1))
    first = factories.lecture(world.course, starts_at=world.lecture.starts_at - timedelta(weeks=2))
    mark_others(lecture=first, status="present", user=world.own)
    text = compared(lecturer, world.lecture)
    assert re.findall(r'<option value="(\d+)"', text) == [str(earlier.pk), str(first.pk)]
    assert f'<option value="{earlier.pk}" selected' in text, "the one before"
    assert "first" in groups(compared(lecturer, world.lecture, first.pk)) or "both" in groups(
        compared(lecturer, world.lecture, first.pk)
    )
    for wrong in (empty.pk, world.foreign.pk, "x", 0):
        assert "Select a valid choice" in compared(lecturer, world.lecture, wrong)


def test_a_class_with_one_lecture_says_so_and_others_see_nothing(lecturer: Client, world: World) -> None:
    assert "no other lecture with attendance yet" in compared(lecturer, world.lecture)
    address = reverse("lecture-compare", args=[world.lecture.pk])
    assert address in lecturer.get(reverse("lecture", args=[world.lecture.pk])).content.decode()
    lecturer.force_login(world.other)
    assert lecturer.get(address).status_code == 404
    Lecture.objects.filter(pk=world.lecture.pk).update(cancelled=True)
    lecturer.force_login(world.own)
    assert lecturer.get(address).status_code == 404
    assert address not in lecturer.get(reverse("lecture", args=[world.lecture.pk])).content.decode()
