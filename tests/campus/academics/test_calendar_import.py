"""Lectures follow the calendar of another system, and other programs read ours."""

from datetime import UTC, datetime, timedelta

import pytest
from icalendar import Calendar

from campus.academics.calendar_import import EntryChange, plan_import, save_import
from campus.academics.calendar_reader import read_calendar
from campus.academics.ical import build_calendar
from campus.academics.models import Course, Lecture
from campus.academics.services import change_lecture
from tests.campus import factories
from tests.campus.academics.calendars import WEEKLY, ics, single


@pytest.fixture
def course(db: None) -> Course:
    return factories.course(code="CS101", name="Computing")


def take(data: bytes, only: Course | None = None, *, complete: bool = False) -> dict[EntryChange, int]:
    return save_import(plan_import(read_calendar(data), list(Course.objects.all()), only), complete=complete)


def test_reading_a_calendar_again_changes_nothing(course: Course):
    assert take(ics(WEEKLY)) == {EntryChange.NEW: 3}
    assert take(ics(WEEKLY)) == {EntryChange.SAME: 3}
    lecture = course.lectures.order_by("starts_at").first()
    assert (lecture.title, lecture.room.name) == ("Loops", "H 1")


def test_weeks_with_one_uid_are_lectures_each_that_stay_and_move(course: Course):
    weeks = [single("CS101-A", f"2099{day}T090000Z") for day in ("0302", "0309", "0316")]
    assert take(ics(*weeks)) == {EntryChange.NEW: 3}
    assert take(ics(*weeks)) == {EntryChange.SAME: 3}
    moved = course.lectures.get(starts_at=datetime(2099, 3, 9, 9, 0, tzinfo=UTC))
    weeks[1] = single("CS101-A", "20990311T140000Z")
    assert take(ics(*weeks), complete=True) == {EntryChange.SAME: 2, EntryChange.CHANGED: 1}
    moved.refresh_from_db()
    assert moved.starts_at == datetime(2099, 3, 11, 14, 0, tzinfo=UTC)
    assert take(ics(*weeks), complete=True) == {EntryChange.SAME: 3}


def test_a_calendar_of_the_coming_weeks_alone_moves_none_of_the_past(course: Course):
    weeks = [single("a", f"2099{day}T090000Z") for day in ("0302", "0309", "0316")]
    take(ics(*weeks[:2]))
    past = course.lectures.order_by("starts_at").first()
    Lecture.objects.filter(pk=past.pk).update(
        starts_at=datetime(2020, 3, 2, 9, tzinfo=UTC),
        ends_at=datetime(2020, 3, 2, 10, tzinfo=UTC),
        uid="a/20200302T090000Z",
    )
    assert take(ics(*weeks[1:]), complete=True) == {EntryChange.SAME: 1, EntryChange.NEW: 1}
    assert course.lectures.count() == 3


def test_a_series_that_is_moved_as_a_whole_moves_its_lectures(course: Course):
    take(ics(WEEKLY))
    lectures = list(course.lectures.order_by("starts_at"))
    later = [line.replace("T091500", "T141500").replace("T104500", "T154500") for line in WEEKLY]
    assert take(ics(later), complete=True) == {EntryChange.CHANGED: 3}
    assert list(course.lectures.order_by("starts_at")) == lectures
    assert {lecture.starts_at.hour for lecture in course.lectures.all()} == {12, 13}
    assert take(ics(later), complete=True) == {EntryChange.SAME: 3}


def test_the_first_of_several_stays_the_same_lecture(course: Course):
    take(ics(single("a", "20990302T090000Z")))
    both = ics(single("a", "20990302T090000Z"), single("a", "20990309T090000Z"))
    assert take(both, complete=True) == {EntryChange.SAME: 1, EntryChange.NEW: 1}
    assert take(both, complete=True) == {EntryChange.SAME: 2}


