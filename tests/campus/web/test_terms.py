"""The registrar's pages of terms, and what archiving and holidays change on other pages."""

from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from campus.academics.models import Course, Holiday, LectureSeries, Term
from tests.campus import factories
from tests.campus.conftest import World

SERIES = {"weekdays": ["0", "4", "5"], "every_weeks": "1", "starts": "09:15", "ends": "10:45"}


@pytest.fixture
def registrar(client: Client, world: World) -> Client:
    client.force_login(world.registrar)
    return client


@pytest.fixture
def term(world: World) -> Term:
    """The term of the world's class: December 2098 and January 2099."""
    term = Term.objects.create(name="Winter 2098/99", first_day=date(2098, 12, 1), last_day=date(2099, 1, 31))
    Course.objects.filter(pk=world.course.pk).update(term=term)
    return term


def test_public_holidays_are_chosen_from_a_list_and_unticked_ones_stay_out(registrar: Client, term: Term):
    page = reverse("admin:academics_term_holidays", args=[term.pk])
    assert registrar.get(page).context["days"] == []
    place = page + "?country=DE&region=BY"
    offered = registrar.get(place).context["days"]
    assert [day for day, _name, chosen in offered if chosen] == [
        date(2098, 12, 25),
        date(2098, 12, 26),
        date(2099, 1, 1),
        date(2099, 1, 6),
    ]
    registrar.post(place, {"day": ["2098-12-25", "2099-01-06", "2098-12-24"]})
    assert [holiday.first_day for holiday in Holiday.objects.all()] == [date(2098, 12, 25), date(2099, 1, 6)]
    again = registrar.get(page).context
    assert again["form"].data == {"country": "DE", "region": "BY"}
    assert [chosen for _day, _name, chosen in again["days"]] == [True, False, False, True]


@pytest.mark.parametrize("place", ["country=XX", "country=DE&region=XX", "country=&region=BY", "country=%00"])
def test_an_unknown_place_is_no_error(registrar: Client, term: Term, place: str):
    page = f"{reverse('admin:academics_term_holidays', args=[term.pk])}?{place}"
    assert registrar.get(page).status_code == 200
    assert registrar.post(page, {"day": "x"}).status_code in (200, 302)
    assert not Holiday.objects.exists()


def test_the_timetable_offers_the_days_of_the_term_and_fills_them_in(registrar: Client, world: World, term: Term):
    form = registrar.get(reverse("course-timetable", args=[world.course.pk])).context["form"]
    assert (form.initial["first_day"], form.initial["last_day"]) == (term.first_day, term.last_day)
    add = reverse("admin:academics_lectureseries_add")
    registrar.post(add, {**SERIES, "course": world.course.pk, "first_day": "", "last_day": "2099-01-15"})
    series = LectureSeries.objects.get()
    assert (series.first_day, series.last_day) == (term.first_day, date(2099, 1, 15))


def test_without_a_term_the_timetable_needs_days(registrar: Client, world: World):
    add = reverse("admin:academics_lectureseries_add")
    answer = registrar.post(add, {**SERIES, "course": world.course.pk, "first_day": "", "last_day": ""})
    assert set(answer.context["adminform"].form.errors) == {"first_day", "last_day"}
    assert not LectureSeries.objects.exists()


def test_the_preview_says_which_lectures_fall_away(registrar: Client, world: World, term: Term):
    Holiday.objects.create(name="Christmas", first_day=date(2098, 12, 25), last_day=date(2098, 12, 26))
    Holiday.objects.create(name="A Wednesday", first_day=date(2098, 12, 3), last_day=date(2098, 12, 3))
    add = reverse("admin:academics_lectureseries_add")
    fields = {**SERIES, "weekdays": [str(date(2098, 12, day).weekday()) for day in (25, 26)]}
    answer = registrar.post(add, {**fields, "course": world.course.pk, "first_day": "", "last_day": ""}, follow=True)
    (plan,) = answer.context["plans"]
    assert plan["free_days"] == ["No lecture on 25 Dec and 26 Dec: Christmas."]


def test_archived_classes_are_shown_only_when_asked_for(registrar: Client, world: World, term: Term):
    changes = reverse("admin:academics_course_changelist")

    def listed(page: str, **query: str) -> bool:
        return world.course in registrar.get(page, query).context["cl"].queryset

    assert listed(changes)
    Term.objects.update(archived=True)
    assert not listed(changes)
    assert listed(changes, archived="yes")
    assert listed(changes, archived="all")


def test_a_lecturers_archived_class_leaves_the_first_page_and_its_pages_stay(client: Client, world: World, term: Term):
    client.force_login(world.own)
    home, classes = reverse("home"), reverse("courses")
    assert world.course in client.get(home).context["courses"]
    Term.objects.update(archived=True)
    page = client.get(home)
    assert world.course not in page.context["courses"]
    assert not page.context["agenda"].todos
    page = client.get(classes)
    assert world.course not in page.context["page"]
    assert "?archived=1" in page.content.decode()
    assert world.course in client.get(classes, {"archived": "1"}).context["page"]
    for address in ("course", "register"):
        assert client.get(reverse(address, args=[world.course.pk])).status_code == 200
    assert client.get(reverse("lecture", args=[world.lecture.pk])).status_code == 200


def test_a_class_is_copied_from_its_page(registrar: Client, world: World, term: Term):
    page = reverse("admin:academics_course_copy", args=[world.course.pk])
    fields = {"term": term.pk, "code": world.course.code, "name": "Next year", "with_roster": "on"}
    refused = registrar.post(page, fields)
    assert refused.status_code == 400
    assert refused.context["form"].non_field_errors()
    answer = registrar.post(page, {**fields, "code": "NEXT"})
    copied = Course.objects.get(code="NEXT")
    assert answer["Location"] == reverse("admin:academics_course_change", args=[copied.pk])
    assert copied.enrolments.exists()


def test_a_class_that_was_used_is_not_deleted_and_a_mistake_is(registrar: Client, world: World):
    mistake = factories.course(students=1)
    factories.lecture(mistake)
    for course, stays in ((world.course, True), (mistake, False)):
        page = reverse("admin:academics_course_delete", args=[course.pk])
        shown = registrar.get(page).content.decode()
        assert ("Archive the class instead" in shown) == stays
        registrar.post(page, {"post": "yes"})
        assert Course.objects.filter(pk=course.pk).exists() == stays


def test_a_term_with_classes_is_not_deleted(registrar: Client, term: Term):
    registrar.post(reverse("admin:academics_term_delete", args=[term.pk]), {"post": "yes"})
    assert Term.objects.filter(pk=term.pk).exists()
