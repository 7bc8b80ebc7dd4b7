"""Heals what was lost, and throws away what is not needed any more."""

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone
from kombu import Connection
from kombu.exceptions import ChannelError

from campus.accounts.services import delete_expired_sessions
from campus.attendance.collected import finish_collected_lectures
from campus.attendance.snapshots import delete_expired_snapshots
from campus.biometrics.services import galleries_tidy, galleries_train_due
from campus.biometrics.zips import zips_tidy
from campus.cctv.alarms import delete_expired_alarms
from campus.cctv.clock_drift import measure_clock_offsets
from campus.cctv.fetching import delete_expired_partial_files
from campus.cctv.matching import delete_expired_footage_files
from campus.common.jobs import KINDS, Kind, fail, free, publish
from campus.recordings.models import Recording
from campus.recordings.services import segments_settled, tracks_forget
from campus.recordings.uploads import uploads_tidy
from recognition.messages import Message, join_messages
from workers.celery import app

log = logging.getLogger(__name__)

KEEP_SECONDS = 24 * 3600


@app.task(name="rollcall.sweep")
def sweep() -> None:
    """Give up what failed too often, let votes and trainings begin that are due, and ask again for work whose message was lost."""
    give_up()
    segments_settled()
    finish_collected_lectures()
    galleries_train_due()
    with app.connection_for_read() as connection:
        ask_again(connection)


def give_up() -> None:
    for name, kind in KINDS.items():
        for row in kind.rows.filter(free(), attempts__gte=settings.MAX_ATTEMPTS):
            given_up = Message("This was tried {n} times and given up.", n=row.attempts)
            reason = row.error or Message("The worker stopped in the middle of it each time.")
            if fail(name, row, join_messages([given_up, reason]), row.error_detail):
                log.error("%s %s: given up after %d attempts", name, row.pk, row.attempts)


def ask_again(connection: Connection) -> None:
    for name, kind in KINDS.items():
        lost = list(unasked(kind, connection))
        if lost:
            log.info("%s: asked for %d again", name, publish(name, lost))


def unasked(kind: Kind, connection: Connection) -> Iterator[Any]:
    """The rows that nobody works on and no message asks for."""
    now = timezone.now()
    unasked = Q(published_at=None) | Q(published_at__lt=F("lease_until"))
    if not queued(kind.queue, connection):
        # All messages were delivered; who waits longer than a delivery takes was forgotten.
        unasked |= Q(published_at__lt=now - timedelta(seconds=settings.SWEEP_SECONDS))
    return kind.rows.filter(free(), unasked, attempts__lt=settings.MAX_ATTEMPTS).values_list("pk", flat=True).iterator()


def queued(queue: str, connection: Connection) -> int:
    """How many messages wait in a queue."""
    try:
        channel: Any = connection.default_channel
        return int(channel.queue_declare(queue, passive=True).message_count)
    except ChannelError:
        return 0  # Redis has no empty lists


@app.task(name="rollcall.upkeep")
def upkeep() -> None:
    """Remove tracks that nobody counts any more (they hold embeddings of bystanders), old galleries, uploads that broke
    off, pictures of the room that nobody looks at, and logins that are over. See how right the clocks of the cameras are."""
    before = time.time() - KEEP_SECONDS
    at_work = Q(state__in=("processing", "aggregating")) | Q(provisional=True)
    wanted = {str(pk) for pk in Recording.objects.filter(at_work).values_list("pk", flat=True)}
    for folder in Path(settings.MEDIA_ROOT, "tracks").glob("*"):
        if folder.name not in wanted and folder.stat().st_mtime < before:
            tracks_forget(recording_id=folder.name)
    galleries_tidy()
    uploads_tidy()
    delete_expired_partial_files()
    zips_tidy()
    delete_expired_snapshots()
    delete_expired_sessions()
    measure_clock_offsets()
    delete_expired_footage_files()
    delete_expired_alarms()
    for path in Path(settings.FILE_UPLOAD_TEMP_DIR).glob("*"):
        if path.is_file() and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