def test_what_the_other_system_moves_or_cancels_follows(course: Course):
    take(ics(single("a", "20990323T090000Z")))
    assert take(ics(single("a", "20990324T100000Z", "SUMMARY:CS101 New title"))) == {EntryChange.CHANGED: 1}
    lecture = course.lectures.get()
    assert (lecture.starts_at, lecture.title) == (datetime(2099, 3, 24, 10, 0, tzinfo=UTC), "New title")
    assert take(ics(single("a", "20990324T100000Z", "SUMMARY:CS101 New title", "STATUS:CANCELLED"))) == {
        EntryChange.CHANGED: 1
    }
    lecture.refresh_from_db()
    assert lecture.cancelled
    assert take(ics(single("a", "20990324T100000Z", "SUMMARY:CS101 New title"))) == {EntryChange.CHANGED: 1}
    lecture.refresh_from_db()
    assert not lecture.cancelled


def test_what_a_person_changed_or_recorded_here_stays(course: Course):
    take(ics(single("a", "20990323T090000Z"), single("b", "20990324T090000Z")))
    by_hand, recorded = course.lectures.order_by("starts_at")
    change_lecture(lecture=by_hand, starts_at=by_hand.starts_at, ends_at=by_hand.ends_at, title="Mine", room=None)
    factories.recording(recorded)
    done = take(ics(single("a", "20990325T090000Z"), single("b", "20990326T090000Z")))
    assert done == {EntryChange.KEPT: 2}
    assert set(course.lectures.values_list("starts_at", flat=True)) == {by_hand.starts_at, recorded.starts_at}


def test_what_is_gone_is_cancelled_and_comes_back(course: Course):
    take(ics(WEEKLY, single("a", "20990401T080000Z")))
    less = ics([*WEEKLY, "EXDATE;TZID=Europe/Berlin:20990330T091500"])
    assert take(less) == {EntryChange.SAME: 2}
    assert take(less, complete=True) == {EntryChange.SAME: 2, EntryChange.GONE: 2}
    gone = course.lectures.filter(cancelled=True)
    assert {lecture.starts_at.day for lecture in gone} == {30, 1}
    assert not gone.filter(detached=True).exists()
    assert take(less, complete=True) == {EntryChange.SAME: 2}
    assert take(ics(WEEKLY, single("a", "20990401T080000Z")), complete=True) == {
        EntryChange.SAME: 2,
        EntryChange.CHANGED: 2,
    }
    assert not course.lectures.filter(cancelled=True).exists()


def test_what_is_over_or_of_others_is_not_gone(course: Course):
    take(ics(*(single(uid, f"209903{day}T090000Z") for uid, day in (("a", 23), ("b", 24), ("c", 25), ("d", 26)))))
    by_hand, recorded, over, _found = course.lectures.order_by("starts_at")
    change_lecture(lecture=by_hand, starts_at=by_hand.starts_at, ends_at=by_hand.ends_at, title="Mine", room=None)
    factories.recording(recorded)
    Lecture.objects.filter(pk=over.pk).update(
        starts_at=factories.STARTS - timedelta(days=900), ends_at=factories.STARTS
    )
    factories.lecture(course, starts_at=datetime(2099, 5, 1, 9, 0, tzinfo=UTC))
    other = factories.lecture(factories.course(code="MA202"), starts_at=datetime(2099, 5, 1, 9, 0, tzinfo=UTC), uid="z")
    assert take(
        ics(single("d", "20990326T090000Z"), single("n", "20990701T090000Z", "SUMMARY:MA202")), complete=True
    ) == {
        EntryChange.SAME: 1,
        EntryChange.NEW: 1,
        EntryChange.KEPT: 2,
    }
    other.refresh_from_db()
    assert not other.cancelled, "of another calendar: this one knows none of its class's lectures"


def test_an_event_that_can_no_longer_be_read_is_not_gone(course: Course):
    take(ics(WEEKLY, single("a", "20990401T080000Z")))
    strange = [line.replace("FREQ=WEEKLY", "FREQ=HOURLY") for line in WEEKLY]
    assert take(ics(strange, single("a", "20990401T080000Z")), complete=True) == {
        EntryChange.REFUSED: 1,
        EntryChange.SAME: 1,
    }


