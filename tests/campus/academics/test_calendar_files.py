"""Calendars in and out: what other programs write becomes lectures, and theirs read ours."""

import re
import time as clock
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from campus.academics import calendar_reader
from campus.academics.calendar_import import EntryChange, plan_import, save_import
from campus.academics.calendar_reader import MAX_BYTES, CalendarEntry, read_calendar
from campus.academics.ical import build_calendar
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


def starts_of(entries: list[CalendarEntry]) -> list[datetime]:
    assert not [entry.problem for entry in entries if entry.problem]
    return [entry.starts_at for entry in entries if entry.starts_at]


@pytest.mark.parametrize(
    "excluded",
    [
        "EXDATE;VALUE=DATE:20990330",
        "EXDATE;TZID=Europe/Berlin:20990330T091500",
        "EXDATE:20990330T071500Z",
        "EXDATE;TZID=America/New_York:20990330T031500",
        "EXDATE;TZID=Europe/Berlin:20990330T000000",
        "EXDATE;VALUE=DATE:20991224,20990330",
        "EXDATE;VALUE=DATE:20991224\r\nEXDATE;VALUE=DATE:20990330",
    ],
)
def test_a_day_that_falls_out_does_so_however_it_is_written(excluded: str):
    days = [starts.day for starts in starts_of(read_calendar(ics([*WEEKLY, excluded])))]
    assert days == [23, 6]


@pytest.mark.parametrize(
    "added",
    [
        "RDATE;VALUE=DATE:20990325",
        "RDATE;TZID=Europe/Berlin:20990325T091500",
        "RDATE:20990325T081500Z",
        "RDATE;VALUE=PERIOD:20990325T081500Z/PT90M",
        "RDATE;VALUE=PERIOD:20990325T081500Z/20990325T094500Z",
    ],
)
def test_a_day_besides_is_there_however_it_is_written(added: str):
    entries = read_calendar(ics([*WEEKLY, added]))
    assert starts_of(entries)[1] == datetime(2099, 3, 25, 8, 15, tzinfo=UTC)
    assert {entry.ends_at - entry.starts_at for entry in entries if entry.ends_at and entry.starts_at} == {
        timedelta(minutes=90)
    }


@pytest.mark.parametrize("until", ["20990406", "20990406T091500", "20990406T071500Z"])
def test_the_last_day_of_a_rule_belongs_to_it(until: str):
    weekly = [line for line in WEEKLY if not line.startswith("RRULE")]
    assert len(read_calendar(ics([*weekly, f"RRULE:FREQ=WEEKLY;UNTIL={until}"]))) == 3


def test_a_monthly_event_is_on_its_weekday():
    first_monday = [*single("a", "20990302T090000Z"), "RRULE:FREQ=MONTHLY;BYDAY=1MO;COUNT=3"]
    assert [(starts.month, starts.day) for starts in starts_of(read_calendar(ics(first_monday)))] == [
        (3, 2),
        (4, 6),
        (5, 4),
    ]


def test_a_change_of_one_day_and_all_after_it_moves_them_all():
    moved = [
        WEEKLY[0],
        "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20990330T091500",
        "DTSTART;TZID=Europe/Berlin:20990330T141500",
        "DTEND;TZID=Europe/Berlin:20990330T154500",
    ]
    plain, changed = read_calendar(ics(WEEKLY)), read_calendar(ics(WEEKLY, moved))
    assert [starts.hour for starts in starts_of(changed)] == [8, 12, 12]
    assert [entry.uid for entry in changed] == [entry.uid for entry in plain]


def test_a_day_that_a_change_names_without_its_time_is_the_one_that_moves():
    moved = [WEEKLY[0], "RECURRENCE-ID;VALUE=DATE:20990330", "DTSTART:20990331T120000Z", "DURATION:PT1H"]
    assert [starts.day for starts in starts_of(read_calendar(ics(WEEKLY, moved)))] == [23, 31, 6]


