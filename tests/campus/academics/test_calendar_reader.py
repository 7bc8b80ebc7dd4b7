"""What other programs write in calendars becomes entries, or reasons why it is no lecture."""

import re
import time as clock
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from campus.academics import calendar_reader
from campus.academics.calendar_reader import read_calendar
from campus.academics.file_contents import MAX_CALENDAR_BYTES, CalendarEntry
from campus.common.errors import UserError
from tests.campus.academics.calendars import HEAD, WEEKLY, ics, single


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


def test_a_change_may_name_its_day_without_the_time():
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
    assert "last of the term" in str(refused.problem)
    assert len(read_calendar(ics(forever), until=date(2099, 4, 13))) == 4


@pytest.mark.parametrize("rule", ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TU", "FREQ=MONTHLY;BYMONTHDAY=1,-1,5"])
def test_a_far_end_takes_no_time(rule: str):
    event = [*single("a", "20000323T090000Z"), f"RRULE:{rule}"]
    began = clock.monotonic()
    (refused,) = read_calendar(ics(event), until=date.max)
    assert "more than 400" in str(refused.problem)
    assert clock.monotonic() - began < 5


@pytest.mark.parametrize("uid", ["a", "{n}"])
def test_a_calendar_that_takes_too_long_is_refused(monkeypatch, uid: str):
    never = "RRULE:FREQ=YEARLY;COUNT=9;BYMONTH=2;BYMONTHDAY=30"
    events = [[*single(uid.format(n=n), f"2099032{n % 9}T{n // 60:02}{n % 60:02}00Z"), never] for n in range(1000)]
    monkeypatch.setattr(calendar_reader, "MAX_READING_SECONDS", 0.5)
    began = clock.monotonic()
    with pytest.raises(UserError, match="too long"):
        read_calendar(ics(*events))
    assert clock.monotonic() - began < 10


def test_many_times_and_lines_take_no_time():
    listed = ",".join(["20990323T090000"] * 5_000)
    event = [*single("a", "20990323T090000Z"), f'EXDATE;TZID="(UTC+01:00) Nowhere, Berlin":{listed}']
    began = clock.monotonic()
    assert read_calendar(ics(event))[0].uid == "a"
    for many in (f"RDATE:{','.join(['20990323'] * 40_000)}", "X:1\r\n" * 80_000):
        with pytest.raises(UserError, match="more than 5000"):
            read_calendar(ics([*event, many]))
    assert clock.monotonic() - began < 10


def test_days_fall_out_move_and_come_besides():
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


def test_zones_are_the_institutions_or_known_by_many_names():
    floating = single("a", "20990623T091500")
    windows = ["UID:b", "DTSTART;TZID=W. Europe Standard Time:20990623T091500", "DURATION:PT1H"]
    outlook = [
        "UID:c",
        'DTSTART;TZID="(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna":20990623T091500',
        "DURATION:PT1H",
    ]
    vendor = ["UID:d", "DTSTART;TZID=/freeassociation.sourceforge.net/Europe/Berlin:20990623T091500", "DURATION:PT1H"]
    assert [
        one.starts_at for one in read_calendar(ics(floating, windows, outlook, vendor), zone=ZoneInfo("Europe/Berlin"))
    ] == [datetime(2099, 6, 23, 7, 15, tzinfo=UTC)] * 4


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


def test_what_repeats_in_utc_stays_at_its_time_on_the_wall():
    weekly = ics([*single("a", "20990323T081500Z"), "RRULE:FREQ=WEEKLY;COUNT=2"])
    calendar = weekly.replace(b"VERSION", b"X-WR-TIMEZONE:Europe/Berlin\r\nVERSION")
    assert [starts.hour for starts in starts_of(read_calendar(calendar))] == [8, 7]  # summer time begins in between


def test_a_described_zone_is_ours_if_its_offsets_are(settings):
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:Customized Time Zone\r\n"
        "BEGIN:STANDARD\r\nDTSTART:16010101T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n"
        "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\n"
        "BEGIN:DAYLIGHT\r\nDTSTART:16010101T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"
        "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT"
    )
    event = ["UID:o", "DTSTART;TZID=Customized Time Zone:20990623T091500", "DURATION:PT90M"]
    calendar = ics(event).replace(b"BEGIN:VEVENT", zone.encode(), 1)
    assert starts_of(read_calendar(calendar, zone=ZoneInfo("Europe/Berlin"))) == [
        datetime(2099, 6, 23, 7, 15, tzinfo=UTC)
    ]
    assert "not known" in str(read_calendar(calendar, zone=ZoneInfo("Asia/Tokyo"))[0].problem)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (["UID:a", "DTSTART;VALUE=DATE:20990323", "SUMMARY:Holiday"], "no time of day"),
        (["UID:a", "DTSTART:20990323T090000Z", "SUMMARY:Endless"], "no end"),
        (["UID:a", "DTSTART:20990323T090000Z", "DTEND:20990323T080000Z"], "no end"),
        (["UID:a", "DTSTART:20990323T090000Z", "DTEND:nonsense"], "can.t be read"),
        (["UID:a", "DTSTART:nonsense", "DURATION:PT1H"], "can.t be read"),
        (["UID:a", "DTSTART;VALUE=TEXT:20990323T090000Z", "DURATION:PT1H"], "can.t be read"),
        ([*single("a", "20990323T090000Z"), "RECURRENCE-ID:nonsense"], "can.t be read"),
        ([*single("a", "20990323T090000Z"), "RECURRENCE-ID:20990323T091500Z/PT90M"], "can.t be read"),
        ([*single("a", "20990323T090000Z"), "RDATE:nonsense"], "can.t be read"),
        ([*single("a", "20990323T090000Z"), "RRULE;VALUE=TEXT:FREQ=DAILY"], "can.t be read"),
        ([*single("a", "20990323T090000Z"), "RRULE:nonsense"], "can.t be read|unusual"),
        (["UID:a", "DTSTART:20990323T090000Z", "DURATION:P3D"], "longer than a day"),
        (["DTSTART:20990323T090000Z", "DURATION:PT1H"], "no UID"),
        (["UID:a", "DTSTART;TZID=Mars/Olympus:20990323T090000", "DURATION:PT1H"], "Mars/Olympus"),
        (["UID:a", "DTSTART:18990323T090000Z", "DURATION:PT1H"], "1899"),
        ([*single("a", "20990323T090000Z"), "RRULE:FREQ=SECONDLY"], "unusual"),
        ([*single("a", "20990323T090000Z"), *["RRULE:FREQ=DAILY;COUNT=2"] * 100], "unusual"),
        ([*single("a", "20990323T090000Z"), "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"], "unusual"),
        ([*single("a", "20990323T090000Z"), "RRULE:FREQ=DAILY;COUNT=2;BYHOUR=1,2,3;BYMINUTE=1,2"], "unusual"),
        ([*single("a", "20990323T090000Z"), "RRULE:FREQ=DAILY;COUNT=2", "EXRULE:FREQ=DAILY"], "EXRULE"),
        ([*single("a", "20980323T090000Z"), "RRULE:FREQ=DAILY"], "without an end"),
        ([*single("a", "20980323T090000Z"), "RRULE:FREQ=DAILY;COUNT=1000000000"], "more than 400"),
        ([*single("a", "20980323T090000Z"), "RRULE:FREQ=WEEKLY;COUNT=3;INTERVAL=0"], "unusual"),
        ([*single("a", "20980323T090000Z"), "DTSTART:20980324T090000Z"], "twice"),
    ],
)
def test_an_event_that_is_no_lecture_says_why(event: list[str], why: str):
    began = clock.monotonic()
    wrong, right = read_calendar(ics(event, single("b", "20990401T080000Z")))
    assert re.search(why, str(wrong.problem)), wrong.problem
    assert right.uid == "b"
    assert clock.monotonic() - began < 5  # a hostile rule must not keep us busy


