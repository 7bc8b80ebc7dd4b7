"""Calendars in and out: what other programs write becomes lectures, and theirs read ours."""

import re
import time as clock
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from icalendar import Calendar

from campus.academics.calendar_import import EntryChange, plan_import, save_import
from campus.academics.ical import MAX_BYTES, build_calendar, read_calendar
from campus.academics.models import Course, Lecture
from campus.academics.services import change_lecture
from campus.common.errors import UserError
from tests.campus import factories

HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\n"
WEEKLY = [
    "UID:weekly@example.org",
    "DTSTART;TZID=Europe/Berlin:20990323T091500",
    "DTEND;TZID=Europe/Berlin:20990323T104500",
    "RRULE:FREQ=WEEKLY;UNTIL=20990406T220000Z",
    "SUMMARY:CS101 Loops",
    "LOCATION:H 1",
]


def ics(*events: list[str]) -> bytes:
    return (
        HEAD
        + "".join("BEGIN:VEVENT\r\n" + "\r\n".join(event) + "\r\nEND:VEVENT\r\n" for event in events)
        + "END:VCALENDAR\r\n"
    ).encode()


def single(uid: str, starts: str, *more: str) -> list[str]:
    return [f"UID:{uid}", f"DTSTART:{starts}", "DURATION:PT90M", *(more or ("SUMMARY:CS101",))]


@pytest.fixture
def course(db: None) -> Course:
    return factories.course(code="CS101", name="Computing")


def take(data: bytes, only: Course | None = None, *, complete: bool = False) -> dict[EntryChange, int]:
    return save_import(plan_import(read_calendar(data), list(Course.objects.all()), only), complete=complete)


def test_a_weekly_event_is_at_the_same_time_on_the_wall_in_summer_too():
    first, *_, last = read_calendar(ics(WEEKLY))  # summer time begins on 29 March 2099
    assert first.starts_at == datetime(2099, 3, 23, 8, 15, tzinfo=UTC)
    assert last.starts_at == datetime(2099, 4, 6, 7, 15, tzinfo=UTC)
    assert (first.summary, first.room, first.ends_at - first.starts_at) == ("CS101 Loops", "H 1", timedelta(minutes=90))


def test_days_that_fall_out_are_moved_or_come_besides_are_as_the_calendar_says():
    changed = [*WEEKLY, "EXDATE;TZID=Europe/Berlin:20990323T091500", "RDATE;TZID=Europe/Berlin:20990325T160000"]
    moved = [
        WEEKLY[0],
        "RECURRENCE-ID;TZID=Europe/Berlin:20990330T091500",
        "DTSTART;TZID=Europe/Berlin:20990331T140000",
        "DTEND;TZID=Europe/Berlin:20990331T150000",
        "SUMMARY:CS101 Moved",
    ]
    starts = {meeting.starts_at: meeting.summary for meeting in read_calendar(ics(changed, moved))}
    assert starts == {
        datetime(2099, 3, 25, 15, 0, tzinfo=UTC): "CS101 Loops",
        datetime(2099, 3, 31, 12, 0, tzinfo=UTC): "CS101 Moved",
        datetime(2099, 4, 6, 7, 15, tzinfo=UTC): "CS101 Loops",
    }


