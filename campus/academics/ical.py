"""Lectures as iCalendar (RFC 5545): written for calendar programs, and read from another system's timetable."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from dateutil.rrule import rrulestr
from django.utils import timezone
from django.utils.translation import gettext as _
from icalendar import Calendar, Event
from icalendar.error import BrokenCalendarProperty

from campus.academics.models import Lecture
from campus.common.errors import UserError

MAX_BYTES = 2 * 1024 * 1024
MAX_ENTRIES = 5000
MAX_REPEATS = 400
MAX_ENTRY_DURATION = timedelta(hours=24)
YEARS = range(2000, 2100)
# Of these every rule has a next day, so that looking for it always ends.
RULE_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST"}
FOLDED = re.compile(r"(?:\r\n|\n|\r)[ \t]")
# Zones are taken from their names. A file's own rules could keep us busy for years.
ZONES = re.compile(
    r"^BEGIN[;:][^\n]*VTIMEZONE\s*?$.*?^END[;:][^\n]*VTIMEZONE\s*?$", re.IGNORECASE | re.MULTILINE | re.DOTALL
)


def build_calendar(lectures: Iterable[Lecture], *, name: str, host: str, address: Callable[[Lecture], str]) -> bytes:
    """A calendar to subscribe to. Moments are in UTC, which every program shows in its reader's zone."""
    calendar = Calendar()
    for key, value in {
        "prodid": "-//Rollcall//timetable//EN",
        "version": "2.0",
        "method": "PUBLISH",
        "x-wr-calname": name,
    }.items():
        calendar.add(key, value)
    written = timezone.now()
    for lecture in lectures:
        event = Event()
        event.add("uid", f"lecture-{lecture.pk}@{host}")
        event.add("dtstamp", written)
        event.add("dtstart", lecture.starts_at.astimezone(UTC))
        event.add("dtend", lecture.ends_at.astimezone(UTC))
        event.add("summary", f"{lecture.course.code} {lecture.title or lecture.course.name}")
        event.add("categories", [lecture.course.code])
        event.add("status", "CANCELLED" if lecture.cancelled else "CONFIRMED")
        event.add("url", address(lecture))
        if lecture.room:
            event.add("location", lecture.room.name)
        calendar.add_component(event)
    return bytes(calendar.to_ical())


class CalendarEntry(NamedTuple):
    """One event of a calendar at one time. `problem` says why it can't be a lecture."""

    uid: str
    summary: str
    codes: list[str]
    room: str
    starts_at: datetime | None
    ends_at: datetime | None
    cancelled: bool
    problem: str = ""


