"""Snapshots: whole frames of a recording as evidence. A worker extracts one when somebody asks for it."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from campus.attendance.models import Snapshot
from campus.cctv.models import FootageFile
from campus.common import jobs
from campus.common.errors import UserError
from campus.common.storage import write_media
from campus.recordings.models import Recording

MAX_SNAPSHOTS = 500  # of a recording, and of the programs of a user; beyond it, the oldest go
MAX_WAITING_SNAPSHOTS = 50  # of the programs of a user


def request_snapshot(*, recording: Recording, time: float, stream: int = 0, user: User | None = None) -> Snapshot:
    """The snapshot of that second of the recording, or of one of its streams as it is in the file; where there is none
    yet, a worker is asked for it.

    `user` is whose program asks, which may want any second; pages ask for few. Raises UserError if a worker has enough
    to do for the user's programs.
    """
    if user and user.snapshots.filter(state=Snapshot.State.QUEUED).count() >= MAX_WAITING_SNAPSHOTS:
        raise UserError("Many pictures that you asked for are still being extracted. Wait until they are ready.")
    return _request(user, recording=recording, time=time, stream=stream)


def request_footage_snapshot(*, footage_file: FootageFile, time: float, stream: int) -> Snapshot:
    """The same of one of the streams of a footage file."""
    return _request(None, footage_file=footage_file, time=time, stream=stream)


@transaction.atomic
def _request(user: User | None, **fields: Any) -> Snapshot:
    snapshot, created = Snapshot.objects.get_or_create(**fields, defaults={"user": user})
    if created:
        _delete_oldest(Snapshot.objects.filter(recording=snapshot.recording, footage_file=snapshot.footage_file))
        if user:
            _delete_oldest(Snapshot.objects.filter(user=user))
        jobs.SNAPSHOT.request(snapshot.pk)
    return snapshot


def _delete_oldest(snapshots: QuerySet[Snapshot]) -> None:
    for old in snapshots.exclude(state=Snapshot.State.QUEUED).order_by("-published_at")[MAX_SNAPSHOTS:]:
        old.delete()


def finish_snapshot(*, snapshot: Snapshot, jpeg: bytes) -> None:
    """Store the picture of a snapshot that the caller has claimed."""
    name = f"snapshots/{snapshot.recording_id or snapshot.footage_file_id}/{snapshot.pk}.jpg"
    write_media(name, jpeg)
    jobs.finish(snapshot, Snapshot.State.READY, file=name)


def delete_snapshots_as_counted(*, recording: Recording) -> None:
    """Delete the recording's snapshots whose shape or stream may be another after it is counted again."""
    recording.snapshots.filter(stream=0).delete()