def test_a_change_that_cant_be_read_does_not_bring_its_day_back():
    broken = [WEEKLY[0], "RECURRENCE-ID;TZID=Europe/Berlin:20990330T091500", "DTSTART:nonsense", "DURATION:PT1H"]
    *others, refused = read_calendar(ics(WEEKLY, broken))
    assert refused.problem
    assert [starts.day for starts in starts_of(others)] == [23, 6]


def test_what_repeats_without_an_end_does_so_to_the_end_of_the_term():
    forever = [*single("a", "20990323T090000Z"), "RRULE:FREQ=WEEKLY"]
    (refused,) = read_calendar(ics(forever))
    assert "last of the term" in refused.problem
    assert len(read_calendar(ics(forever), until=date(2099, 4, 13))) == 4


@pytest.mark.parametrize("uid", ["a", "{n}"])
def test_a_calendar_that_takes_too_long_is_refused(monkeypatch, uid: str):
    never = "RRULE:FREQ=YEARLY;COUNT=9;BYMONTH=2;BYMONTHDAY=30"
    events = [[*single(uid.format(n=n), f"2099032{n % 9}T{n // 60:02}{n % 60:02}00Z"), never] for n in range(1000)]
    monkeypatch.setattr(calendar_reader, "MAX_READING_SECONDS", 0.5)
    began = clock.monotonic()
    with pytest.raises(UserError, match="too long"):
        read_calendar(ics(*events))
    assert clock.monotonic() - began < 10


def test_many_times_in_zones_named_by_cities_take_no_time():
    listed = ",".join(["20990323T090000"] * 5_000)
    event = [*single("a", "20990323T090000Z"), f'EXDATE;TZID="(UTC+01:00) Nowhere, Berlin":{listed}']
    began = clock.monotonic()
    assert read_calendar(ics(event))[0].uid == "a"
    with pytest.raises(UserError, match="more than 5000"):
        read_calendar(ics([*event, f"RDATE:{','.join(['20990323'] * 40_000)}"]))
    assert clock.monotonic() - began < 10


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
    outlook = [
        "UID:c",
        'DTSTART;TZID="(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna":20990623T091500',
        "DURATION:PT1H",
    ]
    vendor = ["UID:d", "DTSTART;TZID=/freeassociation.sourceforge.net/Europe/Berlin:20990623T091500", "DURATION:PT1H"]
    assert [one.starts_at for one in read_calendar(ics(floating, windows, outlook, vendor))] == [
        datetime(2099, 6, 23, 7, 15, tzinfo=UTC)
    ] * 4


@pytest.mark.parametrize(
    "zone",
    ["(GMT+01.00) Amsterdam / Berlin / Bern / Rom / Stockholm / Wien", "(UTC+01:00) Brussels, Copenhagen, Paris"],
)
def test_a_zone_is_known_by_a_city(zone: str):
    event = ["UID:a", f'DTSTART;TZID="{zone}":20990623T091500', "DURATION:PT1H"]
    assert starts_of(read_calendar(ics(event))) == [datetime(2099, 6, 23, 7, 15, tzinfo=UTC)]


def test_calendars_one_after_the_other_in_a_file_are_one():
    both = ics(single("a", "20990323T091500Z")) + ics(single("b", "20990324T091500Z"))
    assert [entry.uid for entry in read_calendar(both)] == ["a", "b"]


@pytest.mark.parametrize(
    ("encoding", "title"), [("cp1252", "Einführung in die Ökologie"), ("cp1251", "Введение в экологию")]
)
def test_a_calendar_in_the_encoding_of_a_country_is_read(encoding: str, title: str):
    data = ics(single("a", "20990323T091500Z", f"SUMMARY:{title}")).decode().encode(encoding)
    assert read_calendar(data)[0].summary == title


def test_a_calendars_own_zone_is_that_of_times_without_one():
    calendar = ics(single("a", "20990323T091500")).replace(b"VERSION", b"X-WR-TIMEZONE:Asia/Tokyo\r\nVERSION")
    assert starts_of(read_calendar(calendar)) == [datetime(2099, 3, 23, 0, 15, tzinfo=UTC)]


