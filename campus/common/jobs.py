"""Jobs that workers do: one registry of all kinds, and how a worker claims, holds and finishes a row.

The database is the truth and the broker only a bell. A message carries a version and an id; a message that is lost,
late or repeated changes nothing but the time at which the job is done. Each step is one conditional UPDATE, so that a
worker that has lost its lease changes nothing. Leases go by the database's clock.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

from celery import Celery
from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from kombu.exceptions import OperationalError
from redis import RedisError

from campus.common.messages import MessageField
from recognition.messages import Message

log = logging.getLogger(__name__)

MESSAGE_VERSION = 1
SOFT_TIME_LIMIT_SECONDS = 14 * 60
TIME_LIMIT_SECONDS = 15 * 60

# The columns of a row that no worker has tried yet, and whose message was not sent yet.
RESET_FIELDS: dict[str, Any] = {
    "attempts": 0,
    "interruptions": 0,
    "interrupted_at": None,
    "lease_owner": "",
    "lease_until": None,
    "published_at": None,
}
# How long an interrupted job waits: twice as long after each interruption.
FIRST_PAUSE_SECONDS = 5
MAX_PAUSE_SECONDS = 600
MAX_VANISHED_WORKERS = 10  # with the same job, until that counts as its fault

Key = UUID | int | str


class Postponed(Exception):
    """The job cannot be done yet. Its message is sent again later, and this attempt does not count."""


class LeasedJob(models.Model):
    """A row that one worker holds at a time.

    The holder renews its lease while it works; an expired lease is free to take. A lease without an owner is a pause:
    nobody takes the row before it is over.

    `attempts` counts the tries that went wrong through the job itself, or may have; `interruptions` those that went
    wrong through the worker's machine or something that passes, of which `interrupted_at` was the first.
    """

    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    interruptions = models.PositiveSmallIntegerField(default=0, editable=False)
    interrupted_at = models.DateTimeField(null=True, blank=True, editable=False)
    lease_owner = models.CharField(max_length=64, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    error = MessageField(_("what went wrong"))
    error_detail = models.TextField(_("details for the administrator"), blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def is_running(self) -> bool:
        """Whether a worker holds the row now."""
        return bool(self.lease_owner) and self.lease_until is not None and self.lease_until > timezone.now()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A kind of job: the queue it waits in, which rows wait for it, and what becomes of a row when it fails.

    Rows that match `short` wait in the quick queue instead. Of a job with a window, the others are published only when
    it is their turn (`campus/recordings/segment_turns.py`); until then they have no message.
    """

    name: str
    queue: str
    model: str
    waiting_state: str
    failed_state: str = "failed"
    error_field: str = "error"  # shown to people
    short: Q | None = None
    has_window: bool = False

    @property
    def task(self) -> str:
        """The name of the Celery task."""
        return f"rollcall.{self.name}"

    def waiting(self) -> "models.QuerySet[Any]":
        """The rows that wait for this job, and those that a worker has claimed."""
        rows: models.QuerySet[Any] = apps.get_model(self.model)._default_manager.filter(state=self.waiting_state)
        return rows

    def lanes(self) -> list[tuple[str, "models.QuerySet[Any]"]]:
        """The queues of this job, and which of its rows wait in each."""
        rows = self.waiting()
        if self.short is None:
            return [(self.queue, rows)]
        return [(self.queue, rows.filter(~self.short)), (QUICK_QUEUE, rows.filter(self.short))]

    def request(self, *rows: models.Model | Key) -> None:
        """Ask workers to do this job for these rows (or their ids), as soon as the transaction is committed."""
        pks = [row.pk if isinstance(row, models.Model) else row for row in rows]
        transaction.on_commit(lambda: self.publish(pks), robust=True)

    def publish(self, pks: Iterable[Key]) -> int:
        """Send the messages now and note when; returns how many were sent.

        An unreachable broker costs a line in the log.
        """
        pks = list(pks)
        short = self.waiting().filter(self.short, pk__in=pks).values_list("pk", flat=True) if self.short else ()
        quick = {str(pk) for pk in short}
        sent = []
        try:
            with producer().producer_or_acquire() as sender:
                for pk in pks:
                    producer().send_task(
                        self.task,
                        args=[MESSAGE_VERSION, str(pk)],
                        queue=QUICK_QUEUE if str(pk) in quick else self.queue,
                        producer=sender,
                        retry=False,
                        ignore_result=True,
                    )
                    sent.append(pk)
        except (OperationalError, OSError, RedisError) as error:
            log.warning("The broker cannot be reached (%s). The sweeper will send %s again.", error, self.name)
        self.waiting().filter(pk__in=sent).update(published_at=Now())
        return len(sent)

    def claim(self, pk: Key, owner: str) -> Any | None:
        """Take the row for one attempt; None if another worker holds it, or the job is done.

        `owner` is a token of this attempt alone.
        """
        rows = self.waiting().filter(pk=pk)
        if rows.filter(not_leased(), attempts__lt=settings.MAX_ATTEMPTS).update(
            lease_owner=owner, lease_until=_lease_end(), attempts=F("attempts") + 1
        ):
            return rows.filter(lease_owner=owner).first()
        return None

    def fail(self, row: LeasedJob, error: Message, detail: str) -> bool:
        """Finish the row as failed, with a sentence for people and the details for the administrator."""
        return finish(row, self.failed_state, error_detail=detail, **{self.error_field: error})


