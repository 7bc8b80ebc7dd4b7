"""Celery tasks that work on one leased row: they claim it, renew its lease while they run, and save how they ended."""

import logging
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connection

from campus.common.errors import DISK_FULL, UserError, disk_full
from campus.common.jobs import (
    MAINTENANCE_QUEUE,
    MESSAGE_VERSION,
    SOFT_TIME_LIMIT_SECONDS,
    TIME_LIMIT_SECONDS,
    Job,
    LeasedJob,
    Postponed,
    interrupt,
    postpone,
    release,
    renew,
    working_on,
)
from campus.common.log_context import add_log_context
from campus.common.storage import is_storage_here
from campus.common.tracing import mark_failed, trace_span
from recognition.errors import Cancelled, RecognitionError
from recognition.messages import Message
from workers import heartbeat
from workers.celery import app
from workers.faults import NO_STORAGE, Fault, describe_interruption, find_fault

log = logging.getLogger(__name__)

RowFunction = Callable[[Any], None]

# Seconds between the tries to give a row back while the database is away.
GIVE_BACK_PAUSES = (1, 2, 4, 8, 15, 30, 60, 60)


def leased_task(job: Job, *, after: RowFunction | None = None) -> Callable[[RowFunction], RowFunction]:
    """Decorator for a function of a claimed row: it becomes the Celery task of this job.

    `after` is called with the row after each attempt, whether it succeeded or not.
    """

    def register(function: RowFunction) -> RowFunction:
        @app.task(name=job.task, bind=True)
        def run(task: Any, version: int, pk: str) -> None:
            if version != MESSAGE_VERSION:
                log.warning("%s: dropped a message of version %s; the sweeper sends a new one.", job.name, version)
                return
            queue = (task.request.delivery_info or {}).get("routing_key", job.queue)
            if queue != MAINTENANCE_QUEUE and not is_storage_here():
                heartbeat.pause_queue(task.request.hostname, queue, NO_STORAGE)
                job.publish([pk])  # for another worker
                return
            row = job.claim(pk, owner=f"{heartbeat.WORKER_ID}-{os.getpid()}-{uuid4().hex}")
            if row is None:
                return  # the message was repeated: another worker has the row, or the job is done
            facts = {"job": job.name, "row": row.pk, "recording": getattr(row, "recording_id", None)}
            with add_log_context(**facts), trace_span(job.name, queue=queue, attempt=row.attempts, **facts):
                try:
                    problem = run_attempt(job, function, row)
                finally:
                    if after:
                        after(row)
                if problem:
                    heartbeat.pause_queue(task.request.hostname, queue, problem)

        return function

    return register


def run_attempt(job: Job, function: RowFunction, row: LeasedJob) -> Message | None:
    """Call the function with a claimed row. What it raises is saved in the row and logged. Returns what is wrong with
    this machine, if that stopped it.
    """
    started = time.monotonic()
    try:
        with hold_lease(row), working_on(job, row):
            function(row)
    except Postponed:
        postpone(row)
    except Cancelled:
        log.info("%s %s: not wanted any more", job.name, row.pk)
    except Exception as error:
        return _end_failed_attempt(job, row, error)
    else:
        log.info("%s %s: %.1f s", job.name, row.pk, time.monotonic() - started)
    return None


def _end_failed_attempt(job: Job, row: LeasedJob, error: Exception) -> Message | None:
    detail = traceback.format_exc()
    mark_failed(type(error).__name__)
    match fault := find_fault(error):
        case Fault.CONTENT if isinstance(error, (RecognitionError, UserError)):
            log.warning("%s %s: %s", job.name, row.pk, error)
            job.fail(row, error.message, detail)
        case Fault.MACHINE | Fault.PASSING:
            log.warning("%s %s: interrupted, not its fault: %r", job.name, row.pk, error)
            problem = describe_interruption(error)
            # What ends an attempt that has lost its lease says nothing of the machine: it may write no more.
            was_held = _give_back(row, problem, detail)
            return problem if was_held and fault is Fault.MACHINE else None
        case _:
            log.exception("%s %s: attempt %d failed", job.name, row.pk, row.attempts)
            end_attempt = job.fail if row.attempts >= settings.MAX_ATTEMPTS else release
            end_attempt(row, describe_unexpected_error(error), detail)
    return None


def _give_back(row: LeasedJob, problem: Message, detail: str) -> bool:
    """Give the row back without counting the attempt, also when the database is away for a while. False if the attempt
    has lost it already, or may have."""
    for pause in (*GIVE_BACK_PAUSES, 0):
        try:
            return interrupt(row, problem, detail)
        except (OperationalError, InterfaceError) as error:
            log.warning("%s could not be given back yet: %s", row.pk, error)
            close_old_connections()
            time.sleep(pause)
    return False


def describe_unexpected_error(error: Exception) -> Message:
    """A sentence for people about an error that the code does not expect."""
    if isinstance(error, SoftTimeLimitExceeded):
        return Message("This took longer than {n} minutes and was stopped.", n=SOFT_TIME_LIMIT_SECONDS // 60)
    if isinstance(error, OSError) and disk_full(error):
        return DISK_FULL
    if isinstance(error, FileNotFoundError):
        return Message("A file is missing on the server. Upload it again, or ask the administrator.")
    if isinstance(error, MemoryError):
        return Message("The server ran out of memory. Try again later, or ask the administrator.")
    return Message(
        "An unexpected error ({kind}) stopped the work. Try again; the administrator sees the details.",
        kind=type(error).__name__,
    )


@contextmanager
def hold_lease(row: LeasedJob) -> Iterator[None]:
    """Renew the lease from a thread, because loading and compiling a model may take longer than a lease lasts.

    The thread ends with the process. It also ends after the time limit, when Celery kills a task that hangs.
    """
    finished = threading.Event()

    def renew_until_finished() -> None:
        deadline = time.monotonic() + TIME_LIMIT_SECONDS
        try:
            while not finished.wait(settings.LEASE_SECONDS / 3) and time.monotonic() < deadline:
                try:
                    if not renew(row):
                        return
                except DatabaseError as error:
                    log.warning("The lease could not be renewed: %s", error)
        finally:
            connection.close()

    thread = threading.Thread(target=renew_until_finished, name=f"lease of {row.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
