"""Lectures as iCalendar (RFC 5545), for calendar programs."""

from collections.abc import Callable, Iterable
from datetime import UTC

from django.utils import timezone
from icalendar import Calendar, Event

from campus.academics.models import Lecture


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
