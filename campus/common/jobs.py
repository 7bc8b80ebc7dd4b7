"""Work that a worker does for a row: claim, work, finish, each one conditional UPDATE. See rules 1 and 2 of the design.

The database is the truth and the broker only a bell: a message carries a version and an id, and a lost, late or doubled
message changes nothing but the time at which the work is done.
"""

import logging
from collections.abc import Iterable
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
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from kombu.exceptions import OperationalError

from campus.common.messages import MessageField
from recognition.messages import Message

log = logging.getLogger(__name__)

VERSION = 1  # of the messages


class LeasedWork(models.Model):
    """A row that a worker holds for a while. Whoever holds the lease renews it while working; an expired one is free."""

    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    lease_owner = models.CharField(max_length=64, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    error = MessageField(_("what went wrong"))
    error_detail = models.TextField(_("details for the administrator"), blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def running(self) -> bool:
        """Whether a worker is at it now."""
        return self.lease_until is not None and self.lease_until > timezone.now()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of work: which queue it waits in, which rows in which state are waiting for it, and where they go when it fails."""

    queue: str
    model: str
    state: str
    failed: str = "failed"
    tells: str = "error"  # the field that tells people why it failed

    @property
    def rows(self) -> "models.QuerySet[Any]":
        rows: models.QuerySet[Any] = apps.get_model(self.model)._default_manager.filter(state=self.state)
        return rows


KINDS = {
    "rollcall.ingest": Kind("ingest", "recordings.Recording", "uploaded"),
    "rollcall.recognise": Kind("vision", "recordings.Segment", "pending"),
    "rollcall.scan": Kind("collect", "cctv.Source", "scanning", failed="idle"),
    "rollcall.test_source": Kind("collect", "cctv.SourceTest", "queued"),
    "rollcall.fetch": Kind("collect", "cctv.FootageFile", "fetching"),
    "rollcall.aggregate": Kind("aggregate", "recordings.Recording", "aggregating"),
    "rollcall.train": Kind("training", "biometrics.Gallery", "queued"),
    "rollcall.snapshot": Kind("ingest", "attendance.Snapshot", "queued"),
    "rollcall.deliver": Kind("upkeep", "outbox.Delivery", "queued"),
    "rollcall.import_photos": Kind("ingest", "biometrics.PhotoImport", "queued"),
    "rollcall.check_photo": Kind("training", "biometrics.FacePhoto", "pending", failed="rejected", tells="reason"),
}

# What a row looks like that waits for its next worker.
WAITING: dict[str, Any] = {"attempts": 0, "lease_owner": "", "lease_until": None, "published_at": None}


def free() -> Q:
    """Rows that nobody holds."""
    return Q(lease_until=None) | Q(lease_until__lt=timezone.now())


def claim(task: str, pk: UUID | int | str, owner: str) -> Any | None:
    """Take the row for one attempt. `owner` is a token of this attempt alone. None: somebody else has it, or it is done."""
    rows = KINDS[task].rows.filter(pk=pk)
    lease = timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)
    if rows.filter(free(), attempts__lt=settings.MAX_ATTEMPTS).update(
        lease_owner=owner, lease_until=lease, attempts=F("attempts") + 1
    ):
        return rows.filter(lease_owner=owner).first()
    return None


def _mine(row: LeasedWork) -> "models.QuerySet[Any]":
    """The row, as long as this attempt holds it and nobody moved it on."""
    rows: models.QuerySet[Any] = type(row)._default_manager.all()
    return rows.filter(pk=row.pk, lease_owner=row.lease_owner, state=row.state)  # type: ignore[attr-defined]


def renew(row: LeasedWork) -> bool:
    """Hold the row for another while. False: the row was given to somebody else, or is not wanted any more."""
    return bool(_mine(row).update(lease_until=timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)))


def finish(row: LeasedWork, to_state: str, **fields: Any) -> bool:
    """Move the row on and give the lease back. False, and nothing is changed: this attempt does not hold the row any more."""
    return bool(
        _mine(row).update(
            **{"state": to_state, "lease_owner": "", "lease_until": None, "error": "", "error_detail": ""} | fields
        )
    )


def release(_task: str, row: LeasedWork, error: Message, detail: str) -> bool:
    """Give the row back for another attempt; the sweeper asks for it."""
    return bool(
        _mine(row).update(lease_owner="", lease_until=None, published_at=None, error=error, error_detail=detail)
    )


def postpone(row: LeasedWork) -> bool:
    """Give the row back as if it had not been claimed: what the work needs is not there yet."""
    return bool(
        _mine(row).update(lease_owner="", lease_until=None, attempts=F("attempts") - 1, published_at=timezone.now())
    )


def fail(task: str, row: LeasedWork, error: Message, detail: str) -> bool:
    """Finish the row as failed, with a sentence for people and the details for the administrator."""
    return finish(row, KINDS[task].failed, error_detail=detail, **{KINDS[task].tells: error})


@cache
def producer() -> Celery:
    """Enough of Celery to send a message by its name; the workers are not imported here."""
    app = Celery("rollcall", broker=settings.BROKER_URL, set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        broker_transport_options={"socket_connect_timeout": 2, "socket_timeout": 5, "max_retries": 0},
        broker_connection_timeout=2,
    )
    return app


def publish(task: str, pks: Iterable[UUID | int | str]) -> int:
    """Send the messages now and note that they were sent; returns how many. A broker that is away costs a line in the log."""
    sent = []
    try:
        with producer().connection_for_write() as connection:
            for pk in pks:
                producer().send_task(
                    task,
                    args=[VERSION, str(pk)],
                    queue=KINDS[task].queue,
                    connection=connection,
                    retry=False,
                    ignore_result=True,
                )
                sent.append(pk)
    except (OperationalError, OSError) as error:
        log.warning("The broker cannot be reached (%s); the sweeper will ask for %s later.", error, task)
    KINDS[task].rows.filter(pk__in=sent).update(published_at=timezone.now())
    return len(sent)


def request(task: str, *pks: UUID | int | str) -> None:
    """Ask a worker for this work as soon as the rows are committed."""
    transaction.on_commit(lambda: publish(task, pks), robust=True)
