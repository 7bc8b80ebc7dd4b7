"""Moodle: rosters come from its course, and marks stand in the sessions of its attendance activity."""

import logging
import time

import pytest

from campus.attendance.models import SignOff
from campus.connections.marks import retry_failed_marks, withdraw_marks
from campus.connections.models import Connection, ConnectionRun, MarkDelivery
from campus.connections.moodle_adapter import MoodleAdapter, MoodleForm
from tests.campus import factories
from tests.campus.connections.exchanges import exchange, mark, send_again, signed_off
from tests.campus.connections.sites import known_students, linked
from tests.servers.moodle import TOKEN, MoodleSite

pytestmark = pytest.mark.django_db

Task, State = ConnectionRun.Task, MarkDelivery.State


def test_a_roster_comes_from_moodle() -> None:
    site = MoodleSite()
    for number in range(1200):
        site.add_student(str(10_000 + number), f"Given{number} Family{number}")
    site.add_student("7", "Maria Roth", roles=[{"roleid": 3, "shortname": "editingteacher"}])
    with linked(site) as link:
        members = MoodleAdapter().fetch_roster(link)
        found = MoodleAdapter().check(link.connection)
    assert len(members) == 1200, "all pages, and students alone"
    assert (members[0].number, members[0].surname) == ("10000", "Family0")
    assert "Late → L" in str(found)


def test_marks_stand_in_moodle_and_follow_corrections(caplog) -> None:
    caplog.set_level(logging.DEBUG)
    site = MoodleSite(acronyms={0: ("P", "L", "E", "A"), 1: ("P", "T", "A")})
    with linked(site) as link:
        anna, ben, cem = known_students(link, site)
        first = signed_off(link.course, {anna: "present", ben: "late", cem: "absent"})
        there = site.add_session(int(first.starts_at.timestamp()) + 300, statusset=1)
        other_group = site.add_session(int(first.starts_at.timestamp()), groupid=5)
        second = signed_off(link.course, {anna: "left_early", ben: "excused"})
        send_again(link)
        assert exchange(link.connection, Task.MARKS, link).counts["sent"] == 5
        assert {key[0] for key in site.logs} - {there} == set(site.sessions) - {there, other_group}
        made = site.sessions[max(site.sessions)]
        assert (made["sessdate"], made["duration"]) == (int(second.starts_at.timestamp()), 5400)
        assert sorted(site.marks().values()) == ["A", "E", "L"], "the second session's, as far as there is one"
        by_session = [site.logs[there, user["id"]] for user in site.users]
        assert by_session == [20, 21, 22], "P, T and A of the session's own status set"
        # The same again changes nothing; a correction changes one.
        site.called.clear()
        send_again(link)
        exchange(link.connection, Task.MARKS, link)
        assert "mod_attendance_update_user_status" not in site.called
        mark(second, ben, "present")
        send_again(link)
        assert exchange(link.connection, Task.MARKS, link).counts["sent"] == 1
        assert site.marks()[ben.number] == "P"
        # A lecture that is reopened keeps what stands there until it is signed off again.
        SignOff.objects.filter(lecture=second).delete()
        send_again(link)
        assert "removed" not in exchange(link.connection, Task.MARKS, link).counts
    assert TOKEN not in caplog.text
    assert not any("wstoken" in query for query in site.queries)


def test_a_mark_of_which_the_answer_was_lost_is_not_doubled() -> None:
    site = MoodleSite()
    with linked(site) as link:
        anna, _ben, _cem = known_students(link, site)
        signed_off(link.course, {anna: "present"})
        send_again(link)
        site.faults.lose = 1  # the answer to the list of activities
        assert exchange(link.connection, Task.MARKS, link).state == "failed"
        # The session was made, but nobody here heard of it; then the mark, too.
        for function in ("mod_attendance_add_session", "mod_attendance_update_user_status"):
            site.lose_answer_of = function
            send_again(link)
            assert exchange(link.connection, Task.MARKS, link).state == "failed"
        assert MarkDelivery.objects.get().state == State.WAITING
        site.called.clear()
        send_again(link)
        assert exchange(link.connection, Task.MARKS, link).counts["sent"] == 1
    assert "mod_attendance_update_user_status" not in site.called, "it stood there already"
    assert (len(site.sessions), len(site.logs)) == (1, 1)


def test_what_others_changed_in_moodle_is_shown_and_overwritten_only_if_a_person_says_so() -> None:
    site = MoodleSite()
    with linked(site) as link:
        anna, ben, _cem = known_students(link, site)
        signed_off(link.course, {anna: "present", ben: "absent"})
        send_again(link)
        exchange(link.connection, Task.MARKS, link)
        key = next(key for key in site.logs if site.logs[key] == 10)
        site.logs[key] = 12  # excused
        assert exchange(link.connection, Task.SYNC).counts["differing"] == 1
        assert "Update needed: “E”" in str(MarkDelivery.objects.get(state=State.FAILED).error)
        assert site.logs[key] == 12
        retry_failed_marks(link=link)
        link.refresh_from_db()
        exchange(link.connection, Task.MARKS, link)
        assert site.logs[key] == 10


