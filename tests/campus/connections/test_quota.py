"""Another system is asked no more often than its connection allows, by all workers together."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from campus.accounts.roles import Role
from campus.common import jobs
from campus.common.errors import UserError
from campus.connections import quota, runs
from campus.connections.models import Connection, ConnectionRun, CourseLink, MarkDelivery
from tests.campus import factories
from tests.campus.connections.exchanges import exchange, signed_off
from tests.campus.connections.test_connections_page import client_of
from tests.servers.canvas import TOKEN, CanvasSite, canvas

pytestmark = pytest.mark.django_db
LIMIT = 10


class Minutes:
    """The database's clock, which stands still until a test turns it on."""

    def __init__(self, monkeypatch) -> None:
        self.monkeypatch, self.now = monkeypatch, datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
        self.turn(0)

    def turn(self, minutes: int = 1) -> None:
        self.now += timedelta(minutes=minutes)
        self.monkeypatch.setattr(quota, "_clock", SimpleNamespace(now=lambda: self.now))


@pytest.fixture
def minutes(monkeypatch, settings) -> Minutes:
    settings.CONNECTION_NETWORKS = ["127.0.0.0/8"]
    return Minutes(monkeypatch)


def link_to(address: str, students: int) -> CourseLink:
    values = {"kind": "canvas", "name": "Canvas", "active": True, "secret": TOKEN, "calls_per_minute": LIMIT}
    values |= {
        "settings": {"address": address, "number": "sis_user_id", "assignment": "Attendance"},
        "change_limit_percent": 100,
    }
    connection = Connection.objects.create(**values)
    course = factories.course(code="CS 42", students=students)
    return CourseLink.objects.create(connection=connection, course=course, remote_id="42")


def test_requests_of_all_workers_are_counted_by_the_minute(minutes: Minutes) -> None:
    connection = Connection.objects.create(kind="canvas", name="Canvas", calls_per_minute=LIMIT)
    same = Connection.objects.get()
    assert [quota.take_call(row) for _ in range(LIMIT // 2) for row in (connection, same)] == [True] * LIMIT
    assert (quota.take_call(connection), quota.take_call(same), quota.calls_left(same)) == (False, False, 0)
    minutes.turn()
    assert quota.calls_left(connection) == LIMIT
    assert quota.take_call(connection)
    minutes.turn(-1)  # of a worker that has read its clock before
    assert quota.calls_left(same) == LIMIT - 1
    Connection.objects.update(calls_per_minute=None)
    assert Connection.objects.get().call_limit == 300


def test_marks_that_wait_for_the_next_minute_are_shown_and_sent_then(minutes: Minutes) -> None:
    site = CanvasSite()
    with canvas(site) as address:
        link = link_to(address, 2 * LIMIT)
        for student in link.course.students.all():
            site.add_student(student.number, student.name)
        exchange(link.connection, "roster", link)
        signed_off(link.course, dict.fromkeys(link.course.students.all(), "present"))
        link.refresh_from_db()
        minutes.turn()
        site.asked.clear()
        counts = exchange(link.connection, "marks", link).counts
        assert len(site.asked) == LIMIT
        assert counts["sent"] + counts["waiting_for_calls"] == 2 * LIMIT
        page = client_of(Role.AUDITOR).get("/connections/").content.decode()
        assert f"no more calls are allowed in this minute: {counts['waiting_for_calls']}" in page
        # No other exchange begins in this minute.
        run = runs.request_run(connection=link.connection, task="roster", link=link)
        claimed = jobs.EXCHANGE.claim(run.pk, owner="worker")
        with pytest.raises(jobs.Postponed):
            runs.perform(run=claimed)
        jobs.postpone(claimed)
        assert len(site.asked) == LIMIT
        assert "waits for its turn at" in client_of(Role.REGISTRAR).get("/connections/").content.decode()
        for _ in range(2):
            minutes.turn()
            exchange(link.connection, "marks", link)
        assert MarkDelivery.objects.filter(state="sent").count() == 2 * LIMIT
        assert len(site.asked) <= 3 * LIMIT


def test_a_roster_of_many_pages_waits_in_between(minutes: Minutes, monkeypatch) -> None:
    site = CanvasSite()
    asked_in: list[int] = []

    def pause(_seconds: float) -> None:
        asked_in.append(len(site.asked))
        assert ConnectionRun.objects.get().waits_until == minutes.now + timedelta(minutes=1)
        minutes.turn()

    monkeypatch.setattr(quota, "time", SimpleNamespace(sleep=pause))
    with canvas(site) as address:
        link = link_to(address, 0)
        for number in range(100 * (LIMIT + 2)):
            site.add_student(str(number), f"Student {number}")
        run = exchange(link.connection, "roster", link)
        assert (run.state, run.counts["members"]) == ("done", 100 * (LIMIT + 2))
        assert asked_in == [LIMIT]
        assert run.waits_until is None

        # Who stops the connection does not wait for it.
        minutes.turn()
        monkeypatch.setattr(
            quota, "time", SimpleNamespace(sleep=lambda _seconds: Connection.objects.update(active=False))
        )
        run = exchange(link.connection, "roster", link)
        assert (run.state, str(run.error)) == ("failed", str(UserError("The connection is switched off.")))
