"""Terms, their public holidays, and what archiving does."""

from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from campus.academics.models import Holiday, LectureSeries, Term
from campus.academics.public_holidays import countries, public_holidays, regions, set_public_holidays
from campus.academics.selectors import courses_for, current_courses_for, current_lectures_for, lectures_for, term_starts
from campus.academics.series import DayChange, apply_series, plan_fingerprint, plan_series
from campus.academics.services import enrol_student
from tests.campus import factories
from tests.campus.conftest import World

DAYS = st.dates(date(2023, 1, 1), date(2060, 12, 31))
WINTER = (date(2026, 10, 12), date(2027, 2, 12))


@pytest.fixture
def winter(db: None) -> Term:
    return Term.objects.create(name="Winter 2026/27", first_day=WINTER[0], last_day=WINTER[1])


@given(first=DAYS, length=st.integers(0, 731))
def test_public_holidays_are_those_of_all_years_within_the_term(first: date, length: int):
    last = first + timedelta(days=length)
    found = public_holidays("DE", "BY", first, last)
    assert all(first <= day <= last for day in found)
    for year in range(first.year, last.year + 1):
        for day in (date(year, 1, 1), date(year, 5, 1), date(year, 12, 25), date(year, 12, 26)):
            assert (day in found) == (first <= day <= last)


def test_a_region_has_holidays_of_its_own_and_an_unknown_country_has_no_regions():
    assert date(2027, 1, 6) in public_holidays("DE", "BY", *WINTER)
    assert date(2027, 1, 6) not in public_holidays("DE", "BE", *WINTER)
    assert ("BY", "Bayern") in regions("DE")
    assert regions("XX") == regions("") == []


def test_names_are_in_the_language_of_the_page():
    christmas = date(2026, 12, 25)
    with translation.override("de"):
        assert public_holidays("DE", "", *WINTER)[christmas] == "Erster Weihnachtstag"
        assert ("DE", "Deutschland") in countries()
    with translation.override("en"):
        assert public_holidays("DE", "", *WINTER)[christmas] == "Christmas Day"
        assert ("DE", "Germany") in countries()


def test_all_countries_have_holidays_that_can_be_read():
    for country, _name in countries():
        public_holidays(country, "", date(2026, 1, 1), date(2026, 12, 31))
        regions(country)


def test_only_the_ticked_days_become_holidays_and_closed_days_stay(winter: Term):
    closed = Holiday.objects.create(name="Dies academicus", first_day=date(2026, 12, 2), last_day=date(2026, 12, 2))
    set_public_holidays(term=winter, country="DE", region="BY", days=[date(2026, 12, 25), date(2027, 1, 6)])
    assert set(Holiday.objects.filter(public=True).values_list("first_day", flat=True)) == {
        date(2026, 12, 25),
        date(2027, 1, 6),
    }
    set_public_holidays(term=winter, country="DE", region="BE", days=[date(2026, 12, 25), date(2027, 1, 6)])
    assert list(Holiday.objects.order_by("first_day").values_list("first_day", flat=True)) == [
        closed.first_day,
        date(2026, 12, 25),
    ]  # the 6th of January is none in Berlin
    winter.refresh_from_db()
    assert (winter.country, winter.region) == ("DE", "BE")


def test_a_term_is_not_longer_than_a_series_may_be_and_ends_after_it_starts():
    Term(name="Leap", first_day=date(2028, 2, 29), last_day=date(2028, 2, 29)).clean()
    with pytest.raises(ValidationError):
        Term(name="Long", first_day=date(2026, 1, 1), last_day=date(2028, 12, 31)).clean()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("first", "last"),
    [WINTER, (date(2028, 2, 21), date(2028, 3, 6)), (date(2027, 3, 15), date(2027, 4, 12))],
    ids=["over the year's end", "with a leap day", "with a change of the clocks"],
)
def test_lectures_are_on_all_days_of_the_term_but_its_holidays(first: date, last: date):
    term = Term.objects.create(name="Term", first_day=first, last_day=last)
    free = public_holidays("DE", "BY", first, last)
    set_public_holidays(term=term, country="DE", region="BY", days=list(free))
    series = LectureSeries.objects.create(
        course=factories.course(code="PH1"),
        weekdays=list(range(7)),
        starts=time(2, 30),
        ends=time(4, 0),
        first_day=first,
        last_day=last,
        time_zone="Europe/Berlin",
    )
    plan = plan_series(series)
    apply_series(series=series, fingerprint=plan_fingerprint(plan))
    held = {lecture.starts_at.astimezone(ZoneInfo("Europe/Berlin")).date() for lecture in series.lectures.all()}
    assert held == {first + timedelta(days=n) for n in range((last - first).days + 1)} - set(free)
    assert {step.day for step in plan if step.kind == DayChange.HOLIDAY} == set(free)


@pytest.mark.parametrize("whole_term", [False, True])
def test_an_archived_class_leaves_the_lists_but_can_still_be_seen(world: World, winter: Term, whole_term: bool):
    assert world.course in current_courses_for(world.own)
    world.course.term = winter
    world.course.archived = not whole_term
    world.course.save()
    winter.archived = whole_term
    winter.save()
    for user in (world.own, world.registrar):
        assert world.course not in current_courses_for(user)
        assert world.lecture not in current_lectures_for(user)
        assert world.course in courses_for(user)
        assert world.lecture in lectures_for(user)


def test_students_are_enrolled_from_the_first_day_of_the_classs_term(winter: Term):
    with_term, without = factories.course(term=winter), factories.course()
    for course in (with_term, without):
        factories.lecture(course, starts_at=timezone.now() - timedelta(days=20))
    first = timezone.localdate(without.lectures.get().starts_at)
    assert term_starts([with_term.pk, without.pk]) == {with_term.pk: WINTER[0], without.pk: first}
    student = enrol_student(number="W1", name="Ada", course=with_term)
    assert student.enrolments.get().valid_from == WINTER[0]
    chosen = enrol_student(number="W2", name="Bo", course=with_term, start=date(2026, 11, 2))
    assert chosen.enrolments.get().valid_from == date(2026, 11, 2)
