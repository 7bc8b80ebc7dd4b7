"""The timetable: which lectures a series makes, and what it leaves alone."""

from collections import Counter
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from campus.academics.models import Course, Holiday, Lecture, LectureSeries
from campus.academics.series import DayChange, apply_series, plan_fingerprint, plan_series
from campus.academics.services import change_lecture
from campus.common.errors import UserError
from tests.campus import factories

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def course(db: None) -> Course:
    return factories.course(code="PH1")


def series(course: Course, **fields) -> LectureSeries:
    """Mondays and Wednesdays of four weeks that begin next year, in Berlin."""
    monday = date(timezone.now().year + 1, 3, 1)
    monday += timedelta(days=-monday.weekday() % 7)
    usual = {
        "weekdays": [0, 2],
        "starts": time(9, 15),
        "ends": time(10, 45),
        "first_day": monday,
        "last_day": monday + timedelta(days=27),
        "time_zone": "Europe/Berlin",
    }
    row = LectureSeries(course=course, **usual | fields)
    row.full_clean()
    row.save()
    return row


def make(row: LectureSeries) -> Counter[DayChange]:
    return apply_series(series=row, fingerprint=plan_fingerprint(plan_series(row)))


def days_of(row: LectureSeries) -> list[date]:
    return [lecture.starts_at.astimezone(row.zone).date() for lecture in row.lectures.order_by("starts_at")]


def test_a_series_has_its_weekdays_until_its_last_day(course: Course):
    row = series(course, title="Waves")
    assert make(row) == {DayChange.NEW: 8}
    assert [day.weekday() for day in days_of(row)] == [0, 2] * 4
    assert {lecture.title for lecture in course.lectures.all()} == {"Waves"}
    assert make(row) == {DayChange.SAME: 8}
    assert course.lectures.count() == 8


def test_every_other_week_counts_from_the_week_of_the_first_day(course: Course):
    row = series(course, weekdays=[4], every_weeks=2)
    friday = row.first_day + timedelta(days=4)
    assert row.days() == [friday, friday + timedelta(days=14)]


def test_a_lecture_is_at_the_same_time_on_the_wall_in_summer_and_winter(course: Course):
    row = series(
        course, weekdays=[0], first_day=date(2027, 3, 22), last_day=date(2027, 3, 29)
    )  # summer time begins on the 28th
    make(row)
    winter, summer = course.lectures.order_by("starts_at")
    assert [lecture.starts_at.astimezone(BERLIN).time() for lecture in (winter, summer)] == [time(9, 15)] * 2
    assert summer.starts_at - winter.starts_at == timedelta(days=7, hours=-1)


def test_there_is_no_lecture_on_a_holiday_and_the_preview_says_which(course: Course):
    row = series(course)
    Holiday.objects.create(name="Reading week", first_day=row.first_day, last_day=row.first_day + timedelta(days=6))
    steps = plan_series(row)
    assert [step.remark for step in steps if step.kind == DayChange.HOLIDAY] == ["Reading week"] * 2
    assert make(row)[DayChange.NEW] == 6


def test_a_holiday_that_is_added_later_takes_the_lectures_away(course: Course):
    row = series(course)
    make(row)
    Holiday.objects.create(name="Strike", first_day=row.first_day, last_day=row.first_day)
    assert make(row) == {DayChange.REMOVED: 1, DayChange.SAME: 7}
    assert row.first_day not in days_of(row)


def test_what_was_moved_or_cancelled_stays_when_the_series_changes(course: Course):
    row = series(course)
    make(row)
    moved, cancelled, third = course.lectures.order_by("starts_at")[:3]
    elsewhen = moved.starts_at + timedelta(days=1, hours=5)
    change_lecture(
        lecture=moved,
        starts_at=elsewhen,
        ends_at=elsewhen + timedelta(hours=1),
        title="Moved",
        room=factories.room("C 1"),
    )
    change_lecture(
        lecture=cancelled, starts_at=cancelled.starts_at, ends_at=cancelled.ends_at, title="", room=None, cancelled=True
    )
    row.starts, row.ends = time(11, 15), time(12, 45)
    row.save()
    assert make(row) == {DayChange.KEPT: 2, DayChange.CHANGED: 6}
    for lecture in (moved, cancelled, third):
        lecture.refresh_from_db()
    assert (moved.starts_at, moved.title, moved.room.name) == (elsewhen, "Moved", "C 1")
    assert cancelled.cancelled
    assert third.starts_at.astimezone(BERLIN).time() == time(11, 15)
    row.weekdays = [1]
    row.save()
    assert make(row) == {DayChange.KEPT: 2, DayChange.REMOVED: 6, DayChange.NEW: 4}