QUICK_QUEUE = "quick"  # of jobs of seconds, which must not wait behind those of minutes
SHORT_FILE_BYTES = 64 * 1024**2
SHORT_CLIP_SECONDS = 60

INGEST = Job(
    name="ingest",
    queue="ingest",
    model="recordings.Recording",
    waiting_state="uploaded",
    short=Q(size__lte=SHORT_FILE_BYTES) & ~Q(file=""),  # photos and short videos
)
RECOGNISE = Job(
    name="recognise",
    queue="vision",
    model="recordings.Segment",
    waiting_state="pending",
    short=Q(end=F("start")),  # photos
    has_window=True,
)
AGGREGATE = Job(name="aggregate", queue=QUICK_QUEUE, model="recordings.Recording", waiting_state="aggregating")
SNAPSHOT = Job(name="snapshot", queue=QUICK_QUEUE, model="attendance.Snapshot", waiting_state="queued")
ANNOTATE = Job(
    name="annotate",
    queue="vision",
    model="attendance.AnnotatedVideo",
    waiting_state="queued",
    short=Q(end__lte=F("start") + SHORT_CLIP_SECONDS),
)
SCAN_SOURCE = Job(
    name="scan_source", queue="collect", model="cctv.Source", waiting_state="scanning", failed_state="idle"
)
TEST_SOURCE = Job(name="test_source", queue="collect", model="cctv.SourceTest", waiting_state="queued")
FIND_DEVICES = Job(name="find_devices", queue="collect", model="cctv.DeviceSearch", waiting_state="queued")
FETCH = Job(name="fetch", queue="collect", model="cctv.FootageFile", waiting_state="fetching")
READ_FILE = Job(name="read_file", queue="ingest", model="academics.FileImport", waiting_state="queued")
IMPORT_PHOTOS = Job(name="import_photos", queue="ingest", model="biometrics.PhotoImport", waiting_state="queued")
THUMBNAIL = Job(name="thumbnail", queue="ingest", model="biometrics.WaitingPhoto", waiting_state="queued")
CHECK_PHOTO = Job(
    name="check_photo",
    queue="training",
    model="biometrics.FacePhoto",
    waiting_state="pending",
    failed_state="rejected",
    error_field="reason",
)
CHECK_SENT_PHOTO = Job(
    name="check_sent_photo",
    queue="training",
    model="biometrics.SentPhoto",
    waiting_state="checking",
    failed_state="rejected",
)
TRAIN = Job(name="train", queue="training", model="biometrics.Gallery", waiting_state="queued")
COMPARE_UNKNOWN = Job(
    name="compare_unknown", queue="training", model="attendance.UnknownComparison", waiting_state="queued"
)
DELIVER = Job(name="deliver", queue="maintenance", model="outbox.Delivery", waiting_state="queued")
EXCHANGE = Job(name="exchange", queue="maintenance", model="connections.ConnectionRun", waiting_state="queued")
ERASE = Job(name="erase", queue="maintenance", model="privacy.Erasure", waiting_state="queued")

JOBS = (
    INGEST,
    RECOGNISE,
    AGGREGATE,
    SNAPSHOT,
    ANNOTATE,
    SCAN_SOURCE,
    TEST_SOURCE,
    FIND_DEVICES,
    FETCH,
    READ_FILE,
    IMPORT_PHOTOS,
    THUMBNAIL,
    CHECK_PHOTO,
    CHECK_SENT_PHOTO,
    TRAIN,
    COMPARE_UNKNOWN,
    DELIVER,
    EXCHANGE,
    ERASE,
)
MAINTENANCE_QUEUE = "maintenance"  # also of the periodic tasks
SWEEP_QUEUE = "sweep"  # of the sweeper alone, which must not wait behind what it watches
QUEUES = tuple(dict.fromkeys([*(job.queue for job in JOBS), MAINTENANCE_QUEUE, SWEEP_QUEUE]))


