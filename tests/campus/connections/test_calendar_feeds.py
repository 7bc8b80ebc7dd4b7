"""Calendar feeds: lectures follow another system's calendar, and what people made or used stays as it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from django.utils import timezone

from campus.academics.file_imports import entries_of
from campus.academics.models import Lecture
from campus.academics.selectors import file_imports_for
from campus.common.errors import UserError
from campus.connections.calendar_feeds import update_from_feed
from campus.connections.models import Connection
from tests.campus import factories
from tests.campus.connections.exchanges import exchange
from tests.campus.file_imports import read_uploads
from tests.servers.rest import Asked, Reply, rest_server

pytestmark = pytest.mark.django_db

FIRST = timezone.now().replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=7)


# What exports of these programs look like; samples of our own.
def timeedit(uid: str, summary: str, room: str, starts, ends) -> str:
    return (
        f"BEGIN:VEVENT\r\nDTSTART:{starts:%Y%m%dT%H%M%SZ}\r\nDTEND:{ends:%Y%m%dT%H%M%SZ}\r\nUID:{uid}@timeedit.com\r\n"
        f"DTSTAMP:20261101T080000Z\r\nLAST-MODIFIED:20261101T080000Z\r\nSUMMARY:{summary}\\, Lecture\r\n"
        f"LOCATION:{room}\r\nDESCRIPTION:ID 12345\r\nEND:VEVENT\r\n"
    )


def untis(uid: str, summary: str, room: str, starts, ends) -> str:
    return (
        f"BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20261101T080000Z\r\nSUMMARY:{summary}\r\nLOCATION:{room}\r\n"
        f"CATEGORIES:{summary}\r\nDTSTART:{starts:%Y%m%dT%H%M%SZ}\r\nDTEND:{ends:%Y%m%dT%H%M%SZ}\r\n"
        "DESCRIPTION:CS42 ROT\r\nEND:VEVENT\r\n"
    )


def campusnet(uid: str, summary: str, room: str, starts, ends) -> str:
    return (
        f"BEGIN:VEVENT\r\nSUMMARY:{summary} Vorlesung\r\nLOCATION:{room}\r\nUID:{uid}-campusnet\r\nCLASS:PUBLIC\r\n"
        f"DTSTART;VALUE=DATE-TIME:{starts:%Y%m%dT%H%M%SZ}\r\nDTEND;VALUE=DATE-TIME:{ends:%Y%m%dT%H%M%SZ}\r\n"
        "DTSTAMP:20261101T080000Z\r\nEND:VEVENT\r\n"
    )


@dataclass
class Feed:
    """A calendar with one entry a day: `rooms` by the number of the day, and how many days it was moved."""

    form: Callable[..., str] = timeedit
    code: str = "CS 42"
    prefix: str = "e"
    rooms: dict[int, str] = field(default_factory=lambda: dict.fromkeys(range(20), "A1"))
    moved: dict[int, int] = field(default_factory=dict)
    content_type: str = "text/calendar"
    modified: datetime | None = None
    asked: list[Asked] = field(default_factory=list)

    def calendar(self) -> bytes:
        events = ""
        for day, room in self.rooms.items():
            starts = FIRST + timedelta(days=day, hours=self.moved.get(day, 0))
            events += self.form(f"{self.prefix}{day}", self.code, room, starts, starts + timedelta(minutes=90))
        return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n{events}END:VCALENDAR\r\n".encode()

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        body = self.calendar()
        etag = f'"{hash(body)}"'
        if asked.headers.get("If-None-Match") == etag:
            return Reply(status=304)
        modified = {"Last-Modified": format_datetime(self.modified, usegmt=True)} if self.modified else {}
        return Reply(body, headers={"ETag": etag, "Content-Type": self.content_type, **modified})


@contextmanager
def served(feed: Feed, **fields) -> Iterator[Connection]:
    with rest_server(feed.answer) as address:
        values = {"kind": Connection.Kind.CALENDAR, "name": f"Timetable {feed.prefix}", "active": True}
        yield Connection.objects.create(**{**values, "secret": f"{address}/ri123abc.ics", **fields})


def lectures() -> list[Lecture]:
    return list(Lecture.objects.filter(course__code="CS 42").select_related("room").order_by("starts_at"))


@pytest.mark.parametrize("form", [timeedit, untis, campusnet])
def test_lectures_follow_the_calendar(form) -> None:
    factories.course(code="CS 42")
    feed = Feed(form=form)
    with served(feed, change_limit_percent=20) as connection:
        assert update_from_feed(connection=connection, is_trial=True).counts["added"] == 20
        assert not lectures()
        update_from_feed(connection=connection)
        assert [row.room.name for row in lectures()] == ["A1"] * 20
        assert update_from_feed(connection=connection).counts["unchanged"] == 1
        assert feed.asked[-1].headers["If-None-Match"], "the same calendar is not sent again"
        feed.rooms[3] = "B2"
        feed.moved[4] = 2
        del feed.rooms[5]
        outcome = update_from_feed(connection=connection)
        assert not outcome.questions
        assert (outcome.counts["changed"], outcome.counts["removed"]) == (2, 1)
    found = lectures()
    assert found[3].room.name == "B2"
    assert found[4].starts_at == FIRST + timedelta(days=4, hours=2)
    assert found[5].cancelled
    assert len(found) == 20


def test_what_people_made_or_used_stays() -> None:
    course = factories.course(code="CS 42", students=1)
    handmade = factories.lecture(course, starts_at=FIRST, title="Own title")
    feed = Feed()
    with served(feed, change_limit_percent=100) as connection:
        update_from_feed(connection=connection)
        used, changed = lectures()[1], lectures()[2]
        factories.recording(used)
        Lecture.objects.filter(pk=changed.pk).update(detached=True)
        feed.rooms = dict.fromkeys(range(3, 20), "B2")
        outcome = update_from_feed(connection=connection)
    handmade.refresh_from_db()
    assert (handmade.title, handmade.uid, handmade.cancelled) == ("Own title", "", False)
    assert [row.cancelled for row in lectures()] == [False] * 20
    assert [row.room.name for row in lectures()[1:4]] == ["A1", "A1", "B2"]
    assert outcome.counts["kept"] == 2


def test_two_rooms_of_one_class_do_not_cancel_each_other() -> None:
    factories.course(code="CS 42")
    morning = Feed(prefix="m", rooms=dict.fromkeys(range(10), "A1"))
    later = Feed(prefix="l", rooms=dict.fromkeys(range(10, 20), "B2"))
    with served(morning, change_limit_percent=100) as first, served(later, change_limit_percent=100) as second:
        for _ in range(2):
            update_from_feed(connection=first)
            update_from_feed(connection=second)
            first.settings = second.settings = {}
    assert [row.cancelled for row in lectures()] == [False] * 20


def test_more_than_the_limit_waits_for_a_person() -> None:
    factories.course(code="CS 42")
    feed = Feed()
    with served(feed) as connection:
        update_from_feed(connection=connection)
        feed.rooms = dict.fromkeys(range(20), "C3")
        outcome = update_from_feed(connection=connection)
        assert "20 of 20 coming lectures" in str(outcome.remark)
        assert outcome.calendar == feed.calendar()
        assert {row.room.name for row in lectures()} == {"A1"}
        again = update_from_feed(connection=connection)
        assert again.questions, "what a person has to decide is not forgotten since the calendar is the same"


def test_what_is_no_calendar_is_said_and_changes_nothing() -> None:
    factories.course(code="CS 42")
    feed = Feed()
    with served(feed) as connection:
        update_from_feed(connection=connection)
        feed.calendar = lambda: b"<html>Please log in</html>"  # type: ignore[method-assign]
        with pytest.raises(UserError, match="no calendar file"):
            update_from_feed(connection=connection)
    assert len(lectures()) == 20
    with pytest.raises(UserError, match="could not be reached"):
        update_from_feed(connection=connection)


def test_who_asks_for_it_gets_the_known_preview(client) -> None:
    factories.course(code="CS 42")
    registrar = factories.registrar()
    client.force_login(registrar)
    feed = Feed()
    with served(feed) as connection:
        assert exchange(connection, "sync").counts == {"added": 20}
        feed.rooms = dict.fromkeys(range(20), "C3")
        assert "20 of 20 coming lectures" in str(exchange(connection, "sync").result)
        run = exchange(connection, "sync", user=registrar)
        assert "could not be reached" not in str(run.result)
    read_uploads()
    preview = f"/admin/academics/lecture/import-calendar/{run.file_import_id}/"
    assert preview in client.get("/connections/").content.decode()
    assert client.get(preview).status_code == 200
    assert {entry.room for entry in entries_of(file_imports_for(registrar).get(pk=run.file_import_id))} == {"C3"}
    assert exchange(connection, "sync").state == "failed"
    connection.refresh_from_db()
    assert "could not be reached" in str(connection.last_error)


def test_an_older_copy_of_the_calendar_undoes_nothing_by_itself() -> None:
    factories.course(code="CS 42")
    registrar = factories.registrar()
    feed = Feed(modified=datetime(2026, 11, 1, 12, tzinfo=UTC))
    with served(feed, change_limit_percent=100) as connection:
        assert exchange(connection, "sync").counts == {"added": 20}
        feed.rooms, feed.modified = dict.fromkeys(range(20), "OLD"), feed.modified - timedelta(hours=2)
        run = exchange(connection, "sync")
        assert (run.state, "an older calendar than the last one" in str(run.error)) == ("failed", True)
        assert {row.room.name for row in lectures()} == {"A1"}
        assert exchange(connection, "sync", user=registrar).counts == {"changed": 20}, "a person takes it all the same"


def test_what_was_read_while_the_clock_here_was_wrong_is_read_again() -> None:
    factories.course(code="CS 42")
    feed = Feed()
    with served(feed) as connection:
        update_from_feed(connection=connection)
        connection.settings["answer"]["at"] += timedelta(days=300).total_seconds()
        assert not update_from_feed(connection=connection).counts["unchanged"]
        assert update_from_feed(connection=connection).counts["unchanged"] == 1
