"""Reads the timetable of another system from its calendar (iCalendar, RFC 5545): each occurrence is an entry."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import recurring_ical_events
from icalendar import Calendar, Event, vCategory
from icalendar.error import BrokenCalendarProperty
from icalendar.prop import vDDDLists, vRecur

from campus.academics.file_contents import CalendarEntry
from campus.common.encodings import guess_encoding
from campus.common.errors import UserError
from recognition.messages import Message

MAX_ENTRIES = 5000
MAX_DATES, MAX_LINES = 8 * MAX_ENTRIES, 16 * MAX_ENTRIES  # each costs the parser time
MAX_REPEATS = 400
MAX_INTERVAL = 100
MAX_READING_SECONDS = 10.0
MAX_ENTRY_DURATION = timedelta(hours=24)
YEARS = range(2000, 2100)
LAST_DAY = date(YEARS[-1], 12, 31)
MAX_RULES = 10
MAX_CODE_CHARACTERS = 100
# What repeats too often shows so in its first years; all its times until the end would take a minute.
STEPS_AHEAD = [timedelta(days=366 * years) for years in (2, 16, len(YEARS))]
# Rules with other parts may come back every second, or keep us busy with a search for a day that never comes.
RULE_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTH", "WKST"}
RULE_PARTS_BY_FREQUENCY = {
    "DAILY": RULE_PARTS,
    "WEEKLY": RULE_PARTS,
    "MONTHLY": RULE_PARTS | {"BYMONTHDAY", "BYSETPOS"},
    "YEARLY": RULE_PARTS | {"BYMONTHDAY", "BYSETPOS"},
}
MIDNIGHT, END_OF_DAY = datetime.min.time(), datetime.max.time()
NO_CALENDAR = Message("This is no calendar file (.ics), or it is damaged. Export it again.")
FOLDED = re.compile(r"(?:\r\n|\n|\r)[ \t]")
ZONE_BEGIN = re.compile(r"BEGIN[;:].*VTIMEZONE\s*", re.IGNORECASE)
ZONE_END = re.compile(r"END[;:].*VTIMEZONE\s*", re.IGNORECASE)
ZONE_NAME = re.compile(r"^TZID(?:;[^:\n]*)?:(.+)$", re.IGNORECASE | re.MULTILINE)
ZONE_OFFSET = re.compile(r"^TZOFFSETTO:([+-]\d{4})\s*$", re.IGNORECASE | re.MULTILINE)


def read_calendar(data: bytes, *, until: date | None = None, zone: tzinfo = UTC) -> list[CalendarEntry]:
    """The entries in a file, one for each occurrence; what repeats without an end does so up to the day `until`. `zone`
    is that of the institution.

    Raises UserError where it is no calendar, or too large.
    """
    text = FOLDED.sub("", _decode(data))
    own_zones, text = _take_out_zones(text)
    if re.search(r"^BEGIN[;:].*VTIMEZONE", text, re.IGNORECASE | re.MULTILINE):
        raise UserError(NO_CALENDAR)
    too_many = UserError("The calendar has more than {n} lectures. Export fewer months.", n=MAX_ENTRIES)
    if len(re.findall(r"\d{8}", text)) > MAX_DATES or text.count("\n") > MAX_LINES:
        raise too_many
    try:
        calendars = Calendar.from_ical(text, multiple=True)
        events = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    except MemoryError:
        raise
    except Exception as error:
        # The parser's errors for what comes from outside are of many classes.
        raise UserError(NO_CALENDAR) from error
    if not calendars:
        raise UserError(NO_CALENDAR)
    if len(events) > MAX_ENTRIES:
        raise too_many
    clock = _Clock(next((_text(calendar, "x-wr-timezone") for calendar in calendars), ""), own_zones, zone)
    last = datetime.combine(min(until, LAST_DAY), END_OF_DAY, clock.of_institution) if until else None
    by_uid: dict[str, list[Any]] = {}
    first_place: dict[str, int] = {}
    changed_by_refused: dict[str, list[Any]] = {}
    entries: list[tuple[int, CalendarEntry]] = []  # each with its place in the file
    for place, event in enumerate(events):
        try:
            uid, normalised = _uid(event), _normalise(event, clock)
        except (UserError, BrokenCalendarProperty) as error:
            entries.append((place, _refused(event, error)))
            with suppress(UserError, BrokenCalendarProperty):
                changed_by_refused.setdefault(_text(event, "uid"), []).extend(_times(event, "recurrence-id", clock))
        else:
            by_uid.setdefault(uid, []).append(normalised)
            first_place.setdefault(uid, place)
    deadline = time.monotonic() + MAX_READING_SECONDS
    for uid, same_uid in by_uid.items():
        for event in same_uid:
            event["exdate"].dts += vDDDLists(
                [slot for slot in changed_by_refused.get(uid, []) if isinstance(slot, date)]
            ).dts
        entries += ((first_place[uid], entry) for entry in _expand(same_uid, last, deadline))
        if len(entries) > MAX_ENTRIES:
            raise too_many
    return [entry for _place, entry in sorted(entries, key=itemgetter(0))]


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode(guess_encoding(data), errors="replace")


def _take_out_zones(text: str) -> tuple[list[str], str]:
    """The zones that the file describes, and the text without them. Zones are taken from their names: a file's own
    rules could keep us busy for years.
    """
    zones: list[str] = []
    rest: list[str] = []
    zone: list[str] = []
    for line in text.split("\n"):
        if zone or ZONE_BEGIN.fullmatch(line):
            zone.append(line)
            if ZONE_END.fullmatch(line):
                zones.append("\n".join(zone))
                zone = []
        else:
            rest.append(line)
    return zones, "\n".join(rest + zone)


class _Clock:
    """Reads times. One without a zone is in the calendar's zone, or else in the institution's."""

    def __init__(self, calendar_zone: str, own_zones: list[str], of_institution: tzinfo) -> None:
        self.of_calendar = _find_zone(calendar_zone)
        self.of_institution = of_institution
        names = [(ZONE_NAME.search(zone), zone) for zone in own_zones]
        self.like_institution = {
            found[1].strip().strip('"') for found, zone in names if found and self._is_like_ours(zone)
        }

    def _is_like_ours(self, zone: str) -> bool:
        """Whether a zone that a file describes has the offsets of the institution's."""
        year = datetime.now(UTC).year
        summer_and_winter = {f"{datetime(year, month, 1, tzinfo=self.of_institution):%z}" for month in (1, 7)}
        return set(ZONE_OFFSET.findall(zone)) == summer_and_winter

    def read(self, moment: datetime, zone_name: str) -> datetime:
        if moment.year not in YEARS:
            raise UserError("The year {year} can't be right.", year=moment.year)
        if moment.tzinfo is not None:
            in_utc = self.of_calendar and moment.utcoffset() == timedelta() and not zone_name
            # What repeats does so at the same time on the wall.
            return moment.astimezone(self.of_calendar) if in_utc else moment
        if not zone_name:
            return moment.replace(tzinfo=self.of_calendar or self.of_institution)
        zone = self.of_institution if zone_name in self.like_institution else _find_zone(zone_name)
        if zone is None:
            raise UserError("Its time zone “{zone}” is not known. Choose one like Europe/Berlin.", zone=zone_name[:60])
        return moment.replace(tzinfo=zone)


