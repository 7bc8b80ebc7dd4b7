"""PostgreSQL is restarted in the middle, or SQLite is locked: workers, schedules and pages survive it."""

import sqlite3
from pathlib import Path

import pytest
import requests
from django_celery_beat.models import PeriodicTask

from campus.common.database_clock import database_now
from campus.common.periodic_tasks import SWEEP
from tests.faults.conftest import Campus
from tests.faults.test_workers import EXPECTED, SEGMENTS, processes_at_gate, statuses
from tests.servers.postgres import Postgres
from tests.waiting import wait_until
from tests.web_server import WebServer


@pytest.mark.fault("PostgreSQL is restarted")
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_of_the_database_loses_nothing(campus_on_postgres: Campus, postgres: Postgres, mode: str) -> None:
    campus = campus_on_postgres
    worker = campus.worker()
    lecture, gate = campus.lecture(4), campus.gate()
    recording = campus.upload(lecture, SEGMENTS, gate=str(gate))
    wait_until(lambda: len(processes_at_gate(gate)) == 2, "two segments are at work")
    postgres.stop(mode)
    (gate / "open").touch()
    wait_until(lambda: "could not be given back yet" in worker.log.read_text(), "the worker has noticed")
    postgres.start()
    recording = campus.wait_until_ended(recording)
    assert (recording.state, recording.coverage) == ("done", 1), recording.error
    assert statuses(lecture) == EXPECTED
    assert set(recording.segments.values_list("attempts", flat=True)) == {1}
    now = database_now()
    wait_until(lambda: PeriodicTask.objects.get(name=SWEEP.name).last_run_at > now, "the scheduler goes on")


def test_pages_are_there_again_after_a_restart_of_the_database(
    campus_on_postgres: Campus, postgres: Postgres, tmp_path: Path
) -> None:
    web = WebServer(tmp_path)
    web.start()
    try:
        assert requests.get(f"{web.url}/login/", timeout=60).status_code == 200
        postgres.stop()
        assert requests.get(f"{web.url}/livez", timeout=60).status_code == 200
        assert requests.get(f"{web.url}/readyz", timeout=60).status_code == 503
        postgres.start()
        wait_until(lambda: requests.get(f"{web.url}/readyz", timeout=60).status_code == 200, "it is ready again")
        assert requests.get(f"{web.url}/login/", timeout=60).status_code == 200
        assert web.process.poll() is None
    finally:
        web.kill()


@pytest.mark.fault("SQLite is locked for longer than anybody waits")
def test_a_locked_database_loses_nothing(campus_on_sqlite: Campus) -> None:
    campus = campus_on_sqlite
    campus.environment["ROLLCALL_DATABASE_URL"] += "?timeout=1"
    worker = campus.worker()
    lecture, gate = campus.lecture(4), campus.gate()
    recording = campus.upload(lecture, SEGMENTS, gate=str(gate))
    wait_until(lambda: len(processes_at_gate(gate)) == 2, "two segments are at work")
    locked = sqlite3.connect(campus.folder / "rollcall.sqlite3", isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")
    (gate / "open").touch()
    met = ("could not be given back yet", "A heartbeat was missed", "schedules could not be")
    wait_until(lambda: all(text in worker.log.read_text() for text in met), "all parts of the worker met the lock")
    locked.rollback()
    locked.close()
    recording = campus.wait_until_ended(recording)
    assert (recording.state, recording.coverage) == ("done", 1), recording.error
    assert statuses(lecture) == EXPECTED
    assert worker.process.poll() is None
