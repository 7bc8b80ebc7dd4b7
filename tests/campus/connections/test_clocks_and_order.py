"""Clocks that are hours off, and what comes repeated, late, or older than what came before: nothing is lost, undone or
ended by it, and where a person has to look, the page says so."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campus.academics.models import Enrolment
from campus.common.outgoing_http import OutgoingError
from campus.connections.canvas_client import Canvas
from campus.connections.marks import retry_failed_marks
from campus.connections.models import Connection, ConnectionRun, CourseLink, MarkDelivery
from campus.connections.moodle_adapter import MoodleAdapter
from campus.connections.registry_update import update_from_registry
from campus.connections.services import remember
from campus.connections.sync_outcome import SyncOutcome
from tests.campus.connections.exchanges import exchange, mark, send_again, signed_off
from tests.campus.connections.sites import connect_registry, known_students, linked, registry
from tests.servers.canvas import TOKEN, CanvasSite
from tests.servers.moodle import MoodleSite
from tests.servers.oneroster import OneRosterSite, oneroster
from tests.servers.rest import Asked, Reply, rest_server

pytestmark = pytest.mark.django_db

Task, State = ConnectionRun.Task, MarkDelivery.State
MARK_IN_MOODLE = "mod_attendance_update_user_status"


def changed_now(site: OneRosterSite, **values: str) -> None:
    """A change that the registry notes by its own clock."""
    there = timezone.now() + site.faults.ahead
    site.put("users", "user-1001", modified=f"{there:%Y-%m-%dT%H:%M:%S.000Z}", **values)


@pytest.mark.parametrize("hours", [-9, 9])
def test_a_registry_is_followed_whatever_its_clock_shows(hours: int) -> None:
    site = registry()
    site.faults.ahead = timedelta(hours=hours)
    with oneroster(site) as address:
        connection = connect_registry(address)
        assert exchange(connection, "sync").counts["added"] == 41
        assert exchange(connection, "sync").counts == {"unchanged": 1}
        changed_now(site, familyName="Winter")
        assert exchange(connection, "sync").counts["changed"] == 1
        # Its clock is set right: what was noted before, by the wrong one, is not passed over.
        changed_now(site, familyName="Summer")
        site.faults.ahead = timedelta()
        assert exchange(connection, "sync").counts["changed"] == 1


def test_a_registry_is_asked_for_all_once_our_own_clock_was_set_right() -> None:
    site = registry()
    with oneroster(site) as address:
        connection = connect_registry(address)
        exchange(connection, "sync")
        connection.refresh_from_db()
        applied = connection.settings["registry"]
        year = timedelta(days=365).total_seconds()
        remember(connection, registry={**applied, "applied_at": applied["applied_at"] + year})
        changed_now(site, familyName="Winter")
        assert exchange(connection, "sync").counts["changed"] == 1


def test_what_an_exchange_keeps_does_not_undo_what_somebody_enters_meanwhile(monkeypatch) -> None:
    def update(**options: Any) -> SyncOutcome:
        settings = Connection.objects.get().settings
        Connection.objects.update(settings=settings | {"number": "username"})
        return update_from_registry(**options)

    monkeypatch.setattr("campus.connections.oneroster_adapter.update_from_registry", update)
    with oneroster(registry()) as address:
        connection = connect_registry(address)
        assert exchange(connection, "sync").state == "done"
    assert Connection.objects.get().settings == connection.settings | {"number": "username"}


class Moving(OneRosterSite):
    """A registry whose rows come and go between two pages."""

    def __init__(self, change: Callable[["Moving"], None]) -> None:
        super().__init__(rows=registry().rows, most_rows=15)
        self.change = change

    def answer(self, asked: Asked) -> Reply:
        reply = super().answer(asked)
        if asked.path.endswith("enrollments") and asked.query.get("offset") == "14":
            self.change(self)
        return reply


def leave(site: Moving) -> None:
    site.rows["enrollments"].pop("user-1003@c1")


def join(site: Moving) -> None:
    rows = site.rows["enrollments"]
    site.enrol(site.add_person("999", "Zoe First"), "c1")
    last = rows.pop("user-999@c1")
    site.rows["enrollments"] = {"user-999@c1": last, **rows}


def leave_and_join_at_the_end(site: Moving) -> None:
    leave(site)
    site.enrol(site.add_person("999", "Zoe Last"), "c1")


def give_the_first_again(site: Moving) -> None:
    rows = list(site.rows["enrollments"].items())
    site.rows["enrollments"] = dict(rows[30:] + rows[:30])


@pytest.mark.parametrize("change", [leave, join, leave_and_join_at_the_end, give_the_first_again])
def test_nobody_leaves_because_a_registrys_pages_have_shifted(change: Callable[[Moving], None]) -> None:
    with oneroster(registry()) as address:
        connection = connect_registry(address, change_limit_percent=100)
        exchange(connection, "sync")
    site = Moving(change)
    site.says_total = change is not give_the_first_again
    with oneroster(site) as address:
        Connection.objects.update(settings=connection.settings | {"address": address, "token_url": address + "/token"})
        run = exchange(connection, "sync")
    assert (run.state, "have changed while they were read" in str(run.error)) == ("failed", True)
    assert Enrolment.objects.filter(valid_to=None).count() == 41
    connection.refresh_from_db()
    assert connection.due_at is None or connection.due_at < timezone.now() + timedelta(hours=1)


@pytest.mark.parametrize("says_total", [True, False])
def test_a_registry_may_give_fewer_rows_than_it_is_asked_for(says_total: bool) -> None:
    site = registry()
    site.most_rows, site.says_total = 7, says_total
    with oneroster(site) as address:
        assert exchange(connect_registry(address), "sync").counts["added"] == 41


class Leaving(MoodleSite):
    """A course that somebody leaves between two pages."""

    def _core_enrol_get_enrolled_users(self, values: dict[str, str]) -> object:
        page = super()._core_enrol_get_enrolled_users(values)
        del self.users[3]
        return page


def test_nobody_leaves_because_moodles_pages_have_shifted_or_have_gaps() -> None:
    for number in range(999, 1002):
        site = MoodleSite()
        for student in range(number):
            site.add_student(str(10_000 + student), "Anna Berg")
        with linked(site, name=f"Moodle {number}") as link:
            assert len(MoodleAdapter().fetch_roster(link)) == number
            site.hidden, site.full_names = (
                {site.users[5]["id"], site.users[999]["id"]} if number == 1001 else set(),
                False,
            )
            found = MoodleAdapter().fetch_roster(link)
        assert len(found) == number - len(site.hidden)
        assert found[0].name == "Anna Berg", "who may not see first and last names sees full ones"
        link.course.delete()
    leaving = Leaving(users=site.users)
    with linked(leaving) as link, pytest.raises(OutgoingError, match="has changed while it was read") as caught:
        MoodleAdapter().fetch_roster(link)
    assert not caught.value.final


def test_a_list_of_canvas_that_leads_to_itself_ends_in_an_error(monkeypatch) -> None:
    def again(asked: Asked) -> Reply:
        return Reply([{"user": {"id": 1}}], headers={"Link": f'<{asked.path}>; rel="next"'})

    monkeypatch.setattr("campus.connections.canvas_client.MAX_PAGES", 3)
    with rest_server(again) as address, pytest.raises(OutgoingError, match="does not end"):
        list(Canvas(address, TOKEN).students(42))


def test_a_session_that_is_an_hour_off_is_of_another_lecture() -> None:
    site = MoodleSite()
    with linked(site) as link:
        anna, *_others = known_students(link, site)
        lecture = signed_off(link.course, {anna: "present"})
        starts = int(lecture.starts_at.timestamp())
        others = [site.add_session(starts + hours * 3600) for hours in (-1, 1)]
        send_again(link)
        exchange(link.connection, Task.MARKS, link)
        [(session, _student)] = site.logs
    assert session not in others
    assert site.sessions[session]["sessdate"] == starts


def writes_to_moodle(asked: Asked) -> bool:
    return asked.form.get("wsfunction") == MARK_IN_MOODLE


def writes_to_canvas(asked: Asked) -> bool:
    return asked.method == "PUT"


@pytest.mark.parametrize(
    ("site", "is_late", "first", "second"),
    [(MoodleSite(), writes_to_moodle, "P", "L"), (CanvasSite(), writes_to_canvas, 100.0, 50.0)],
    ids=["moodle", "canvas"],
)
def test_a_call_that_is_done_after_the_next_one_is_noticed(
    site: Any, is_late: Callable[[Asked], bool], first: object, second: object
) -> None:
    with linked(site) as link:
        anna, *_others = known_students(link, site)
        lecture = signed_off(link.course, {anna: "present"})
        site.faults.late = is_late
        send_again(link)
        assert exchange(link.connection, Task.MARKS, link).state == "failed"
        mark(lecture, anna, "late")
        send_again(link)
        exchange(link.connection, Task.MARKS, link)
        exchange(link.connection, Task.SYNC)
        assert site.marks()[anna.number] == first, "the late call has overwritten the right mark"
        delivery = MarkDelivery.objects.get()
        assert (delivery.state, "Update needed" in str(delivery.error)) == (State.FAILED, True)
        retry_failed_marks(link=link)
        link.refresh_from_db()
        exchange(link.connection, Task.MARKS, link)
        assert site.marks()[anna.number] == second
        assert MarkDelivery.objects.get().state == State.SENT


def test_what_was_read_from_a_copy_that_lags_behind_is_not_taken_for_what_stands_there() -> None:
    site = MoodleSite()
    with linked(site) as link:
        anna, *_others = known_students(link, site)
        lecture = signed_off(link.course, {anna: "present"})
        for status in ("present", "late"):
            mark(lecture, anna, status)
            site.shown = dict(site.logs) or None
            send_again(link)
            exchange(link.connection, Task.MARKS, link)
        assert "“P” stands there in place of “late”" in str(MarkDelivery.objects.get().error)
        site.shown = None
        mark(lecture, anna, "present")
        send_again(link)
        exchange(link.connection, Task.MARKS, link)
        assert site.marks()[anna.number] == "P", "as the copy said before, but not the site"
        assert CourseLink.objects.get().marks.get().state == State.SENT
