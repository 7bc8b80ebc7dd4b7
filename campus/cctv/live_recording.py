"""Cameras that are recorded while a lecture runs: which are due, who records them, and what was recorded."""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from campus.cctv.clips import lecture_seconds, update_lectures_shown_by
from campus.cctv.lecture_matching import lectures_between
from campus.cctv.models import Camera, FootageFile, Source, footage_file_path
from campus.common import jobs
from campus.common.storage import media
from campus.recordings.selectors import gap_tolerance
from recognition.messages import Message
from recognition.types import VideoInfo

log = logging.getLogger(__name__)

RECORDING_MARGIN = timedelta(minutes=1)  # before and after a lecture
MAX_UNRECORDED_TIME = timedelta(minutes=3)  # of a running lecture, until there is an alarm


def cameras_to_record(now: datetime) -> list[Camera]:
    """The cameras to record now, with their sources: a lecture is in their room, or about to start there."""
    cameras = list(_recordable().filter(source__enabled=True))
    if not cameras:
        return []  # as in most places, every few seconds
    rooms = {lecture.room_id for lecture in lectures_between(now - RECORDING_MARGIN, now + RECORDING_MARGIN)}
    return [camera for camera in cameras if camera.room_id in rooms]


def live_cameras(pks: Collection[int]) -> QuerySet[Camera]:
    """Those of the cameras that still exist, with their sources."""
    return _recordable().filter(pk__in=pks)


def _recordable() -> QuerySet[Camera]:
    return Camera.objects.filter(source__kind=Source.Kind.RTSP).select_related("source", "room")


def unrecorded_since(source: Source, now: datetime) -> datetime | None:
    """Since when nothing has been recorded of the lectures in the source's rooms; None if it is recorded, or no lecture
    is on.
    """
    rooms = {camera.room_id for camera in source.cameras.all()}
    running = [lecture for lecture in lectures_between(now, now) if lecture.room_id in rooms]
    if not running:
        return None
    since = max(min(lecture.starts_at for lecture in running), source.last_new_file_at or source.created_at)
    tolerated = MAX_UNRECORDED_TIME + timedelta(seconds=settings.RECORDER_FILE_SECONDS)
    return since if since < now - tolerated else None


def claim_live_source(*, source_id: int, owner: str) -> bool:
    """Lease the source to this recorder, or renew its lease. False: another recorder has it."""
    free = Source.objects.filter(Q(lease_owner=owner) | jobs.not_leased(), pk=source_id)
    lease_until = Now() + timedelta(seconds=settings.LEASE_SECONDS)
    return bool(free.update(lease_owner=owner, lease_until=lease_until, last_checked_at=Now()))


def release_live_source(*, source_id: int, owner: str) -> None:
    """End this recorder's lease on the source."""
    Source.objects.filter(pk=source_id, lease_owner=owner).update(lease_owner="", lease_until=None)


def save_live_error(*, source_id: int, owner: str, error: Message) -> None:
    """Save what is wrong with the source's cameras; empty if nothing is."""
    Source.objects.filter(pk=source_id, lease_owner=owner).update(error=error, error_detail="")


def save_recorded_file(
    *, camera: Camera, file: Path, starts_at: datetime, ends_at: datetime, sha256: str, info: VideoInfo
) -> FootageFile | None:
    """Turn a file that was recorded from a camera into a footage file. None if that has been done already.

    It is safe to repeat, also after a crash: the footage file's id follows from the camera and the time.
    """
    path = f"{camera.label}/{starts_at:%Y-%m-%dT%H%M%S.%f}Z.mp4".lstrip("/")
    footage_file = FootageFile(
        pk=_footage_file_id(camera, path),
        source_id=camera.source_id,
        camera=camera,
        path=path,
        size=file.stat().st_size,
        fetched_bytes=file.stat().st_size,
        modified_at=ends_at,
        starts_at=starts_at,
        ends_at=ends_at,
        state=FootageFile.State.STORED,
        sha256=sha256,
        info=info.to_json(),
        fetched_at=timezone.now(),
        note=_gap_before(camera, starts_at, ends_at),
    )
    is_new = not FootageFile.objects.filter(pk=footage_file.pk).exists()
    if is_new:
        footage_file.file.name = footage_file_path(footage_file, path)
        media().store(file, footage_file.file.name)
        with transaction.atomic():
            footage_file.save(force_insert=True)
            Source.objects.filter(pk=camera.source_id).update(last_new_file_at=timezone.now())
            update_lectures_shown_by(footage_file=footage_file)
        log.info("footage file %s: %d bytes of %s", footage_file.pk, footage_file.size, camera)
    file.unlink()
    return footage_file if is_new else None


def _footage_file_id(camera: Camera, path: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"rollcall:{camera.source_id}/{path}")


def _gap_before(camera: Camera, starts_at: datetime, ends_at: datetime) -> Message:
    """Says which time between the previous footage file and this one is missing; empty if none is."""
    lecture = lectures_between(starts_at, ends_at).filter(room=camera.room_id).first()
    if lecture is None:
        return Message()
    earlier = FootageFile.objects.filter(camera=camera, starts_at__lt=starts_at, ends_at__gt=lecture.starts_at)
    previous = earlier.order_by("-ends_at").first()
    since = max(lecture.starts_at, previous.ends_at) if previous and previous.ends_at else lecture.starts_at
    if (starts_at - since).total_seconds() <= gap_tolerance(lecture_seconds(lecture)):
        return Message()
    return Message(
        "Nothing could be recorded from {since} to {until}.",
        since=f"{timezone.localtime(since):%H:%M:%S}",
        until=f"{timezone.localtime(starts_at):%H:%M:%S}",
    )
