"""Stubs of Moodle, Canvas and a registry that are connected, with people who are known there and here."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.utils import timezone

from campus.academics.models import Student
from campus.connections.models import Connection, ConnectionRun, CourseLink
from tests.campus import factories
from tests.campus.connections.exchanges import exchange
from tests.servers import canvas, moodle
from tests.servers.oneroster import CLIENT, SECRET, OneRosterSite

MOODLE = {"kind": "moodle", "name": "Moodle", "secret": moodle.TOKEN}
CANVAS = {"kind": "canvas", "name": "Canvas", "secret": canvas.TOKEN}


@contextmanager
def linked(site: moodle.MoodleSite | canvas.CanvasSite, **fields: Any) -> Iterator[CourseLink]:
    """A class that is linked with the site's course, while the site answers."""
    if isinstance(site, moodle.MoodleSite):
        server, values, course = moodle.moodle(site), MOODLE, "7"
        settings = {"number": "idnumber", "statuses": "1 late T"}
    else:
        server, values, course = canvas.canvas(site), CANVAS, "42"
        settings = {"number": "sis_user_id", "assignment": "Attendance"}
    with server as address:
        settings["address"] = address
        options: dict[str, Any] = {"active": True, "change_limit_percent": 100, "settings": settings}
        connection = Connection.objects.create(**{**values, **options, **fields})
        yield CourseLink.objects.create(
            connection=connection, course=factories.course(code="CS 42"), remote_id=course, takes_roster=False
        )


def known_students(link: CourseLink, site: moodle.MoodleSite | canvas.CanvasSite, count: int = 3) -> list[Student]:
    """Students who are in the class here and there, and whom an exchange has made known."""
    rows = [factories.student() for _ in range(count)]
    for row in rows:
        factories.enrol(link.course, row)
        site.add_student(row.number, row.name)
    exchange(link.connection, ConnectionRun.Task.SYNC)
    return rows


def connect_registry(address: str = "", **fields: Any) -> Connection:
    values = {"access": "rest", "address": address, "token_url": address + "/token", "client": CLIENT}
    values |= {"number": "identifier", "lecturers": "username"}
    rows = {"kind": Connection.Kind.ONEROSTER, "name": "Registry", "active": True, "secret": SECRET}
    return Connection.objects.create(**{**rows, "settings": values, **fields})


def days(months: int) -> str:
    """The day so many months from now, as a registry writes it."""
    return (timezone.localdate() + timedelta(days=30 * months)).isoformat()


def registry() -> OneRosterSite:
    """A term, two classes with a lecturer, and forty students in the first."""
    found = OneRosterSite()
    found.add_term("t1", "Winter", days(-1), days(5))
    found.add_term("t0", "Last winter", days(-13), days(-7))
    found.add_class("c1", "CS 42", "Databases", "t1")
    found.add_class("c2", "CS 43", "Compilers", "t1")
    found.add_class("c0", "CS 42", "Databases", "t0")
    for number in range(1000, 1040):
        found.enrol(found.add_person(str(number), f"Anna {chr(65 + number % 26)}berg"), "c1", beginDate=days(-1))
    found.enrol(found.add_person("900", "Maria Roth", "teacher"), "c1", "teacher")
    found.enrol("user-1000", "c2")
    return found
