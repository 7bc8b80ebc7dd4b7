"""One attempt at one row: claim it, hold it while working, and tell what went wrong."""

import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, connection

from campus.common.errors import DISK_FULL, UserError, disk_full
from campus.common.jobs import VERSION, LeasedWork, claim, fail, postpone, release, renew
from recognition.errors import Cancelled, RecognitionError
from recognition.messages import Message
from workers.celery import HARD_SECONDS, SOFT_SECONDS, app

log = logging.getLogger(__name__)

Job = Callable[[Any], None]


class Postponed(Exception):
    """The work cannot be done yet. It is asked for again, and this attempt does not count."""


def work(name: str, after: Job | None = None) -> Callable[[Job], Job]:
    """Make a Celery task of a function that works on a claimed row. `after` runs when the attempt is over, however it went."""

    def register(job: Job) -> Job:
        @app.task(name=name)
        def run(version: int, pk: str) -> None:
            if version != VERSION:
                log.warning("%s: a message of version %s was dropped; the sweeper asks again.", name, version)
                return
            row = claim(name, pk, owner=uuid4().hex)
            if row is None:
                return  # somebody else has it, or it is done: the message came twice
            try:
                attempt(name, job, row)
            finally:
                if after:
                    after(row)

        return job

    return register


def attempt(name: str, job: Job, row: LeasedWork) -> None:
    began = time.monotonic()
    try:
        with held(row):
            job(row)
    except Postponed:
        postpone(row)
    except Cancelled:
        log.info("%s %s: not wanted any more", name, row.pk)
    except (RecognitionError, UserError) as error:
        log.warning("%s %s: %s", name, row.pk, error)
        fail(name, row, error.message, traceback.format_exc())
    except Exception as error:
        log.exception("%s %s: attempt %d failed", name, row.pk, row.attempts)
        give_back = fail if row.attempts >= settings.MAX_ATTEMPTS else release
        give_back(name, row, describe_unexpected_error(error), traceback.format_exc())
    else:
        log.info("%s %s: %.1f s", name, row.pk, time.monotonic() - began)


def describe_unexpected_error(error: Exception) -> Message:
    """What people are told of an error that nobody expected."""
    if isinstance(error, SoftTimeLimitExceeded):
        return Message("This took longer than {n} minutes and was stopped.", n=SOFT_SECONDS // 60)
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
def held(row: LeasedWork) -> Iterator[None]:
    """Renew the lease from a thread: TensorFlow may load and compile for longer than a lease.

    The thread dies with the process, and stops after the time in which Celery kills a stuck task.
    """
    over = threading.Event()

    def keep() -> None:
        deadline = time.monotonic() + HARD_SECONDS
        try:
            while not over.wait(settings.LEASE_SECONDS / 3) and time.monotonic() < deadline:
                try:
                    if not renew(row):
                        return
                except DatabaseError as error:
                    log.warning("The lease could not be renewed: %s", error)
        finally:
            connection.close()

    thread = threading.Thread(target=keep, name=f"lease of {row.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