def test_the_past_and_what_has_a_recording_stay(course: Course):
    today = timezone.now().astimezone(BERLIN).date()
    first = today - timedelta(days=14)
    row = series(course, weekdays=list(range(7)), first_day=first, last_day=today + timedelta(days=14))
    assert make(row) == {DayChange.NEW: 29}  # a series that is entered late has its past lectures too
    recorded = course.lectures.order_by("starts_at").last()
    factories.recording(recorded)
    row.title = "Renamed"
    row.save()
    done = make(row)
    assert done[DayChange.KEPT] in (15, 16)  # whether today's has begun depends on the hour
    recorded.refresh_from_db()
    assert recorded.title == ""
    row.weekdays = [(today.weekday() + 3) % 7]
    row.first_day = first - timedelta(days=28)
    row.save()
    make(row)
    assert min(days_of(row)) == first  # no lectures are put into the past of a running series
    assert Lecture.objects.filter(pk=recorded.pk).exists()


def test_a_lecture_that_is_there_already_is_not_doubled(course: Course):
    row = series(course)
    when = datetime.combine(row.first_day, time(9, 15), tzinfo=BERLIN)
    by_hand = factories.lecture(course, starts_at=when, title="By hand")
    assert make(row) == {DayChange.KEPT: 1, DayChange.NEW: 7}
    assert course.lectures.get(starts_at=when) == by_hand


def test_the_preview_tells_whose_room_it_is(course: Course):
    room = factories.room("H 1")
    row = series(course, room=room)
    starts = datetime.combine(row.first_day, time(10, 0), tzinfo=BERLIN)
    other = factories.lecture(factories.course(code="CH9"), starts_at=starts, room="H 1")
    assert [step.remark for step in plan_series(row) if step.remark] == ["CH9 is in that room then."]
    other.cancelled = True
    other.save()
    assert not [step.remark for step in plan_series(row) if step.remark]
    make(row)
    assert {lecture.room.name for lecture in row.lectures.all()} == {"H 1"}


def test_only_the_plan_that_was_looked_at_is_carried_out(course: Course):
    row = series(course)
    seen = plan_fingerprint(plan_series(row))
    row.weekdays = [1]
    row.save()
    with pytest.raises(UserError, match="once more"):
        apply_series(series=row, fingerprint=seen)
    assert not course.lectures.exists()


def test_lectures_stay_when_their_series_is_deleted(course: Course):
    row = series(course)
    make(row)
    row.delete()
    assert course.lectures.count() == 8


def test_a_lecture_is_not_moved_onto_another_one(course: Course):
    make(series(course))
    first, second = course.lectures.order_by("starts_at")[:2]
    with pytest.raises(UserError, match="at that time already"):
        change_lecture(lecture=first, starts_at=second.starts_at, ends_at=second.ends_at, title="", room=None)
    with pytest.raises(UserError, match="ends before it starts"):
        change_lecture(lecture=first, starts_at=second.ends_at, ends_at=second.starts_at, title="", room=None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"weekdays": []},
        {"weekdays": [7]},
        {"weekdays": ["1"]},
        {"weekdays": {"a": 1}},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../etc/passwd"},
        {"every_weeks": 0},
        {"ends": time(9, 0)},
        {"last_day": date(2020, 1, 1)},
        {"last_day": date(2999, 1, 1)},
    ],
)
def test_a_series_that_makes_no_sense_is_refused(course: Course, wrong: dict):
    with pytest.raises(ValidationError):
        series(course, **wrong)