def not_leased() -> Q:
    """Rows that a worker may take now: none holds them, and no pause is on."""
    return Q(lease_until=None) | Q(lease_until__lt=Now())


def held_by_workers() -> Q:
    """Rows that a worker holds."""
    return ~Q(lease_owner="") & Q(lease_until__gt=Now())


@dataclass(frozen=True, slots=True)
class Attempt:
    """A worker's hold on a row of a job."""

    job: str
    pk: str
    owner: str

    def is_held(self) -> bool:
        """Whether it has the row still."""
        rows = (job.waiting() for job in JOBS if job.name == self.job)
        return any(row.filter(pk=self.pk, lease_owner=self.owner, lease_until__gt=Now()).exists() for row in rows)


# What this process works on, all of whose threads do: a worker's process does one job at a time.
_attempt: Attempt | None = None


@contextmanager
def working_on(job: Job, row: LeasedJob) -> Iterator[None]:
    """Within the block, and until the row is finished, `current_attempt` is this one."""
    global _attempt
    _attempt = Attempt(job.name, str(row.pk), row.lease_owner)
    try:
        yield
    finally:
        _attempt = None


def current_attempt() -> Attempt | None:
    """What this process works on; None once the row is finished, and in a process that does no job."""
    return _attempt


def renew(row: LeasedJob) -> bool:
    """Extend the lease. False: another worker has the row, or the job is not wanted any more."""
    return bool(_held(row).update(lease_until=_lease_end()))


def finish(row: LeasedJob, state: str, **fields: Any) -> bool:
    """Move the row to `state` and end the lease.

    False, and nothing changes: this attempt does not hold the row any more.
    """
    global _attempt
    if _attempt and _attempt.owner == row.lease_owner:
        _attempt = None
    changes = {"state": state, "lease_owner": "", "lease_until": None, "error": "", "error_detail": ""} | fields
    return bool(_held(row).update(**changes))


def release(row: LeasedJob, error: Message, detail: str) -> bool:
    """Give the row back for another attempt, after one that went wrong; the sweeper sends its message."""
    return bool(
        _held(row).update(lease_owner="", lease_until=None, published_at=None, error=error, error_detail=detail)
    )


def postpone(row: LeasedJob) -> bool:
    """Give the row back without counting the attempt: what the job needs is not there yet."""
    return bool(_held(row).update(lease_owner="", lease_until=None, attempts=F("attempts") - 1, published_at=Now()))


def interrupt(row: LeasedJob, error: Message, detail: str) -> bool:
    """Give the row back without counting the attempt, after an error that is not the job's fault. It is tried again
    after a pause that grows each time."""
    pause = min(FIRST_PAUSE_SECONDS * 2 ** min(row.interruptions, 16), MAX_PAUSE_SECONDS)
    return bool(
        _held(row).update(
            lease_owner="",
            lease_until=Now() + timedelta(seconds=pause),
            attempts=F("attempts") - 1,
            interruptions=F("interruptions") + 1,
            interrupted_at=Coalesce(F("interrupted_at"), Now()),
            published_at=None,
            error=error,
            error_detail=detail,
        )
    )


def end_leases(owner_prefix: str, *, count_attempts: bool) -> int:
    """End the leases of attempts whose process is gone, and publish their jobs again; returns how many.

    Without `count_attempts` the attempts do not count, since the whole worker is gone; but a job that was at work in
    many workers that vanished is suspected of that itself.
    """
    ended = 0
    for job in JOBS:
        held = job.waiting().filter(lease_owner__startswith=owner_prefix)
        pks = list(held.values_list("pk", flat=True))
        if not pks:
            continue
        held = held.filter(pk__in=pks)
        if not count_attempts:
            held.filter(interruptions__lt=MAX_VANISHED_WORKERS).update(
                attempts=F("attempts") - 1, interruptions=F("interruptions") + 1
            )
        held.update(lease_owner="", lease_until=None, published_at=None)
        ended += len(pks)
        job.publish(pks)
    return ended


def _held(row: LeasedJob) -> "models.QuerySet[Any]":
    """The row, if this attempt still holds it and nobody has moved it on."""
    rows: models.QuerySet[Any] = type(row)._default_manager.all()
    return rows.filter(pk=row.pk, lease_owner=row.lease_owner, state=row.state)  # type: ignore[attr-defined]


def _lease_end() -> Any:
    return Now() + timedelta(seconds=settings.LEASE_SECONDS)


@cache
def producer() -> Celery:
    """Enough of Celery to send a task by its name; the workers are not imported here."""
    app = Celery("rollcall", broker=settings.BROKER_URL, set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        broker_transport_options={"socket_connect_timeout": 2, "socket_timeout": 5, "max_retries": 0},
        broker_connection_timeout=2,
    )
    return app
