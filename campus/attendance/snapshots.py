"""Snapshots: whole frames of a recording as evidence. A worker extracts one when somebody asks for it."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from campus.attendance.models import Snapshot
from campus.common import jobs
from campus.common.storage import delete_media, write_media
from campus.recordings.models import Recording

SNAPSHOT_RETENTION = timedelta(days=7)


def request_snapshot(*, recording: Recording, time: float) -> Snapshot:
    """The snapshot of that second of the recording; where there is none yet, a worker is asked for it."""
    with transaction.atomic():
        snapshot, created = Snapshot.objects.get_or_create(recording=recording, time=time)
        if created:
            jobs.SNAPSHOT.request(snapshot.pk)
    return snapshot


def finish_snapshot(*, snapshot: Snapshot, jpeg: bytes) -> None:
    """Store the picture of a snapshot that the caller has claimed."""
    name = f"snapshots/{snapshot.recording_id}/{snapshot.pk}.jpg"
    write_media(name, jpeg)
    jobs.finish(snapshot, Snapshot.State.READY, file=name)


def delete_expired_snapshots() -> None:
    """Delete snapshots that were requested a while ago. They show the whole room, and can be extracted again."""
    for snapshot in Snapshot.objects.exclude(state=Snapshot.State.QUEUED).filter(
        published_at__lt=timezone.now() - SNAPSHOT_RETENTION
    ):
        snapshot.delete()
        if snapshot.file:
            delete_media(snapshot.file)
