"""Claim, renew, finish: one attempt at a time holds a row, and one that lost its lease changes nothing."""

import os
import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import redis
from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError
from django.utils import timezone

from campus.common import jobs
from campus.common.errors import DISK_FULL, UserError
from campus.common.storage import local_path, read_media, write_media
from campus.recordings.models import Segment
from recognition.errors import Cancelled, UnreadableRecording, WeightsMissing
from recognition.messages import Message
from tests.campus import factories
from tests.waiting import wait_until
from workers import leased_task
from workers.faults import NO_STORAGE, Fault, find_fault
from workers.maintenance import fail_exhausted_jobs

RECOGNISE = jobs.RECOGNISE


@pytest.fixture
def segment(db: None) -> Segment:
    return factories.planned(segments=1).segments.get()


def expire(segment: Segment) -> None:
    Segment.objects.filter(pk=segment.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_one_holder_at_a_time(segment: Segment) -> None:
    first = RECOGNISE.claim(segment.pk, "first")
    assert (first.attempts, first.lease_owner) == (1, "first")
    assert RECOGNISE.claim(segment.pk, "second") is None


def test_an_expired_lease_can_be_claimed_and_its_former_holder_changes_nothing(segment: Segment) -> None:
    zombie = RECOGNISE.claim(segment.pk, "zombie")
    expire(segment)
    holder = RECOGNISE.claim(segment.pk, "holder")
    assert not jobs.renew(zombie)
    assert not jobs.finish(zombie, Segment.State.DONE, result="zombie")
    assert not jobs.release(zombie, Message("zombie"), "")
    segment.refresh_from_db()
    assert (segment.state, segment.result, segment.lease_owner, segment.attempts) == ("pending", "", "holder", 2)
    assert jobs.finish(holder, Segment.State.DONE, result="holder")
    assert not jobs.finish(holder, Segment.State.FAILED), "a repeated message"
    assert RECOGNISE.claim(segment.pk, "late") is None
    segment.refresh_from_db()
    assert (segment.state, segment.result) == ("done", "holder")


def test_a_renewed_lease_cannot_be_claimed(segment: Segment) -> None:
    holder = RECOGNISE.claim(segment.pk, "holder")
    expire(segment)
    assert jobs.renew(holder)
    assert RECOGNISE.claim(segment.pk, "second") is None


@pytest.mark.parametrize("pk", ["0", "999999"])
def test_a_message_without_a_row_is_ignored(db: None, pk: str) -> None:
    assert RECOGNISE.claim(pk, "anybody") is None


def test_a_job_fails_after_its_last_attempt(segment: Segment, settings) -> None:
    for number in range(settings.MAX_ATTEMPTS):
        assert RECOGNISE.claim(segment.pk, f"attempt {number}")
        fail_exhausted_jobs(RECOGNISE)
        segment.refresh_from_db()
        assert segment.state == "pending", "the last attempt still holds its lease"
        expire(segment)
    assert RECOGNISE.claim(segment.pk, "one more") is None
    fail_exhausted_jobs(RECOGNISE)
    segment.refresh_from_db()
    assert segment.state == "failed"
    assert str(segment.error).startswith(f"This was tried {settings.MAX_ATTEMPTS} times and given up.")


def run_failing_attempt(segment: Segment, error: BaseException) -> Segment:
    fail_attempt(segment, error)
    segment.refresh_from_db()
    return segment


def fail_attempt(segment: Segment, error: BaseException) -> Message | None:
    """Returns what is wrong with the machine."""
    row = RECOGNISE.claim(segment.pk, "me")

    def job(_: Segment) -> None:
        raise error

    return leased_task.run_attempt(RECOGNISE, job, row)


@pytest.mark.parametrize("error", [UnreadableRecording("That part is damaged."), UserError("That part is damaged.")])
def test_permanent_errors_fail_at_once(segment: Segment, error: Exception) -> None:
    assert (run_failing_attempt(segment, error).state, str(segment.error)) == ("failed", "That part is damaged.")
    assert "Traceback" in segment.error_detail


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (SoftTimeLimitExceeded(), "longer than 14 minutes"),
        (FileNotFoundError(2, "gone"), "missing on the server"),
        (ValueError("/secret/path"), "An unexpected error (ValueError)"),
    ],
)
def test_unknown_errors_are_retried_and_reported_in_a_sentence(
    segment: Segment, settings, error: Exception, message: str
) -> None:
    for number in range(1, settings.MAX_ATTEMPTS + 1):
        assert run_failing_attempt(segment, error).attempts == number
        assert message in str(segment.error)
        assert segment.published_at is None, "the sweeper publishes it again"
        assert segment.lease_until is None
        assert segment.state == ("failed" if number == settings.MAX_ATTEMPTS else "pending")
    assert "secret" not in str(segment.error)


def full_disk_of_a_service() -> UserError:
    error = UserError(DISK_FULL)
    error.__cause__ = OSError(28, "No space left on device")
    return error


