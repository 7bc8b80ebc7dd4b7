"""The page of a search, the list under its box, and the page of a room."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.campus import factories
from tests.campus.conftest import World


@pytest.fixture
def lecturer(world: World) -> Client:
    client = Client()
    client.force_login(world.own)
    return client


@pytest.mark.parametrize("name", ["search", "search-suggestions"])
def test_each_hit_says_what_it_is_and_nothing_of_others_classes(world: World, lecturer: Client, name: str):
    factories.enrol(world.foreign.course, world.student)
    page = lecturer.get(reverse(name), {"q": world.student.name}).content.decode()
    assert f"{world.student.number} · CS101" in page
    assert "MA202" not in page
    assert reverse("student", args=[world.student.pk]) in page
    page = lecturer.get(reverse(name), {"q": "cs101"}).content.decode()
    assert reverse("course", args=[world.course.pk]) in page
    assert "CS101 Loops" in page
    assert "Mon 16 Nov 2026, 09:00\N{EN DASH}10:30 · B 12" in page
    page = lecturer.get(reverse(name), {"q": "b12"}).content.decode()
    assert reverse("room", args=[world.lecture.room_id]) in page
    assert "MA202" not in lecturer.get(reverse(name), {"q": "ma202"}).content.decode().replace('value="ma202"', "")
    client = Client()
    client.force_login(world.other)
    assert world.student.name in client.get(reverse(name), {"q": "student"}).content.decode()


def test_the_first_hits_of_each_kind_and_all_of_one(world: World, lecturer: Client):
    for n in range(60):
        factories.enrol(world.course, factories.student(name=f"Many {n:02}"))
    suggested = lecturer.get(reverse("search-suggestions"), {"q": "many"}).content.decode()
    assert suggested.count("Many ") == 5
    assert "5 results" in suggested
    page = lecturer.get(reverse("search"), {"q": "many"}).content.decode()
    assert page.count("Many ") == 10
    everything = "?q=many&amp;kind=students"
    assert everything in page
    last = lecturer.get(reverse("search"), {"q": "many", "kind": "students", "page": "2"})
    assert last.content.decode().count("Many ") == 10
    assert f"{everything}&amp;page=1".replace("&amp;", "&") in last.content.decode().replace("&amp;", "&")


@pytest.mark.parametrize("text", ["", "%", "\x00", "<b>'\"", "x" * 5000, "?&=#", "\ud7ff"])
@pytest.mark.parametrize("kind", ["", "students", "lectures", "nothing"])
def test_strange_texts_find_nothing(world: World, lecturer: Client, text: str, kind: str):
    response = lecturer.get(reverse("search"), {"q": text, "kind": kind, "page": "x"})
    assert response.status_code == 200
    assert "<b>'" not in response.content.decode()
    assert not response.context.get("groups")
    assert not response.context.get("hits")


def test_a_room_shows_the_lectures_that_one_may_see_today_and_later(world: World, lecturer: Client):
    room, now = world.lecture.room, timezone.now()
    lectures = [
        factories.lecture(course, room=room, title=title, starts_at=now + timedelta(days=days))
        for course, title, days in (
            (world.course, "Trees", 3),
            (world.course, "Graphs", 0),
            (world.course, "Lists", -2),
            (world.foreign.course, "Groups", 4),
        )
    ]
    response = lecturer.get(reverse("room", args=[lectures[0].room_id]))
    assert [lecture.title for lecture in response.context["page"]] == ["Graphs", "Trees"]
    assert lecturer.get(reverse("room", args=[10**6])).status_code == 404