def read_calendar(data: bytes) -> list[CalendarEntry]:
    """The entries in a file, repeated ones day by day. Raises UserError where it is no calendar."""
    if len(data) > MAX_BYTES:
        raise UserError("The calendar is larger than {n} MB. Export fewer months.", n=MAX_BYTES // 1024**2)
    text = ZONES.sub("", FOLDED.sub("", data.decode("utf-8-sig", errors="replace")))
    if re.search(r"^BEGIN[;:].*VTIMEZONE", text, re.IGNORECASE | re.MULTILINE):
        raise UserError("This is no calendar file (.ics), or it is damaged. Export it again.")
    try:
        calendar = Calendar.from_ical(text)
        events = calendar.walk("VEVENT")
    except Exception as error:
        # The parser's errors for what comes from outside are of many classes.
        raise UserError("This is no calendar file (.ics), or it is damaged. Export it again.") from error
    moved: dict[str, set[datetime]] = {}
    for event in events:
        with suppress(UserError, BrokenCalendarProperty):  # told below
            if (slot := _moment(event, "recurrence-id")) is not None:
                moved.setdefault(_text(event, "uid"), set()).add(slot)
    entries: list[CalendarEntry] = []
    for event in events:
        own = moved.get(_text(event, "uid"), set())
        entries += islice(_read_event(event, own), MAX_ENTRIES + 1 - len(entries))
        if len(entries) > MAX_ENTRIES:
            raise UserError("The calendar has more than {n} lectures. Export fewer months.", n=MAX_ENTRIES)
    return entries


def _read_event(event: Any, moved: set[datetime]) -> Iterator[CalendarEntry]:
    try:
        uid, slot = _uid(event), _moment(event, "recurrence-id")
        starts_at, length = _when(event)
        if slot is not None:
            yield _entry(event, f"{uid}/{slot:%Y%m%dT%H%M%SZ}", starts_at, length)
        elif event.get("rrule") is None and event.get("rdate") is None:
            yield _entry(event, uid, starts_at, length)
        else:
            for moment in _repeats(event):
                if moment not in moved:
                    yield _entry(event, f"{uid}/{moment:%Y%m%dT%H%M%SZ}", moment, length)
    except UserError as error:
        yield _refused(event, str(error))
    except BrokenCalendarProperty as error:
        yield _refused(event, _("It can't be read: %(why)s") % {"why": str(error.__cause__ or error)[:200]})


def _refused(event: Any, problem: str) -> CalendarEntry:
    return CalendarEntry(
        _text(event, "uid")[:280], _text(event, "summary")[:300], [], "", None, None, cancelled=False, problem=problem
    )


def _entry(event: Any, uid: str, starts_at: datetime, length: timedelta) -> CalendarEntry:
    categories = event.get("categories") or []
    lists = categories if isinstance(categories, list) else [categories]
    codes = [str(code).strip() for one in lists for code in getattr(one, "cats", [])]
    cancelled = _text(event, "status").upper() == "CANCELLED"
    room = _text(event, "location")[:100]
    return CalendarEntry(uid, _text(event, "summary")[:300], codes[:20], room, starts_at, starts_at + length, cancelled)


def _text(event: Any, key: str) -> str:
    """A value on one line, without control characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in str(event.get(key, ""))).split())


def _uid(event: Any) -> str:
    uid = _text(event, "uid")
    if not uid:
        raise UserError("It has no UID, so that it could not be found again.")
    if len(uid) > 280:
        raise UserError("Its UID is longer than 280 letters.")
    return uid


def _when(event: Any) -> tuple[datetime, timedelta]:
    starts_at = _moment(event, "dtstart")
    if starts_at is None:
        raise UserError("It has no time of day. A lecture begins and ends at a time.")
    ends_at, length = _moment(event, "dtend"), getattr(event.get("duration"), "dt", None)
    if ends_at is not None:
        length = ends_at - starts_at
    if not isinstance(length, timedelta) or not timedelta() < length <= MAX_ENTRY_DURATION:
        raise UserError("It has no end, ends before it starts, or lasts longer than a day.")
    return starts_at, length


def _moment(event: Any, key: str) -> datetime | None:
    """In UTC. A time without a zone is the institution's. None where there is none, or a whole day."""
    value = event.get(key)
    if isinstance(value, list):
        raise UserError("It has {key} twice.", key=key.upper())
    return None if value is None else _in_utc(getattr(value, "dt", None), getattr(value, "params", {}).get("TZID", ""))


def _in_utc(moment: object, zone: str) -> datetime | None:
    if not isinstance(moment, datetime):
        return None
    if moment.year not in YEARS:
        raise UserError("The year {year} can't be right.", year=moment.year)
    if moment.tzinfo is None:
        if zone:
            raise UserError("Its time zone “{zone}” is not known. Choose one like Europe/Berlin.", zone=zone[:60])
        moment = moment.replace(tzinfo=timezone.get_default_timezone())
    return moment.astimezone(UTC)


def _repeats(event: Any) -> list[datetime]:
    """Every time at which it takes place. Rules count on the clock on the wall, so that summer time moves nothing."""
    first = event["dtstart"].dt
    zone = first.tzinfo or timezone.get_default_timezone()
    moments = {first.replace(tzinfo=None)}
    if (rule := event.get("rrule")) is not None:
        moments |= set(_by_rule(rule, first.replace(tzinfo=None), zone))
    found = {moment.replace(tzinfo=zone).astimezone(UTC) for moment in moments}
    return sorted((found | _listed(event, "rdate")) - _listed(event, "exdate"))


def _by_rule(rule: Any, first: datetime, zone: Any) -> list[datetime]:
    strange = isinstance(rule, list) or set(rule) - RULE_PARTS or rule.get("FREQ") not in (["DAILY"], ["WEEKLY"])
    if strange or any(not re.fullmatch("[A-Z]{2}", str(day)) for day in rule.get("BYDAY", [])):
        raise UserError("It comes back by a rule that is not daily or weekly. Export its days one by one.")
    parts = [f"{key}={','.join(map(str, rule[key]))}" for key in rule if key != "UNTIL"]
    for until in rule.get("UNTIL", []):
        if not isinstance(until, datetime):
            until = datetime.combine(until, datetime.max.time()) if isinstance(until, date) else first
        elif until.tzinfo is not None:
            until = until.astimezone(zone).replace(tzinfo=None)
        parts.append(f"UNTIL={until:%Y%m%dT%H%M%S}")
    try:
        found = list(islice(rrulestr(";".join(parts), dtstart=first), MAX_REPEATS + 1))
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError("Its rule of repetition can't be read.") from error
    if len(found) > MAX_REPEATS or any(moment.year not in YEARS for moment in found):
        raise UserError("It comes back without an end, or more than {n} times. Give it an end.", n=MAX_REPEATS)
    return found


def _listed(event: Any, key: str) -> set[datetime]:
    value = event.get(key)
    lists = value if isinstance(value, list) else [value] if value is not None else []
    dates = [one for listed in lists for one in getattr(listed, "dts", [])]
    if len(dates) > MAX_REPEATS:
        raise UserError("It comes back without an end, or more than {n} times. Give it an end.", n=MAX_REPEATS)
    moments = (_in_utc(one.dt, getattr(one, "params", {}).get("TZID", "")) for one in dates)
    return {moment for moment in moments if moment is not None}