def test_categories_that_are_no_text_are_left_out():
    (entry,) = read_calendar(ics([*single("a", "20990323T090000Z"), "CATEGORIES;VALUE=PERIOD:1", "CATEGORIES:MA101"]))
    assert (str(entry.problem), entry.codes) == ("", ["MA101"])


@pytest.mark.parametrize(
    "data",
    [b"", b"number;name\n1;Ann", b"\x00\x01\x02", b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1"],
)
def test_what_is_no_calendar_is_refused_with_a_sentence(data: bytes):
    with pytest.raises(UserError, match="no calendar"):
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
        assert "Bomb" in str(meeting.problem)
    with pytest.raises(UserError):
        read_calendar((HEAD + bomb.replace("END:VTIMEZONE\r\n", "") + event + "END:VCALENDAR\r\n").encode())


@pytest.mark.parametrize(
    "repeated", ["BEGIN:VTIMEZONE\r\n", "BEGIN:VTIMEZONE\r\nEND:VTIMEZONE\r\n", "TZID:" + " " * 10_000 + "x\r\n"]
)
def test_no_calendar_takes_long_to_be_taken_apart(repeated: str):
    many = repeated * (MAX_CALENDAR_BYTES // 2 // len(repeated))
    zone = f"BEGIN:VTIMEZONE\r\n{many}END:VTIMEZONE\r\n"
    began = clock.monotonic()
    for data in (many.encode(), (HEAD + zone + "END:VCALENDAR\r\n").encode()):
        with suppress(UserError):
            read_calendar(data)
    assert clock.monotonic() - began < 20
