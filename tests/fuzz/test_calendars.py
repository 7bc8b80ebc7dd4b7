"""Calendars: any file becomes lectures and reasons why others are none, or is refused with a sentence."""

from datetime import date
from itertools import chain

import pytest
from django.db import transaction
from hypothesis import strategies as st

from campus.academics.calendar_import import EntryChange, plan_import, save_import
from campus.academics.calendar_reader import read_calendar
from campus.academics.models import Course
from campus.common.errors import UserError
from tests.campus import factories
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.mutations import case_files, mutated

pytestmark = pytest.mark.django_db

MOMENTS = st.sampled_from(
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
PARAMETERS = st.sampled_from(
    [
        *("", ";TZID=Europe/Berlin", ";TZID=Mars", ";TZID=", ";TZID=UTC", ";TZID=Customized"),
        *(
            ";VALUE=DATE",
            ";VALUE=PERIOD",
            ";VALUE=TEXT",
            ";VALUE=RECUR",
            ";RANGE=THISANDFUTURE",
            ';X="',
            ";TZID=../../etc/passwd",
        ),
    ]
)
RULE_PARTS = st.sampled_from(
    [
        *(f"FREQ={name}" for name in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY", "SECONDLY", "NEVER")),
        *("COUNT=3", "COUNT=-1", "COUNT=9999999999", "INTERVAL=2", "INTERVAL=0", "INTERVAL=100", "INTERVAL=x"),
        *("UNTIL=20990501", "UNTIL=20990501T000000Z", "UNTIL=20990501T000000", "UNTIL=x", "UNTIL=00010101"),
        *("UNTIL=99991231T235959", "COUNT=400", "COUNT=", "=", "BYDAY=", "BYMONTH=2L", "BYDAY=MO;BYDAY=TU"),
        *("BYDAY=MO,TU", "BYDAY=1MO", "BYDAY=-5SU", "BYDAY=XX", "BYDAY=53MO", "BYMONTH=2", "BYMONTH=13"),
        *("BYMONTHDAY=30", "BYMONTHDAY=-31", "BYSETPOS=-1", "BYSETPOS=366", "BYHOUR=1,2,3", "WKST=SU", "RSCALE=X"),
    ]
)
PROPERTIES = st.one_of(
    st.builds(
        lambda name, parameters, moment: f"{name}{parameters}:{moment}",
        st.sampled_from(["DTSTART", "DTEND", "RECURRENCE-ID", "EXDATE", "RDATE"]),
        PARAMETERS,
        MOMENTS,
    ),
    st.builds(
        lambda parameters, parts: f"RRULE{parameters}:{';'.join(parts)}",
        st.just("") | PARAMETERS,
        st.lists(RULE_PARTS, min_size=1, max_size=5),
    ),
    st.builds(
        lambda name, parameters: f"{name}{parameters}:1",
        st.sampled_from(["UID", "SUMMARY", "CATEGORIES", "STATUS", "SEQUENCE", "DURATION", "LOCATION", "EXRULE"]),
        PARAMETERS,
    ),
    st.sampled_from(
        [
            *("DURATION:PT90M", "DURATION:-PT1H", "DURATION:P9999999999D", "DURATION:x", "UID:a", "UID:b", "UID:"),
            *("SEQUENCE:1", "SEQUENCE:x", "SEQUENCE:99999999999999999999", "STATUS:CANCELLED", "EXRULE:FREQ=DAILY"),
            *("SUMMARY:CS101", "CATEGORIES:CS101,\\,,;", "LOCATION:\x00\x07", "BEGIN:VALARM", "END:VALARM", "X"),
            *("UID:a/20990323T091500Z", "SUMMARY;LANGUAGE=de:CS101 Öffnung", "LOCATION:H 1"),
            "SUMMARY:" + "CS101 " * 80,
        ]
    ),
)
EVENTS = st.tuples(
    st.sampled_from([["UID:a", "DTSTART:20990323T091500Z", "DURATION:PT90M"], ["UID:a"], []]),
    st.lists(PROPERTIES, max_size=6),
).map(lambda parts: ["BEGIN:VEVENT", *parts[0], *parts[1], "END:VEVENT"])
ZONE = """BEGIN:VTIMEZONE
TZID:Customized
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
END:VTIMEZONE"""
CALENDARS = st.builds(
    lambda zone, events: "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", *zone.split("\n"), *chain(*events), "END:VCALENDAR", ""]
    ).encode(),
    st.sampled_from(["X-A:1", "X-WR-TIMEZONE:Asia/Tokyo", "X-WR-TIMEZONE:Mars", "X-WR-TIMEZONE:UTC", ZONE]),
    st.lists(EVENTS, max_size=4),
)
SEED = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:weekly@example.org\r\n"
    b"DTSTART;TZID=Europe/Berlin:20990323T091500\r\nDTEND;TZID=Europe/Berlin:20990323T104500\r\n"
    b"RRULE:FREQ=WEEKLY;UNTIL=20990406T220000Z\r\nEXDATE;VALUE=DATE:20990330\r\nSUMMARY:CS101 Loops\r\nLOCATION:H 1\r\n"
    b"END:VEVENT\r\nEND:VCALENDAR\r\n"
)
TOKENS = [
    *(b"\r\n", b"\n", b"\r", b"\n ", b"\0", b":", b";", b",", b'"', b"=", b"\\n", b"\\,", b"\x85", b"\xe2\x80\xa8"),
    *(b"BEGIN:VEVENT\n", b"END:VEVENT\n", b"BEGIN:VTIMEZONE\n", b"END:VTIMEZONE\n", b"BEGIN:VCALENDAR\n", b"BEGIN:X\n"),
    *(b"END:VCALENDAR\n", b"RDATE:20990323T091500Z\n", b"RECURRENCE-ID:20990323\n", b"TZID:Berlin\n", b"20990323,"),
    *(
        b";VALUE=BINARY;ENCODING=BASE64",
        b";ENCODING=QUOTED-PRINTABLE",
        b"\xff\xfe",
        b"P1W",
        b"FREQ=DAILY;",
        b"00010101",
    ),
]


@pytest.fixture(autouse=True)
def course() -> None:
    """A class that the calendar may name, with a lecture at one of the times."""
    course = factories.course(code="CS101")
    factories.lecture(course, room="H 1")


@fuzz(
    content=st.one_of(CALENDARS, mutated([SEED, *case_files("ics")], TOKENS), st.binary(max_size=300)),
    until=st.sampled_from([None, date(2099, 6, 30), date.max]),
    has_class=st.booleans(),
)
def test_a_calendar_is_read_and_imported(content: bytes, until: date | None, has_class: bool) -> None:
    try:
        entries = read_calendar(content, until=until)
    except UserError:
        return
    for entry in entries:
        assert entry.problem or (entry.uid and entry.starts_at and entry.ends_at and entry.starts_at < entry.ends_at)
    uids = [entry.uid for entry in entries if not entry.problem]
    assert len(uids) == len(set(uids))
    courses = list(Course.objects.all())
    only = courses[0] if has_class else None
    with transaction.atomic():
        try:
            save_import(plan_import(entries, courses, only), complete=True)
        except UserError:
            pass
        else:
            again = {row.kind for row in plan_import(read_calendar(content, until=until), courses, only)}
            changes = again & {EntryChange.NEW, EntryChange.CHANGED, EntryChange.GONE}
            assert not changes, "importing it again changes nothing"
        transaction.set_rollback(True)
