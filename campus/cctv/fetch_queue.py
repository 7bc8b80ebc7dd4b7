"""Which discovered files are fetched: those that lectures want, the earliest lecture first, a few at a time."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Greatest
from django.utils import timezone

from campus.academics.models import Lecture
from campus.cctv.lecture_matching import clashing_lecture, recorded_during
from campus.cctv.models import Collection, FootageFile, Source
from campus.common import jobs

MAX_LECTURE_AGE = timedelta(days=14)  # footage of older lectures is not looked for
MIN_COLLECTION_TIME = timedelta(hours=1)  # a collection that starts or reopens stays open for so long at least
MAX_FILES_FETCHING = 8  # of one source; the others wait for their turn
MAX_RECORDINGS_FETCHING = 2  # of one recorder, which plays to few at a time


def queue_wanted_files(*, source: Source, lectures: Iterable[Lecture] = ()) -> int:
    """Queue the source's files that lectures want, the earliest lecture first, then those due for a retry; returns how
    many.

    Files are wanted by every lecture whose collection is open. The given `lectures` want their files even after their
    collection was closed: a file that appears late reopens it.
    """
    now = timezone.now()
    slots = MAX_RECORDINGS_FETCHING if source.is_recorder else MAX_FILES_FETCHING
    free_slots = slots - source.footage_files.filter(state=FootageFile.State.FETCHING).count()
    if free_slots <= 0:
        return 0
    camera_pks_by_room: dict[int | None, list[int]] = {}
    for camera in source.cameras.all():
        camera_pks_by_room.setdefault(camera.room_id, []).append(camera.pk)
    available = source.footage_files.filter(
        state=FootageFile.State.DISCOVERED, fully_written=True, lecture=None
    ).order_by("starts_at", "path")
    queued = 0
    for lecture in _lectures_wanting_files(lectures, now):
        if lecture.room_id not in camera_pks_by_room:
            continue
        files = available.filter(recorded_during(lecture), camera__in=camera_pks_by_room[lecture.room_id])
        pks = list(files.values_list("pk", flat=True)[: free_slots - queued])
        if pks and clashing_lecture(lecture) is None:
            queued += sum(_queue_for_lecture(lecture, pk, now) for pk in pks)
        if queued >= free_slots:
            return queued
    due = source.footage_files.filter(state=FootageFile.State.RETRY, retry_at__lte=now).order_by("retry_at")
    retry_pks = list(due.values_list("pk", flat=True)[: free_slots - queued])
    return queued + sum(queue_file(pk, FootageFile.State.RETRY) for pk in retry_pks)


def _lectures_wanting_files(candidates: Iterable[Lecture], now: datetime) -> list[Lecture]:
    """The lectures whose collection is open, and those of the candidates that are collected at all; by time."""
    begun = Lecture.objects.filter(cancelled=False, starts_at__range=(now - MAX_LECTURE_AGE, now))
    collected = begun.exclude(collection=None).exclude(collection__state=Collection.State.OFF)
    wanting = {lecture.pk: lecture for lecture in begun.filter(collection__state__in=Collection.OPEN_STATES)}
    wanting |= {lecture.pk: lecture for lecture in collected.filter(pk__in={candidate.pk for candidate in candidates})}
    return sorted(wanting.values(), key=lambda lecture: (lecture.starts_at, lecture.pk))


def _queue_for_lecture(lecture: Lecture, pk: UUID, now: datetime) -> bool:
    collection = Collection.objects.filter(lecture=lecture)
    with transaction.atomic():
        if not queue_file(pk, FootageFile.State.DISCOVERED):
            return False
        collection.filter(state=Collection.State.WAITING).update(state=Collection.State.COLLECTING)
        collection.filter(state__in=(Collection.State.COMPLETE, Collection.State.MISSING)).update(
            state=Collection.State.COLLECTING,
            next_check_at=now + MIN_COLLECTION_TIME,
            deadline_at=Greatest("deadline_at", now + MIN_COLLECTION_TIME),
            finished_at=None,
            note="",
        )
    return True


@transaction.atomic
def queue_file(pk: UUID, from_state: FootageFile.State) -> bool:
    """Have a file fetched. False: it is in another state than `from_state`."""
    queued = {"state": FootageFile.State.FETCHING, "retry_at": None, "note": "", **jobs.RESET_FIELDS}
    if not FootageFile.objects.filter(pk=pk, state=from_state).update(**queued):
        return False
    jobs.FETCH.request(pk)
    return True


def delete_expired_footage_files() -> None:
    """Delete the rows of files that no lecture wanted while it could. Scans no longer list them."""
    expired_before = timezone.now() - 2 * MAX_LECTURE_AGE
    FootageFile.objects.filter(
        state=FootageFile.State.DISCOVERED, file="", lecture=None, discovered_at__lt=expired_before
    ).exclude(starts_at__gt=expired_before).delete()