@cache
def _zone_names() -> dict[str, str]:
    """The names of zones, by themselves and by their cities."""
    zones = sorted(available_timezones())
    return {zone.rpartition("/")[2].replace("_", " "): zone for zone in zones} | {zone: zone for zone in zones}


def _find_zone(name: str) -> ZoneInfo | None:
    """The zone of that name, or of the first city in it, as in Outlook's "(UTC+01:00) Amsterdam, Berlin, Rome"."""
    words = (name, *(word.strip() for word in re.split(r"[(),;/]", name[:200])))
    return next((ZoneInfo(_zone_names()[word]) for word in words if word in _zone_names()), None)


def _normalise(event: Any, clock: _Clock) -> Any:
    """The event with what a lecture needs, its times all in the zone of its start.

    Raises UserError or BrokenCalendarProperty where it can't be a lecture.
    """
    starts_at, length = _when(event, clock)
    clean: Any = Event()
    for key in ("uid", "summary", "location", "status", "categories"):
        if key in event:
            clean[key] = event[key]
    clean["sequence"] = event["sequence"] if isinstance(event.get("sequence"), int) else 0
    clean.add("dtstart", starts_at)
    clean.add("dtend", starts_at + length)
    for slot in _times(event, "recurrence-id", clock, starts_at.tzinfo)[:1]:
        if isinstance(slot, tuple):
            raise UserError("One of its times can't be read.")
        changes_rest = event["recurrence-id"].params.get("RANGE") == "THISANDFUTURE"
        clean.add("recurrence-id", slot, parameters={"RANGE": "THISANDFUTURE"} if changes_rest else {})
    excluded = _times(event, "exdate", clock, starts_at.tzinfo)
    clean["exdate"] = vDDDLists([_as_excluded(moment, starts_at) for moment in excluded])
    added = _times(event, "rdate", clock, starts_at.tzinfo)
    clean["rdate"] = vDDDLists([_at_time_of(starts_at, moment) for moment in added])
    clean["rrule"] = [_check_rule(rule, starts_at) for rule in _as_list(event, "rrule")]
    if len(clean["rrule"]) > MAX_RULES:
        raise UserError("It comes back by a rule that is unusual for lectures. Export its days one by one.")
    if "exrule" in event:
        raise UserError("A rule leaves out some of its days (EXRULE). Export its days one by one.")
    return clean