def test_a_course_that_was_deleted_there_keeps_no_other_from_being_compared() -> None:
    site = MoodleSite()
    with linked(site) as link:
        anna, *_others = known_students(link, site)
        signed_off(link.course, {anna: "present"})
        send_again(link)
        exchange(link.connection, Task.MARKS, link)
        site.logs = dict.fromkeys(site.logs, 12)
        link.connection.links.create(course=factories.course(code="AA 1"), remote_id="8", takes_roster=False)
        run = exchange(link.connection, Task.SYNC)
    assert (run.state, run.counts["differing"]) == ("failed", 1)
    assert "such as: AA 1: “127.0.0.1” refused" in str(run.error)


def test_what_moodle_can_not_take_is_said_for_each_mark() -> None:
    site = MoodleSite(acronyms={0: ("P", "A")})
    with linked(site) as link:
        anna, ben, cem = known_students(link, site)
        signed_off(link.course, {anna: "late", ben: "absent", cem: "present"})
        site.users = [user for user in site.users if user["idnumber"] != cem.number]
        send_again(link)
        run = exchange(link.connection, Task.MARKS, link)
        assert (run.counts["failed"], run.counts["sent"]) == (2, 1)
        errors = " ".join(str(row.error) for row in MarkDelivery.objects.filter(state=State.FAILED))
        assert "no “L” for “late”. It has: P, A." in errors
        assert "not on the list of the session" in errors
        withdraw_marks(student=ben.pk)
        link.refresh_from_db()
        exchange(link.connection, Task.MARKS, link)
        assert "Remove it there by hand" in str(MarkDelivery.objects.get(student=None).error)


def test_a_dry_run_writes_nothing_there() -> None:
    site = MoodleSite(has_activity=False)
    with linked(site, dry_run=True) as link:
        anna, _ben, _cem = known_students(link, site)
        signed_off(link.course, {anna: "present"})
        send_again(link)
        assert exchange(link.connection, Task.MARKS, link).counts["would_change"] == 1
        assert (site.sessions, site.logs, site.has_activity) == ({}, {}, False)
        Connection.objects.update(dry_run=False)
        link.refresh_from_db()
        send_again(link)
        assert exchange(link.connection, Task.MARKS, link).counts["sent"] == 1
        assert site.has_activity
        assert site.marks() == {anna.number: "P"}


def test_faults_of_the_site_are_said_and_tried_again() -> None:
    site = MoodleSite()
    with linked(site) as link:
        anna, _ben, _cem = known_students(link, site)
        signed_off(link.course, {anna: "present"})
        send_again(link)
        for faults, sentence in (({"refuse": 503}, "503"), ({"refuse": 0, "lose": 1}, "could not be reached")):
            site.faults.__dict__.update(faults)
            run = exchange(link.connection, Task.MARKS, link)
            assert sentence in str(run.error)
            send_again(link)
        site.token = "withdrawn"
        assert "Make a new one in Moodle" in str(exchange(link.connection, Task.MARKS, link).error)
        site.token = TOKEN
        retry_failed_marks(link=link)
        send_again(link)
        assert exchange(link.connection, Task.MARKS, link).counts["sent"] == 1
        link.connection.refresh_from_db()
        assert not link.connection.last_error


def test_ten_thousand_members(record_property) -> None:
    site = MoodleSite()
    with linked(site) as link:
        anna, *_others = known_students(link, site)
        for number in range(10_000):
            site.add_student(str(100_000 + number), f"Given{number} Family{number}")
        signed_off(link.course, {anna: "present"})
        send_again(link)
        started = time.process_time()
        exchange(link.connection, Task.SYNC)
        assert exchange(link.connection, Task.MARKS, link).counts["sent"] == 1
        record_property("seconds", time.process_time() - started)


def test_a_wrong_line_of_acronyms_is_refused() -> None:
    values = {"address": "https://moodle.example.org", "number": "idnumber"}
    assert MoodleForm({**values, "statuses": "0 late T\n1 absent X"}).is_valid()
    assert "is not three words" in str(MoodleForm({**values, "statuses": "late = T"}).errors)


def test_settings_that_are_missing_are_named() -> None:
    connection = Connection.objects.create(kind=Connection.Kind.MOODLE, name="Moodle")
    assert "not complete: address, number." in str(exchange(connection, Task.CHECK).error)