@pytest.mark.parametrize(
    ("error", "message", "is_machine"),
    [
        (OSError(28, "No space left on device"), str(DISK_FULL), True),
        (full_disk_of_a_service(), str(DISK_FULL), True),
        (OSError(116, "Stale file handle"), "Stale file handle", True),
        (MemoryError(), "ran out of memory", True),
        (WeightsMissing("There are no weights."), "no weights", True),
        (OperationalError("database is locked"), "database", False),
        (redis.ConnectionError("refused"), "ConnectionError", False),
    ],
)
def test_errors_of_the_machine_and_those_that_pass_never_use_up_the_attempts(
    segment: Segment, settings, error: Exception, message: str, is_machine: bool
) -> None:
    pauses = []
    for number in range(1, 3 * settings.MAX_ATTEMPTS + 1):
        problem = fail_attempt(segment, error)
        assert bool(problem) is is_machine
        segment.refresh_from_db()
        assert (segment.state, segment.attempts, segment.interruptions) == ("pending", 0, number)
        assert message in str(segment.error)
        assert segment.lease_until is not None
        assert not segment.is_running
        pauses.append(round((segment.lease_until - timezone.now()).total_seconds()))
        assert RECOGNISE.claim(segment.pk, "too early") is None
        expire(segment)
    assert pauses == sorted(pauses)
    assert pauses[0] < 6
    assert 300 < pauses[-1] <= jobs.MAX_PAUSE_SECONDS


def test_without_the_storage_no_file_is_said_to_be_missing(segment: Segment, settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "empty folder of another machine"
    run_failing_attempt(segment, FileNotFoundError(2, "gone"))
    assert (segment.state, segment.attempts, str(segment.error)) == ("pending", 0, str(NO_STORAGE))


def test_a_damaged_file_is_not_the_machines_fault(segment: Segment) -> None:
    write_media("x.bin", b"content")
    local_path("x.bin").write_bytes(b"damaged" * 20)
    with pytest.raises(OSError, match="decrypted") as caught:
        read_media("x.bin")
    assert run_failing_attempt(segment, caught.value).attempts == 1


def test_a_cancelled_job_leaves_the_row_unchanged(segment: Segment) -> None:
    assert (run_failing_attempt(segment, Cancelled("stop")).state, str(segment.error)) == ("pending", "")


def test_a_postponed_job_costs_no_attempt(segment: Segment) -> None:
    row = run_failing_attempt(segment, jobs.Postponed())
    assert (row.state, row.attempts, row.lease_until) == ("pending", 0, None)


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_worker_whose_clock_is_off_neither_takes_what_others_hold_nor_holds_it_for_long(
    segment: Segment, settings, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    right = timezone.now
    row = RECOGNISE.claim(segment.pk, "me")
    with monkeypatch.context() as clock:
        clock.setattr(timezone, "now", lambda: right() + timedelta(hours=hours))
        assert RECOGNISE.claim(segment.pk, "another one") is None
        assert jobs.renew(row)
    row.refresh_from_db()
    assert 0 < (row.lease_until - right()).total_seconds() <= settings.LEASE_SECONDS


@pytest.mark.django_db(transaction=True)
def test_a_long_job_keeps_its_lease(settings) -> None:
    settings.LEASE_SECONDS = 1
    row = RECOGNISE.claim(factories.planned(segments=1).segments.get().pk, "me")
    seen = row.lease_until
    renewed = threading.Event()

    def job(_: Segment) -> None:
        wait_until(lambda: Segment.objects.get(pk=row.pk).lease_until > seen, "the lease is renewed")
        renewed.set()

    leased_task.run_attempt(RECOGNISE, job, row)
    assert renewed.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lease of")]


@pytest.mark.django_db(transaction=True)
def test_a_stuck_job_loses_its_lease(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LEASE_SECONDS = 0
    monkeypatch.setattr(leased_task, "TIME_LIMIT_SECONDS", 0.2)
    row = RECOGNISE.claim(factories.planned(segments=1).segments.get().pk, "me")
    with leased_task.hold_lease(row):
        wait_until(
            lambda: all(thread.name != f"lease of {row.pk}" for thread in threading.enumerate()),
            "the thread that renews the lease gives up",
        )


def test_messages_of_another_version_are_dropped(segment: Segment) -> None:
    from workers.celery import app

    app.loader.import_default_modules()
    app.tasks[jobs.RECOGNISE.task].run(2, str(segment.pk))
    segment.refresh_from_db()
    assert segment.attempts == 0


def test_time_limits_are_consistent() -> None:
    from workers.celery import VISIBILITY_TIMEOUT_SECONDS, app

    assert jobs.SOFT_TIME_LIMIT_SECONDS < jobs.TIME_LIMIT_SECONDS < VISIBILITY_TIMEOUT_SECONDS / 1.5, (
        "a message must not come back while its task may still run"
    )
    options = (app.conf.broker_transport_options, app.conf.result_backend_transport_options)
    assert {each["visibility_timeout"] for each in options} | {app.conf.visibility_timeout} == {
        VISIBILITY_TIMEOUT_SECONDS
    }
    assert (app.conf.accept_content, app.conf.task_serializer) == (["json"], "json")


@pytest.mark.parametrize(("given", "seen"), [("2,3", ["2", "3", "2"]), ("7", ["7", "7", "7"])])
def test_each_child_of_a_worker_sees_one_gpu(monkeypatch: pytest.MonkeyPatch, given: str, seen: list[str]) -> None:
    from workers import celery

    for number, card in enumerate(seen):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        monkeypatch.setattr(celery, "current_process", lambda number=number: SimpleNamespace(index=number))
        celery.take_own_gpu()
        assert os.environ["CUDA_VISIBLE_DEVICES"] == card


def test_a_gpu_that_is_lost_is_the_machines_fault() -> None:
    """Its jobs go back without an attempt, and to the workers without a GPU."""
    from tensorflow.errors import InternalError

    assert find_fault(InternalError(None, None, "CUDA_ERROR_DEVICE_UNAVAILABLE")) is Fault.MACHINE