def test_a_lecture_that_was_made_by_hand_is_recognised_by_its_time(course: Course):
    lecture = factories.lecture(course, starts_at=datetime(2099, 3, 23, 9, 0, tzinfo=UTC))
    assert take(ics(single("a", "20990323T090000Z"))) == {EntryChange.SAME: 1}
    take(ics(single("a", "20990323T120000Z")))
    lecture.refresh_from_db()
    assert lecture.starts_at.hour == 12
    assert course.lectures.count() == 1


def test_an_event_names_its_class_or_gets_the_chosen_one(course: Course):
    other = factories.course(code="MA 202")
    events = ics(
        single("a", "20990323T090000Z", "SUMMARY:ma 202: Rings"),
        single("b", "20990323T090000Z", "SUMMARY:Anything", "CATEGORIES:CS101"),
        single("c", "20990324T090000Z", "SUMMARY:Dentist"),
        single("d", "20990324T090000Z", "SUMMARY:CS1010 Another class"),
    )
    assert take(events) == {EntryChange.NEW: 2, EntryChange.REFUSED: 2}
    assert other.lectures.get().title == "Rings"
    assert course.lectures.get().title == "Anything"
    assert take(ics(single("e", "20990401T090000Z", "SUMMARY:Dentist")), other) == {EntryChange.NEW: 1}


@pytest.mark.parametrize(
    "title", ["Introduction (CS101)", "[CS101] Introduction", "CS101/01 Introduction", "Lecture CS101: Introduction"]
)
def test_a_class_is_named_anywhere_in_the_title(course: Course, title: str):
    assert take(ics(single("a", "20990323T090000Z", f"SUMMARY:{title}"))) == {EntryChange.NEW: 1}


def test_a_title_that_names_two_classes_is_not_guessed_at(course: Course):
    factories.course(code="MA202")
    assert take(ics(single("a", "20990323T090000Z", "SUMMARY:For CS101 and MA202"))) == {EntryChange.REFUSED: 1}


def test_two_lectures_of_a_class_at_once_are_refused_not_half_written(course: Course):
    assert take(ics(single("a", "20990323T090000Z"), single("b", "20990323T090000Z"))) == {
        EntryChange.NEW: 1,
        EntryChange.REFUSED: 1,
    }
    assert course.lectures.count() == 1


def test_our_calendar_says_when_where_and_what_is_cancelled(course: Course):
    starts = datetime(2099, 3, 23, 9, 0, tzinfo=UTC)
    factories.lecture(course, starts_at=starts, title="Loops; and, commas\nin lines", room="H 1")
    factories.lecture(course, starts_at=starts + timedelta(days=1), cancelled=True)
    lectures = Lecture.objects.select_related("course").order_by("starts_at")
    data = build_calendar(
        lectures, name="Uni", host="example.org", address=lambda lecture: f"https://example.org/{lecture.pk}"
    )
    first, second = Calendar.from_ical(data).walk("VEVENT")
    assert first["dtstart"].dt == starts
    assert str(first["summary"]) == "CS101 Loops; and, commas\nin lines"
    assert (str(first["location"]), str(first["status"]), str(second["status"])) == ("H 1", "CONFIRMED", "CANCELLED")
    assert first["uid"] != second["uid"]


def test_our_own_calendar_read_again_changes_nothing(course: Course):
    starts = datetime(2099, 3, 23, 9, 0, tzinfo=UTC)
    for n, title in enumerate(["Loops", "", "Last"]):
        factories.lecture(course, starts_at=starts + timedelta(days=n), title=title, room="H 1", cancelled=n == 2)
    data = build_calendar(
        Lecture.objects.select_related("course"),
        name="Uni",
        host="example.org",
        address=lambda lecture: "https://example.org/",
    )
    assert take(data) == {EntryChange.SAME: 3}
