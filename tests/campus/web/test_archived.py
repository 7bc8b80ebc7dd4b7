"""An archived class leaves all lists, menus, filters and feeds. Its own pages and its history stay."""

import json
from datetime import timedelta

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from icalendar import Calendar

from campus.academics.calendar_links import calendar_link_token, renew_calendar_link
from campus.academics.models import Course, Term
from campus.cctv.models import Collection
from tests.campus import factories
from tests.campus.conftest import World
from tests.campus.permissions import Route, people, reader, routes, things

OLD = "OLD101"
# What was, counts here: the classes by which two students are told apart.
SHOWN = {"admin:biometrics_facephoto_same_person"}


@pytest.fixture
def archived(world: World) -> Course:
    """A class of an archived term, with what makes a class appear somewhere: lectures of today, work, and things to
    do."""
    today = timezone.localdate()
    term = Term.objects.create(name="Last term", first_day=today, last_day=today, archived=True)
    course = factories.course(lecturers=(world.own,), students=1, code=OLD, name="Archived", term=term)
    now = timezone.now()
    held = factories.lecture(course, starts_at=now - timedelta(hours=3), room="B 12")
    factories.records(held)
    factories.planned(held)
    factories.recording(held, state="failed")
    factories.recording(held, state="needs_review")
    held.records.update(machine_status="to_confirm")
    factories.gallery(course, state="failed", active=False)
    coming = factories.lecture(course, starts_at=now + timedelta(hours=1), room="B 12")
    Collection.objects.create(lecture=coming, state="missing", next_check_at=now, deadline_at=now)
    factories.enrol(course, world.student)
    return course


def list_pages() -> list[Route]:
    """The pages that are about no single object."""
    return [route for route in routes() if not route.converters and not route.pattern.startswith("/api/")]


def test_no_page_offers_or_lists_an_archived_class(world: World, archived: Course):
    clients = people(world)
    things(world)
    found, looked_at = [], 0
    for route in list_pages():
        if not (who := reader(route)) or route.name in SHOWN:
            continue
        # In the admin's lists, the rows are history, and the menus and filters are what is looked at.
        rows = {"q": "nothing is called this"} if route.name.endswith("_changelist") else {}
        response = clients[who].get(reverse(route.name), rows)
        if response.status_code == 200 and response.headers["Content-Type"].startswith("text/html"):
            looked_at += 1
            found += [f"{route.name} for {who}"] * (OLD in response.content.decode())
    assert not found
    assert looked_at > 50


def test_no_search_field_of_the_admin_offers_an_archived_class(client: Client, world: World, archived: Course):
    client.force_login(world.registrar)
    fields = [
        (model, field)
        for model, model_admin in admin.site._registry.items()
        for field in model_admin.autocomplete_fields
        if model._meta.get_field(field).related_model is Course
    ]
    assert len(fields) > 2
    for model, field in fields:
        asked = {"app_label": model._meta.app_label, "model_name": model._meta.model_name, "field_name": field}
        answer = client.get(reverse("admin:autocomplete"), asked | {"term": ""})
        offered = [row["text"] for row in json.loads(answer.content)["results"]]
        assert str(world.course) in offered
        assert str(archived) not in offered


def test_a_filter_of_the_admin_names_the_archived_class_that_it_filters_by(
    client: Client, world: World, archived: Course
):
    client.force_login(world.registrar)
    lectures = reverse("admin:academics_lecture_changelist")
    page = client.get(lectures, {"course__id__exact": archived.pk})
    assert {lecture.course for lecture in page.context["cl"].queryset} == {archived}
    assert f'<option value="{archived.pk}" selected>' in page.content.decode()


def test_calendars_have_no_lectures_of_an_archived_class(world: World, archived: Course):
    current = factories.lecture(world.course, starts_at=timezone.now())
    for course, expected in ((None, [world.lecture.pk, current.pk]), (archived, [])):
        link = renew_calendar_link(user=world.own, course=course)
        feed = Client().get(reverse("calendar", args=[calendar_link_token(link)]))
        events = Calendar.from_ical(feed.content).walk("VEVENT")
        assert [str(event["uid"]).split("@")[0] for event in events] == [f"lecture-{pk}" for pk in expected]


def test_the_search_finds_an_archived_class_after_the_others(client: Client, world: World, archived: Course):
    factories.course(lecturers=(world.own,), code="ZZ9", name="Archived too")
    client.force_login(world.own)
    page = client.get(reverse("search"), {"q": "archived"})
    classes = page.context["groups"][0]
    assert [(hit.name, hit.detail) for hit in classes.hits] == [("ZZ9 Archived too", ""), (str(archived), "archived")]
