"""The home of those who look after all classes: what is still to be set up, the sample class, and the server."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from campus.academics.models import Term
from campus.accounts.institution import institution_name
from campus.accounts.roles import Role
from campus.common import jobs
from campus.web.term_home import TermHome
from tests.campus import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def registrar(client: Client) -> Client:
    client.force_login(factories.registrar(username="registrar"))
    return client


@pytest.fixture
def no_broker(settings: Any) -> Iterator[None]:
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    jobs.producer.cache_clear()
    yield
    jobs.producer.cache_clear()


def home(client: Client) -> TermHome:
    return client.get("/").context["term"]


def missing(client: Client) -> list[str]:
    return [step.name for step in home(client).steps if not step.done]


def test_each_step_is_ticked_when_it_is_done_and_the_list_goes_with_the_last(registrar: Client) -> None:
    made: dict[str, Any] = {}

    def name() -> None:
        registrar.post("/institution/", {"name": "University of Somewhere"})

    def term() -> None:
        Term.objects.create(name="T", first_day=date(2026, 10, 5), last_day=date(2027, 2, 1))

    def course() -> None:
        made["course"] = factories.course(code="CS101")

    def roster() -> None:
        made["student"] = factories.student()
        factories.enrol(made["course"], made["student"])

    def gallery() -> None:
        factories.gallery(made["course"])

    def lecture() -> None:
        made["lecture"] = factories.lecture(made["course"], starts_at=timezone.now() - timedelta(hours=3))

    def lecturer() -> None:
        made["course"].lecturers.add(factories.user())

    def recording() -> None:
        factories.recording(made["lecture"])

    def consent() -> None:
        registrar.post("/institution/", {"act": "basis", "legal_basis": "consent", "objection_days": 10})

    steps: dict[str, Callable[[], None]] = {
        "Institution's name": name,
        "Consent": consent,
        "Term": term,
        "Class": course,
        "Roster": roster,
        "Photos": gallery,
        "Timetable": lecture,
        "Lecturer": lecturer,
        "First recording": recording,
    }
    expected = list(steps)
    assert missing(registrar) == expected
    for step, do in steps.items():
        do()
        expected.remove(step)
        assert missing(registrar) == expected
        following = home(registrar).next_step
        assert (following and following.name) == next(iter(expected), None)
        if following:
            assert registrar.get(following.url).status_code == 200
    assert home(registrar).steps == []
    assert 'class="card setup"' not in registrar.get("/").content.decode()


def test_what_is_done_for_a_class_is_done_on_its_pages(registrar: Client) -> None:
    ways = {"Roster": "course-roster", "Photos": "course-photos", "Timetable": "course-timetable"}

    def found() -> dict[str, str]:
        return {step.name: step.url for step in home(registrar).steps if step.name in ways}

    assert found() == dict.fromkeys(ways, "")  # a class comes first
    assert '<h3><a href="">' not in registrar.get("/").content.decode()
    first, second = factories.course(code="A"), factories.course(code="B")
    assert found() == {step: reverse(way, args=[first.pk]) for step, way in ways.items()}
    factories.enrol(second, factories.student())
    assert found()["Photos"] == reverse("course-photos", args=[second.pk])  # where there are students to add them to


def test_who_is_known_is_counted_until_a_class_is_trained(registrar: Client) -> None:
    course = factories.course(students=3)
    factories.photo(course.students.first())
    factories.photo(course.students.last(), state="rejected")
    gone = factories.student()
    factories.enrol(course, gone, valid_to=timezone.localdate() - timedelta(days=1))

    def progress() -> str:
        return next(step.progress for step in home(registrar).steps if step.name == "Photos")

    assert progress() == "1 of 3 students have a usable photo. No class is trained yet."
    factories.gallery(course)
    assert progress() == ""


def test_the_servers_name_counts_as_long_as_nobody_has_given_one(registrar: Client, settings: Any) -> None:
    settings.INSTITUTION = "University of Somewhere"
    assert "Institution's name" not in missing(registrar)
    for given, shown in (("Example <College>", "Example <College>"), ("", "University of Somewhere")):
        assert registrar.post("/institution/", {"name": given}, follow=True).status_code == 200
        assert institution_name() == shown
        for page in ("/", "/institution/", "/admin/", "/admin/academics/course/", "/about/"):
            assert f"· {escape(shown)}</title>" in " ".join(registrar.get(page).content.decode().split())
    assert registrar.post("/institution/", {"name": "x" * 101}).status_code == 400


def test_the_name_is_read_once_a_page(registrar: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        registrar.get("/admin/")
    assert sum(query["sql"].startswith('SELECT "accounts_institution"') for query in queries) == 1


@pytest.mark.parametrize("role", [Role.LECTURER, Role.AUDITOR])
def test_only_registrars_name_the_institution(client: Client, role: Role) -> None:
    client.force_login(factories.person(role))
    assert client.get("/institution/").status_code == (403 if role == Role.LECTURER else 200)
    assert client.post("/institution/", {"name": "Mine"}).status_code == 403
    assert institution_name() == "Rollcall"


@pytest.mark.parametrize("role", [Role.LECTURER, Role.AUDITOR])
def test_nobody_else_is_asked_to_set_anything_up(client: Client, no_broker: None, role: Role) -> None:
    client.force_login(factories.person(role))
    page = client.get("/").content.decode()
    assert ("You do not teach any class yet" in page) == (role == Role.LECTURER)
    for words in ("Getting started", "sample", "Storage", "Workers", "htmx"):
        assert words not in page
    assert client.get("/workers/").status_code == (403 if role == Role.LECTURER else 200)
    factories.lecture(factories.course(lecturers=(User.objects.get(),)), starts_at=timezone.now())
    assert "Getting started" not in client.get("/").content.decode()


def test_a_lecture_of_today_has_its_state(registrar: Client) -> None:
    now = timezone.now()
    factories.lecture(starts_at=now, ends_at=now + timedelta(minutes=1))
    assert '<span class="state info">now</span>' in registrar.get("/").content.decode()


def test_workers_are_one_line(registrar: Client, no_broker: None) -> None:
    factories.planned()
    page = registrar.get("/workers/").content.decode()
    assert "The broker" in page
    assert "Jobs: 2 waiting, 0 in progress." in page


def test_the_number_of_queries_does_not_grow(registrar: Client, django_assert_max_num_queries: Any) -> None:
    now = timezone.now()
    for n in range(10):
        lecture = factories.lecture(
            factories.course(students=2), starts_at=now - timedelta(minutes=n), ends_at=now + timedelta(hours=1)
        )
        factories.photo(lecture.course.students.first())
        factories.planned(lecture)
    with django_assert_max_num_queries(26):
        assert registrar.get("/").status_code == 200