def test_in_a_calendar_with_a_zone_what_repeats_in_utc_stays_at_its_time_on_the_wall():
    weekly = ics([*single("a", "20990323T081500Z"), "RRULE:FREQ=WEEKLY;COUNT=2"])
    calendar = weekly.replace(b"VERSION", b"X-WR-TIMEZONE:Europe/Berlin\r\nVERSION")
    assert [starts.hour for starts in starts_of(read_calendar(calendar))] == [8, 7]  # summer time begins in between


def test_a_zone_that_the_file_describes_is_the_institutions_where_it_has_its_offsets(settings):
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:Customized Time Zone\r\n"
        "BEGIN:STANDARD\r\nDTSTART:16010101T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n"
        "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\n"
        "BEGIN:DAYLIGHT\r\nDTSTART:16010101T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"
        "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT"
    )
    event = ["UID:o", "DTSTART;TZID=Customized Time Zone:20990623T091500", "DURATION:PT90M"]
    calendar = ics(event).replace(b"BEGIN:VEVENT", zone.encode(), 1)
    settings.TIME_ZONE = "Europe/Berlin"
    assert starts_of(read_calendar(calendar)) == [datetime(2099, 6, 23, 7, 15, tzinfo=UTC)]
    settings.TIME_ZONE = "Asia/Tokyo"
    assert "not known" in read_calendar(calendar)[0].problem


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (["UID:a", "DTSTART;VALUE=DATE:20990323", "SUMMARY:Holiday"], "no time of day"),
        (["UID:a", "DTSTART:20990323T090000Z", "SUMMARY:Endless"], "no end"),
        (["UID:a", "DTSTART:20990323T090000Z", "DTEND:20990323T080000Z"], "no end"),
        (["UID:a", "DTSTART:20990323T090000Z", "DTEND:nonsense"], "can.t be read"),
        (["UID:a", "DTSTART:nonsense", "DURATION:PT1H"], "can.t be read"),
        ([*single("a", "20990323T090000Z"), "RECURRENCE-ID:nonsense"], "can.t be read"),
        ([*single("a", "20990323T090000Z"), "RECURRENCE-ID:20990323T091500Z/PT90M"], "can.t be read"),
        ([*single("a", "20990323T090000Z"), "RDATE:nonsense"], "can.t be read"),
        ([*single("a", "20990323T090000Z"), "RRULE:nonsense"], "can.t be read|unusual"),
        (["UID:a", "DTSTART:20990323T090000Z", "DURATION:P3D"], "longer than a day"),
        (["DTSTART:20990323T090000Z", "DURATION:PT1H"], "no UID"),
        (["UID:a", "DTSTART;TZID=Mars/Olympus:20990323T090000", "DURATION:PT1H"], "Mars/Olympus"),
        (["UID:a", "DTSTART:18990323T090000Z", "DURATION:PT1H"], "1899"),
        ([*single("a", "20990323T090000Z"), "RRULE:FREQ=SECONDLY"], "unusual"),
        ([*single("a", "20990323T090000Z"), "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"], "unusual"),
        ([*single("a", "20990323T090000Z"), "RRULE:FREQ=DAILY;COUNT=2;BYHOUR=1,2,3;BYMINUTE=1,2"], "unusual"),
        ([*single("a", "20990323T090000Z"), "RRULE:FREQ=DAILY;COUNT=2", "EXRULE:FREQ=DAILY"], "EXRULE"),
        ([*single("a", "20980323T090000Z"), "RRULE:FREQ=DAILY"], "without an end"),
        ([*single("a", "20980323T090000Z"), "RRULE:FREQ=DAILY;COUNT=1000000000"], "more than 400"),
        ([*single("a", "20980323T090000Z"), "RRULE:FREQ=WEEKLY;COUNT=3;INTERVAL=0"], "unusual"),
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
    with pytest.raises(UserError, match=r"no calendar|larger than"):
        read_calendar(data)


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


def test_an_event_that_becomes_the_first_of_several_is_still_the_same_lecture(course: Course):
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