def _as_list(event: Any, key: str) -> list[Any]:
    value = event.get(key)
    return value if isinstance(value, list) else [] if value is None else [value]


def _when(event: Any, clock: _Clock) -> tuple[datetime, timedelta]:
    starts, ends = _times(event, "dtstart", clock), _times(event, "dtend", clock)
    for key, times in (("DTSTART", starts), ("DTEND", ends), ("RECURRENCE-ID", _as_list(event, "recurrence-id"))):
        if len(times) > 1:
            raise UserError("It has {key} twice.", key=key)
    if not starts or not isinstance(starts[0], datetime):
        raise UserError("It has no time of day. A lecture begins and ends at a time.")
    length = getattr(event.get("duration"), "dt", None)
    if ends and isinstance(ends[0], datetime):
        length = ends[0] - starts[0]
    if not isinstance(length, timedelta) or not timedelta() < length <= MAX_ENTRY_DURATION:
        raise UserError("It has no end, ends before it starts, or lasts longer than a day.")
    return starts[0], length


def _times(event: Any, key: str, clock: _Clock, zone: tzinfo | None = None) -> list[Any]:
    """The days, moments and periods of a property, moments in `zone` if one is given."""
    return [
        _read_time(getattr(one, "dt", None), listed.params.get("TZID") or one.params.get("TZID", ""), clock, zone)
        for listed in _as_list(event, key)
        for one in getattr(listed, "dts", [listed])
    ]


def _read_time(value: Any, zone_name: str, clock: _Clock, zone: tzinfo | None) -> Any:
    if isinstance(value, datetime):
        return clock.read(value, zone_name).astimezone(zone or clock.read(value, zone_name).tzinfo)
    if isinstance(value, date):
        return value
    if isinstance(value, tuple) and isinstance(value[0], datetime):
        starts, end = clock.read(value[0], zone_name), value[1]
        length = end if isinstance(end, timedelta) else clock.read(end, zone_name) - starts
        if timedelta() < length <= MAX_ENTRY_DURATION:
            return starts.astimezone(zone), length
    raise UserError("One of its times can't be read.")


def _as_excluded(moment: Any, starts_at: datetime) -> Any:
    """An excluded moment, or the whole day: also where it is midnight, and the event at another time."""
    moment = moment[0] if isinstance(moment, tuple) else moment
    is_day = isinstance(moment, datetime) and moment.time() == MIDNIGHT != starts_at.time()
    return moment.date() if is_day else moment


def _at_time_of(starts_at: datetime, moment: Any) -> Any:
    """The moment; of a day, that at which the event starts."""
    is_day = isinstance(moment, date) and not isinstance(moment, datetime)
    return datetime.combine(moment, starts_at.time(), starts_at.tzinfo) if is_day else moment


def _check_rule(rule: Any, starts_at: datetime) -> vRecur:
    """The rule, with its end in UTC. Raises UserError for one that no lectures have."""
    if not isinstance(rule, vRecur):
        raise UserError("Its rule of repetition can't be read.")
    frequency = str(next(iter(rule.get("FREQ", [])), ""))
    intervals = [int(number) for number in rule.get("INTERVAL", [])]
    known = RULE_PARTS_BY_FREQUENCY.get(frequency, set())
    if not known or set(rule) - known or any(not 1 <= number <= MAX_INTERVAL for number in intervals):
        raise UserError("It comes back by a rule that is unusual for lectures. Export its days one by one.")
    checked = vRecur(rule)
    for until in rule.get("UNTIL", [])[:1]:
        end = until if isinstance(until, datetime) else datetime.combine(until, END_OF_DAY)
        end = end if end.tzinfo else end.replace(tzinfo=starts_at.tzinfo)
        checked["UNTIL"] = [end.astimezone(UTC)]
    return checked


