"""Snapshots: whole frames of a recording as evidence. A worker cuts one out when somebody asks for it."""

from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from campus.attendance.models import Snapshot
from campus.common import jobs
from campus.recordings.models import Recording
from recognition.files import atomic_write

SNAPSHOT_RETENTION = timedelta(days=7)


def request_snapshot(*, recording: Recording, time: float) -> Snapshot:
    """The whole picture at that second; a worker is asked for one that nobody looked for before."""
    with transaction.atomic():
        snapshot, new = Snapshot.objects.get_or_create(recording=recording, time=time)
        if new:
            jobs.SNAPSHOT.request(snapshot.pk)
    return snapshot


def finish_snapshot(*, snapshot: Snapshot, jpeg: bytes) -> None:
    name = f"snapshots/{snapshot.recording_id}/{snapshot.pk}.jpg"
    with atomic_write(Path(settings.MEDIA_ROOT, name)) as beside:
        beside.write_bytes(jpeg)
    jobs.finish(snapshot, Snapshot.State.READY, file=name)


def delete_expired_snapshots() -> None:
    """Remove pictures of the whole room that were asked for a while ago; who looks again has them cut out again."""
    for snapshot in Snapshot.objects.exclude(state=Snapshot.State.QUEUED).filter(
        published_at__lt=timezone.now() - SNAPSHOT_RETENTION
    ):
        snapshot.delete()
        if snapshot.file:
            Path(settings.MEDIA_ROOT, snapshot.file).unlink(missing_ok=True)