def test_a_time_without_a_zone_is_the_institutions_and_windows_names_are_known(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    floating = single("a", "20990623T091500")
    windows = ["UID:b", "DTSTART;TZID=W. Europe Standard Time:20990623T091500", "DURATION:PT1H"]
    assert [one.starts_at for one in read_calendar(ics(floating, windows))] == [
        datetime(2099, 6, 23, 7, 15, tzinfo=UTC)
    ] * 2


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (["UID:a", "DTSTART;VALUE=DATE:20990323", "SUMMARY:Holiday"], "no time of day"),
        (["UID:a", "DTSTART:20990323T090000Z", "SUMMARY:Endless"], "no end"),
        (["UID:a", "DTSTART:20990323T090000Z", "DTEND:20990323T080000Z"], "no end"),
        (["UID:a", "DTSTART:20990323T090000Z", "DTEND:nonsense"], "can.t be read"),
        (["UID:a", "DTSTART:nonsense", "DURATION:PT1H"], "can.t be read"),
        ([*single("a", "20990323T090000Z"), "RECURRENCE-ID:nonsense"], "can.t be read"),
        ([*single("a", "20990323T090000Z"), "RDATE:nonsense"], "can.t be read"),
        ([*single("a", "20990323T090000Z"), "RRULE:nonsense"], "can.t be read|not daily"),
        (["UID:a", "DTSTART:20990323T090000Z", "DURATION:P3D"], "longer than a day"),
        (["DTSTART:20990323T090000Z", "DURATION:PT1H"], "no UID"),
        (["UID:a", "DTSTART;TZID=Mars/Olympus:20990323T090000", "DURATION:PT1H"], "Mars/Olympus"),
        (["UID:a", "DTSTART:18990323T090000Z", "DURATION:PT1H"], "1899"),
        ([*single("a", "20990323T090000Z"), "RRULE:FREQ=SECONDLY"], "not daily or weekly"),
        ([*single("a", "20990323T090000Z"), "RRULE:FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30"], "not daily or weekly"),
        ([*single("a", "20980323T090000Z"), "RRULE:FREQ=DAILY"], "without an end"),
        ([*single("a", "20980323T090000Z"), "RRULE:FREQ=DAILY;COUNT=1000000000"], "without an end"),
        ([*single("a", "20980323T090000Z"), "RRULE:FREQ=WEEKLY;INTERVAL=0"], "repetition|without an end"),
        ([*single("a", "20980323T090000Z"), "DTSTART:20980324T090000Z"], "twice"),
    ],
)
def test_an_event_that_is_no_lecture_says_why_and_the_others_are_taken(event: list[str], why: str):
    began = clock.monotonic()
    wrong, right = read_calendar(ics(event, single("b", "20990401T080000Z")))
    assert re.search(why, wrong.problem), wrong.problem
    assert right.uid == "b"
    assert clock.monotonic() - began < 5  # a hostile rule must not keep us busy


@pytest.mark.parametrize(
    "data",
    [b"", b"number;name\n1;Ann", b"\x00\x01\x02", b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1", b"x" * (MAX_BYTES + 1)],
)
def test_what_is_no_calendar_is_refused_with_a_sentence(data: bytes):
    with suppress(UserError):
        assert read_calendar(data) == []


def test_a_files_own_time_zone_rules_are_not_followed():
    rule = "DTSTART:16010101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nRRULE:FREQ=SECONDLY\r\n"
    bomb = f"BEGIN:VTIMEZONE\r\nTZID:Bomb\r\nBEGIN:STANDARD\r\n{rule}END:STANDARD\r\nEND:VTIMEZONE\r\n"
    event = "BEGIN:VEVENT\r\nUID:a\r\nDTSTART;TZID=Bomb:20990323T090000\r\nDURATION:PT1H\r\nEND:VEVENT\r\n"
    for written in (
        bomb,
        bomb.replace("VTIMEZONE", "VTIME\r\n ZONE"),
        bomb.replace("BEGIN:VTIMEZONE", "begin;x=1:vtimezone"),
    ):
        (meeting,) = read_calendar((HEAD + written + event + "END:VCALENDAR\r\n").encode())
        assert "Bomb" in meeting.problem
    with pytest.raises(UserError):
        read_calendar((HEAD + bomb.replace("END:VTIMEZONE\r\n", "") + event + "END:VCALENDAR\r\n").encode())


def test_reading_a_calendar_again_changes_nothing(course: Course):
    assert take(ics(WEEKLY)) == {EntryChange.NEW: 3}
    assert take(ics(WEEKLY)) == {EntryChange.SAME: 3}
    lecture = course.lectures.order_by("starts_at").first()
    assert (lecture.title, lecture.room.name) == ("Loops", "H 1")


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


def test_what_is_gone_from_the_calendar_is_cancelled_and_comes_back_with_it(course: Course):
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


def test_what_people_did_here_is_over_or_came_from_elsewhere_is_not_gone(course: Course):
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
    strange = [line.replace("FREQ=WEEKLY", "FREQ=MONTHLY") for line in WEEKLY]
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