def _expand(events: list[Any], last: datetime | None, deadline: float) -> list[CalendarEntry]:
    """The entries of the events with one UID, by time. Raises UserError where that takes too long."""
    changes = [event for event in events if "recurrence-id" in event]
    # Where one was sent several times, its latest revision counts.
    revisions = sorted((event for event in events if "recurrence-id" not in event), key=lambda event: event["sequence"])
    originals = {event["dtstart"].dt: event for event in revisions}
    is_single = len(originals) == 1 and not changes and not any(_repeats(event) for event in revisions)
    entries: dict[str, CalendarEntry] = {}
    for original in [*originals.values()] or [None]:
        related = [original, *changes] if original else changes
        if time.monotonic() > deadline:
            raise UserError("The calendar takes too long to read. Export fewer months.")
        try:
            for slot, event in _occurrences(related, last):
                uid = _text(event, "uid") + ("" if is_single else f"/{slot.astimezone(UTC):%Y%m%dT%H%M%SZ}")
                entries.setdefault(uid, _entry(event, uid))
        except UserError as error:
            entries[f"{related[0]['dtstart'].dt}"] = _refused(related[0], error)
    return sorted(entries.values(), key=lambda entry: entry.starts_at or datetime.min.replace(tzinfo=UTC))


def _repeats(event: Any) -> bool:
    return bool(event["rrule"] or event["rdate"].dts)


def _occurrences(events: list[Any], last: datetime | None) -> Iterator[tuple[datetime, Any]]:
    """When an event takes place: the moment for which it was planned first, and the event as it is then.

    The first of `events` is the original, unless there are only changes of single occurrences.
    """
    original = events[0]
    is_endless = any(not rule.keys() & {"COUNT", "UNTIL"} for rule in original["rrule"])
    if is_endless and last is None:
        raise UserError("It comes back without an end. Say which day is the last of the term.")
    shifts: dict[datetime, timedelta] = {}
    calendar = Calendar()
    for event in events:
        if "recurrence-id" in event:
            slot = event["recurrence-id"]
            slot.dt = _at_time_of(original["dtstart"].dt, slot.dt)
            shifts[slot.dt] = event["dtstart"].dt - slot.dt
        calendar.add_component(event)
    first = min(event["dtstart"].dt for event in events)
    end = last if is_endless and last else datetime.combine(LAST_DAY, END_OF_DAY, UTC)
    for step in STEPS_AHEAD if original["rrule"] else STEPS_AHEAD[-1:]:
        try:
            until = max(first, min(end.astimezone(first.tzinfo), first + step))
            found = recurring_ical_events.of(calendar).between(first, until)
        except MemoryError:
            raise
        except Exception as error:
            # What is wrong with a rule shows in errors of many classes.
            raise UserError("Its rule of repetition can't be read.") from error
        if len(found) > MAX_REPEATS:
            raise UserError("It comes back more than {n} times. Give it an end.", n=MAX_REPEATS)
        if until >= end:
            break
    for event in found:
        slot, starts_at = event["recurrence-id"], event["dtstart"].dt
        yield (starts_at - shifts[slot.dt] if "RANGE" in slot.params else slot.dt), event


def _refused(event: Any, error: UserError | BrokenCalendarProperty) -> CalendarEntry:
    if isinstance(error, BrokenCalendarProperty):
        error = UserError("It can't be read: {why}", why=str(error.__cause__ or error)[:200])
    uid, summary = _text(event, "uid")[:280], _text(event, "summary")[:300]
    return CalendarEntry(uid, summary, [], "", None, None, cancelled=False, problem=error.message)


def _entry(event: Any, uid: str) -> CalendarEntry:
    codes = [
        str(code).strip()[:MAX_CODE_CHARACTERS]
        for listed in _as_list(event, "categories")
        if isinstance(listed, vCategory)
        for code in listed.cats
    ]
    cancelled = _text(event, "status").upper() == "CANCELLED"
    starts_at, ends_at = (event[key].dt.astimezone(UTC) for key in ("dtstart", "dtend"))
    room = _text(event, "location")[:100]
    return CalendarEntry(uid, _text(event, "summary")[:300], codes[:20], room, starts_at, ends_at, cancelled)


def _text(component: Any, key: str) -> str:
    """A value on one line, without control characters."""
    value = next(iter(_as_list(component, key)), "")
    return " ".join("".join(char if char.isprintable() else " " for char in str(value)).split())


def _uid(event: Any) -> str:
    uid = _text(event, "uid")
    if not uid:
        raise UserError("It has no UID, so that it could not be found again.")
    if len(uid) > 280:
        raise UserError("Its UID is longer than 280 characters.")
    return uid
