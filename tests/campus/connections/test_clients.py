"""The clients of Moodle, Canvas and OneRoster against their stubs, and other people's clients against the same."""

import ssl
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from canvasapi import Canvas as OtherCanvas

from campus.common.outgoing_http import OutgoingError
from campus.connections.canvas_client import Canvas
from campus.connections.moodle_client import Moodle
from campus.connections.oneroster_client import OneRoster
from tests.campus.connections.sites import registry
from tests.servers.canvas import TOKEN as CANVAS_TOKEN
from tests.servers.canvas import CanvasSite, canvas
from tests.servers.moodle import TOKEN as MOODLE_TOKEN
from tests.servers.moodle import MoodleSite, moodle
from tests.servers.oneroster import CLIENT, SECRET, OneRosterSite, oneroster
from tests.servers.rest import Asked, Faults, Reply, rest_server
from tests.servers.stores import certificate


def test_moodle_users_sessions_and_marks() -> None:
    site = MoodleSite()
    student = site.add_student("1001", "Anna Berg")
    site.add_student("", "Tom Lee", roles=[{"roleid": 3, "name": "", "shortname": "editingteacher", "sortorder": 0}])
    with moodle(site) as address:
        client = Moodle(address + "/", MOODLE_TOKEN)
        about = client.site()
        assert not about.missing_functions
        assert [user.is_student for user in client.enrolled_users(7)] == [True, False]
        pk = client.add_session(3, starts_at=1_800_000_000, seconds=5400, description="Joins")
        session = client.session(pk)
        client.set_status(session, student, session.status_of("l"), about.userid)
        assert client.sessions(3)[0].attendance_log[0].studentid == student
    assert site.marks() == {"1001": "L"}
    assert {"", "wstoken"} - set(site.queries) == {"wstoken"}, "a token in an address ends in logs"


@pytest.mark.parametrize(
    ("change", "sentence", "final"),
    [
        ({"token": "another"}, "Make a new one in Moodle", True),
        ({"faults": Faults(refuse=503)}, "answered 503", False),
        ({"faults": Faults(refuse=301)}, "moved to another address", True),
        ({"faults": Faults(lose=1)}, "could not be reached", False),
    ],
)
def test_errors_of_moodle_say_what_to_do(change, sentence: str, final: bool) -> None:
    with moodle(MoodleSite(**change)) as address, pytest.raises(OutgoingError) as caught:
        Moodle(address, MOODLE_TOKEN).site()
    assert sentence in str(caught.value)
    assert caught.value.final is final
    assert MOODLE_TOKEN not in str(caught.value)


def test_what_is_no_moodle_is_said() -> None:
    with canvas(CanvasSite()) as address, pytest.raises(OutgoingError, match="secret"):
        Moodle(address, MOODLE_TOKEN).site()


def test_canvas_pages_marks_and_what_another_client_reads() -> None:
    site = CanvasSite()
    users = [site.add_student(str(number), f"Student {number}") for number in range(1000, 1250)]
    with canvas(site) as address:
        client = Canvas(address, CANVAS_TOKEN)
        assert [row.user.id for row in client.students(42)] == users
        assert client.find_assignment(42, "Attendance") is None
        assignment = client.add_assignment(42, "Attendance")
        assert client.find_assignment(42, "Attendance") == assignment
        client.set_percent(42, assignment.id, users[0], "87.5")
        client.set_percent(42, assignment.id, users[1], "50")
        client.set_percent(42, assignment.id, users[1], "")
        scores = client.scores(42, assignment.id)
        other = OtherCanvas(address, CANVAS_TOKEN).get_course(42)
        assert len(list(other.get_enrollments(type=["StudentEnrollment"]))) == len(users)
        read = {row.user_id: row.score for row in other.get_assignment(assignment.id).get_submissions()}
    assert (scores[users[0]], scores[users[1]]) == (87.5, None)
    assert read == scores
    assert site.assignments[assignment.id]["grading_type"] == "percent"


def test_canvas_that_is_asked_too_often_is_asked_again_later() -> None:
    with canvas(CanvasSite(limited=1)) as address:
        client = Canvas(address, CANVAS_TOKEN)
        with pytest.raises(OutgoingError, match="fewer requests") as caught:
            client.course(42)
        assert not caught.value.final
        assert client.course(42).name == "Databases"


def test_oneroster_reads_all_pages_with_tokens_that_expire() -> None:
    site = registry()
    for number in range(2000, 4100):
        site.enrol(site.add_person(str(number), f"Student {number}"), "c1")
    gone = site.enrol(site.add_person("5000", "Ben Gone"), "c1")
    site.put("enrollments", gone, status="tobedeleted")
    site.put("users", "user-2000", enabledUser="false")
    site.token_uses = 2
    with oneroster(site) as address:
        client = OneRoster(address, address + "/token", CLIENT, SECRET)
        found = client.registry()
        assert client.has_changed(datetime(2025, 1, 1, tzinfo=UTC))
        assert not client.has_changed(datetime(2026, 2, 1, tzinfo=UTC))
        with pytest.raises(OutgoingError, match="does not accept the secret"):
            OneRoster(address, address + "/token", CLIENT, "wrong").registry()
    assert len(found.enrolments) == 2142
    assert len(found.people) == 2141
    assert found.classes[0].code == "CS 42"
    assert found.classes[0].terms == ["t1"]
    assert site.asked.count("POST /token") > 3


def test_an_answer_without_the_list_is_not_an_empty_list() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply({"access_token": "x"} if asked.path == "/token" else {"warnings": []})

    with rest_server(answer) as address, pytest.raises(OutgoingError, match="something other than expected"):
        OneRoster(address, address + "/token", CLIENT, SECRET).registry()


CLIENTS = {
    "moodle": (MoodleSite, lambda address: Moodle(address, MOODLE_TOKEN).site()),
    "canvas": (CanvasSite, lambda address: Canvas(address, CANVAS_TOKEN).user_name()),
    "oneroster": (OneRosterSite, lambda address: OneRoster(address, address + "/token", CLIENT, SECRET).registry()),
}


def say(body: bytes, _asked: Asked) -> Reply:
    return Reply(body)


@pytest.mark.parametrize("name", CLIENTS)
def test_wrong_certificates_slow_and_strange_answers_are_said(name: str, tmp_path: Path, monkeypatch) -> None:
    site, ask = CLIENTS[name][0](), CLIENTS[name][1]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path))
    with rest_server(site.answer, tls=context) as address, pytest.raises(OutgoingError, match="certificate of"):
        ask(address)
    monkeypatch.setattr("campus.connections.json_requests.TOTAL_SECONDS", 0.2)
    with rest_server(site.answer, Faults(pause=2)) as address, pytest.raises(OutgoingError, match="in time"):
        ask(address)
    monkeypatch.undo()
    for body in (b"<html>", b"[" * 100_000, b'{"exception":7}', b"null", b"\xff"):
        with rest_server(partial(say, body)) as address:
            with pytest.raises(OutgoingError, match="something other than expected") as caught:
                ask(address)
            assert not caught.value.final, "maintenance passes"