WHEN = st.sampled_from(
    [
        "20990323T091500Z",
        "20990330T091500",
        "20990329T023000",
        "20990323",
        "20000101T000000Z",
        "20991231T235959Z",
        "99991231T235959Z",
        "00010101T000000",
        "20990323T091500Z/PT90M",
        "20990323T091500Z/20990323T101500Z",
        "20990323T091500Z,20990324T091500Z",
        "20990332T256199",
        "-P1D",
        "091500",
        "",
    ]
)
ZONE = st.sampled_from(
    ["", ";TZID=Europe/Berlin", ";TZID=Mars", ";VALUE=DATE", ";VALUE=PERIOD", ";TZID=", ";RANGE=THISANDFUTURE"]
)
RULE_PART = st.sampled_from(
    [
        *(f"FREQ={name}" for name in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY", "SECONDLY", "NEVER")),
        *("COUNT=3", "COUNT=-1", "COUNT=9999999999", "INTERVAL=2", "INTERVAL=0", "INTERVAL=100", "INTERVAL=x"),
        *("UNTIL=20990501", "UNTIL=20990501T000000Z", "UNTIL=20990501T000000", "UNTIL=x", "UNTIL=00010101"),
        *("BYDAY=MO,TU", "BYDAY=1MO", "BYDAY=-5SU", "BYDAY=XX", "BYDAY=53MO", "BYMONTH=2", "BYMONTH=13"),
        *("BYMONTHDAY=30", "BYMONTHDAY=-31", "BYSETPOS=-1", "BYSETPOS=366", "BYHOUR=1,2,3", "WKST=SU", "RSCALE=X"),
    ]
)
RULE = st.lists(RULE_PART, min_size=1, max_size=5).map(lambda parts: "RRULE:" + ";".join(parts))
PROPERTY = st.one_of(
    st.builds(
        lambda name, zone, when: f"{name}{zone}:{when}",
        st.sampled_from(["DTSTART", "DTEND", "RECURRENCE-ID", "EXDATE", "RDATE"]),
        ZONE,
        WHEN,
    ),
    RULE,
    st.sampled_from(
        ["DURATION:PT90M", "DURATION:-PT1H", "DURATION:P9999999999D", "DURATION:x", "UID:a", "UID:b", "UID:"]
    ),
    st.sampled_from(
        ["SEQUENCE:1", "SEQUENCE:x", "SEQUENCE:99999999999999999999", "STATUS:CANCELLED", "EXRULE:FREQ=DAILY"]
    ),
    st.sampled_from(
        ["SUMMARY:CS101", "CATEGORIES:CS101,\\,,;", "LOCATION:\x00\x07", "BEGIN:VALARM", "END:VALARM", "X"]
    ),
)
EVENT = st.tuples(
    st.sampled_from([["UID:a", "DTSTART:20990323T091500Z", "DURATION:PT90M"], ["UID:a"], []]),
    st.lists(PROPERTY, max_size=6),
).map(lambda parts: parts[0] + parts[1])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(events=st.lists(EVENT, max_size=4), zone=st.sampled_from(["", "Asia/Tokyo", "Mars", "UTC"]))
def test_any_calendar_is_lectures_and_reasons_or_one_sentence(events: list[list[str]], zone: str):
    data = ics(*events).replace(b"VERSION", f"X-WR-TIMEZONE:{zone}\r\nVERSION".encode())
    try:
        entries = read_calendar(data, until=date(2099, 6, 30))
    except UserError:
        return
    for entry in entries:
        assert entry.problem or (entry.uid and entry.starts_at and entry.ends_at and entry.starts_at < entry.ends_at)
    uids = [entry.uid for entry in entries if not entry.problem]
    assert len(uids) == len(set(uids))


@given(data=st.binary(max_size=500) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_a_calendar_or_a_sentence(data: bytes):
    for text in (data, HEAD.encode() + data, ics(WEEKLY)[: len(data)] + data):
        with suppress(UserError):
            read_calendar(text)
