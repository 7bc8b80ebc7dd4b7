"""The timetable drives what is fetched: after each lecture its footage is looked for, less and less often until the
deadline.

Every step may run twice, late, or not at all for a while: each is one conditional UPDATE, and what an outage left
undone is caught up in the order of the lectures.
"""

import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Greatest
from django.utils import timezone

from campus.academics.models import Lecture
from campus.cctv.clips import (
    cameras_for_lecture,
    clip_plans_for,
    complete_lecture,
    gaps_by_camera,
    lecture_seconds,
    update_recordings_of,
)
from campus.cctv.fetch_queue import MAX_LECTURE_AGE, MIN_COLLECTION_TIME, queue_wanted_files
from campus.cctv.lecture_matching import clashing_lecture, describe_clash, footage_files_for_lecture
from campus.cctv.models import Camera, Collection, FootageFile, Source
from campus.cctv.notifications import notify_missing_footage
from campus.common import jobs
from campus.recordings.models import Recording
from recognition.messages import NO_MESSAGE, Message, join_messages

log = logging.getLogger(__name__)

PLAN_AHEAD = timedelta(days=1)  # collections are planned so long before their lecture
CHECK_PAUSES = [timedelta(minutes=minutes) for minutes in (2, 5, 10, 20, 40, 60)]  # then always the last
FAILED_SCAN_PAUSES = [timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 20, 40, 60)]
SUFFICIENT_COVERAGE = 0.9  # of the lecture, by each camera: enough after several checks if nothing more is coming
SUFFICIENT_COVERAGE_MIN_CHECKS = 4
LIVE_FOOTAGE_DELAY = timedelta(minutes=3)  # after the lecture; what was not recorded live by then never comes
MAX_FETCH_OVERRUN = timedelta(days=2)  # files that are being fetched are waited for so long after the deadline


def collect_footage() -> None:
    """Plan collections, request scans, queue files, and close what is complete or past its deadline."""
    now = timezone.now()
    plan_collections(now)
    request_scans(now, start_due_checks(now))
    for source in Source.objects.filter(enabled=True):
        queue_wanted_files(source=source)
    close_collections(now)


def plan_collections(now: datetime) -> None:
    """Plan a collection for each lecture in a room with a camera. Moved lectures restart theirs, cancelled ones end
    it.
    """
    sources_by_room: dict[int | None, list[Source]] = {}
    for camera in Camera.objects.filter(source__enabled=True).select_related("source"):
        sources_by_room.setdefault(camera.room_id, []).append(camera.source)
    is_near = Q(ends_at__gt=now - MAX_LECTURE_AGE, starts_at__lt=now + PLAN_AHEAD)
    lectures = Lecture.objects.filter(is_near | Q(collection__state__in=Collection.OPEN_STATES))
    new = []
    for lecture in lectures.select_related("collection").order_by("starts_at"):
        collection = getattr(lecture, "collection", None)
        sources = sources_by_room.get(lecture.room_id, [])
        if collection is None:
            if should_collect(lecture, sources, now):
                new.append(Collection(lecture=lecture, **_initial_fields(lecture, sources, now)))
        elif lecture.cancelled or not sources:
            _stop_collection(collection, lecture, now)
        elif collection.slot != _slot_of(lecture) or (
            collection.state == Collection.State.OFF and should_collect(lecture, sources, now)
        ):
            _restart_collection(collection, lecture, sources, now)
    Collection.objects.bulk_create(new, ignore_conflicts=True)


def should_collect(lecture: Lecture, sources: Sequence[Source], now: datetime) -> bool:
    """Whether footage is collected: not of lectures that ended before a source was added, except within its
    deadline.
    """
    if (
        not sources
        or lecture.cancelled
        or lecture.ends_at < now - MAX_LECTURE_AGE
        or lecture.starts_at > now + PLAN_AHEAD
    ):
        return False
    earliest_end = min(source.created_at - timedelta(hours=source.deadline_hours) for source in sources)
    return lecture.ends_at > earliest_end


def _slot_of(lecture: Lecture) -> str:
    return f"{lecture.starts_at.isoformat()} {lecture.ends_at.isoformat()} {lecture.room_id}"


def _initial_fields(lecture: Lecture, sources: Sequence[Source], now: datetime) -> dict[str, object]:
    """A collection that was not checked yet. If its deadline is over already, as after an outage, it gets some time."""
    delay = timedelta(minutes=min(source.delay_minutes for source in sources))
    time_limit = timedelta(hours=max(source.deadline_hours for source in sources))
    return {
        "slot": _slot_of(lecture),
        "state": Collection.State.WAITING,
        "check_count": 0,
        "next_check_at": lecture.ends_at + delay,
        "deadline_at": max(lecture.ends_at + time_limit, now + MIN_COLLECTION_TIME),
        "finished_at": None,
        "note": "",
    }


def _stop_collection(collection: Collection, lecture: Lecture, now: datetime) -> None:
    """The lecture was cancelled, or its room has no camera in use any more: no more footage is waited for."""
    if lecture.cancelled:
        state, note = Collection.State.OFF, Message("The lecture was cancelled.")
        is_affected = collection.state != Collection.State.OFF
    else:
        state = Collection.State.COMPLETE if clip_plans_for(lecture) else Collection.State.OFF
        note = Message("No camera in use is in the lecture's room.")
        is_affected = collection.state in Collection.OPEN_STATES
    with transaction.atomic():
        if is_affected and _close(Outcome(collection=collection, state=state, note=note), now):
            Collection.objects.filter(pk=collection.pk).update(slot=_slot_of(lecture))
            update_recordings_of(lecture=lecture)


def _restart_collection(collection: Collection, lecture: Lecture, sources: Sequence[Source], now: datetime) -> None:
    """The lecture was moved, or takes place after all: stored footage is matched with the time and room it has now."""
    with transaction.atomic():
        unchanged = Collection.objects.filter(pk=collection.pk, slot=collection.slot, state=collection.state)
        if not collection.slot and collection.state != Collection.State.OFF:  # a file arrived before the plan was made
            unchanged.update(slot=_slot_of(lecture))
        elif unchanged.update(**_initial_fields(lecture, sources, now)):
            log.info("lecture %s: its time or room changed, its footage is collected anew", lecture.pk)
            update_recordings_of(lecture=lecture)


def start_due_checks(now: datetime) -> AbstractSet[int | None]:
    """Count the checks that are due and schedule the next ones; returns the rooms whose sources have to be scanned."""
    rooms = set()
    due = (
        Collection.objects.filter(state__in=Collection.OPEN_STATES, next_check_at__lte=now)
        .select_related("lecture")
        .order_by("lecture__starts_at")
    )
    for collection in due:
        pause = CHECK_PAUSES[min(collection.check_count, len(CHECK_PAUSES) - 1)]
        changes: dict[str, object] = {"next_check_at": now + pause, "check_count": F("check_count") + 1}
        if not collection.check_count:
            changes["deadline_at"] = Greatest("deadline_at", now + MIN_COLLECTION_TIME)
        unchanged = Collection.objects.filter(
            pk=collection.pk, state=collection.state, next_check_at=collection.next_check_at
        )
        if unchanged.update(state=Collection.State.COLLECTING, **changes):
            rooms.add(collection.lecture.room_id)
    return rooms


def request_scans(now: datetime, rooms: AbstractSet[int | None] = frozenset()) -> int:
    """Request scans of the sources that are due by their own interval, or show one of the rooms; returns how many.

    After failed scans the next one waits longer.
    """
    requested = 0
    idle = (
        Source.objects.filter(enabled=True, state=Source.State.IDLE)
        .exclude(kind=Source.Kind.RTSP)
        .prefetch_related("cameras")
    )
    for source in idle:
        shows_room = any(camera.room_id in rooms for camera in source.cameras.all())
        is_wanted = shows_room and source.failed_scans == 0
        if not is_wanted and source.next_scan_at and source.next_scan_at > now:
            continue
        pause = FAILED_SCAN_PAUSES[min(source.failed_scans, len(FAILED_SCAN_PAUSES) - 1)]
        with transaction.atomic():
            unchanged = Source.objects.filter(
                pk=source.pk,
                state=Source.State.IDLE,
                failed_scans=source.failed_scans,
                next_scan_at=source.next_scan_at,
            )
            if unchanged.update(
                state=Source.State.SCANNING,
                failed_scans=F("failed_scans") + 1,
                next_scan_at=now + pause,
                **jobs.RESET_FIELDS,
            ):
                jobs.SCAN_SOURCE.request(source.pk)
                requested += 1
    return requested


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a collection is closed, and whether people are notified of it."""

    collection: Collection
    state: Collection.State
    note: Message = NO_MESSAGE
    notify: bool = False


def close_collections(now: datetime) -> None:
    """Complete collections with all or nearly all footage; after the deadline, complete or miss the others."""
    has_footage = Exists(Recording.objects.filter(lecture=OuterRef("lecture"), file=""))
    is_live = Exists(Camera.objects.filter(room=OuterRef("lecture__room"), source__kind=Source.Kind.RTSP))
    candidates = Collection.objects.filter(
        Q(deadline_at__lte=now) | has_footage | is_live,
        state__in=Collection.OPEN_STATES,
        lecture__ends_at__lte=now,
        check_count__gte=1,
    )
    candidates = candidates.select_related("lecture__course").order_by("lecture__starts_at")
    outcomes = [outcome for collection in candidates if (outcome := _decide_outcome(collection, now))]
    if not outcomes:
        return
    with transaction.atomic():
        closed = [outcome for outcome in outcomes if _close(outcome, now)]
        notify_missing_footage([outcome.collection for outcome in closed if outcome.notify], now)


def _decide_outcome(collection: Collection, now: datetime) -> Outcome | None:
    """None: the collection stays open."""
    lecture = collection.lecture
    footage = clip_plans_for(lecture)
    gaps = gaps_by_camera(lecture, footage)
    if footage and not gaps:
        return Outcome(collection=collection, state=Collection.State.COMPLETE)
    is_coming = _is_more_coming(lecture)
    largest_gap = max((sum(end - start for start, end in spans) for spans in gaps.values()), default=0.0)
    coverage = 1 - largest_gap / lecture_seconds(lecture)
    was_checked_enough = collection.check_count >= SUFFICIENT_COVERAGE_MIN_CHECKS
    if footage and coverage >= SUFFICIENT_COVERAGE and was_checked_enough and not is_coming:
        return Outcome(collection=collection, state=Collection.State.COMPLETE, note=_describe_gaps(lecture, gaps))
    is_live = all(camera.source.kind == Source.Kind.RTSP for camera in gaps)
    is_live_over = is_live and lecture.ends_at < now - LIVE_FOOTAGE_DELAY
    if collection.deadline_at > now and not is_live_over:
        return None
    if is_coming and collection.deadline_at > now - MAX_FETCH_OVERRUN:
        return None
    if not footage and lecture.recordings.exclude(file="").exists():
        note = Message("Nothing came by itself, but a recording was uploaded.")
        return Outcome(collection=collection, state=Collection.State.COMPLETE, note=note)
    state = Collection.State.COMPLETE if footage else Collection.State.MISSING
    return Outcome(collection=collection, state=state, note=_describe_gaps(lecture, gaps), notify=True)


def _close(outcome: Outcome, now: datetime) -> bool:
    """False: somebody else was quicker, or the lecture was moved."""
    collection = outcome.collection
    unchanged = Collection.objects.filter(
        pk=collection.pk, state=collection.state, slot=collection.slot, deadline_at=collection.deadline_at
    )
    if not unchanged.update(state=outcome.state, finished_at=now, note=outcome.note):
        return False
    collection.state, collection.note = outcome.state, outcome.note
    if outcome.state == Collection.State.COMPLETE:
        complete_lecture(lecture=collection.lecture)
    log.info("lecture %s: footage %s", collection.lecture.pk, outcome.state)
    return True


def _is_more_coming(lecture: Lecture) -> bool:
    """Whether files are being fetched or wait for their turn, or a source of the room is being scanned."""
    waiting = footage_files_for_lecture(lecture).filter(
        Q(state=FootageFile.State.FETCHING) | Q(state=FootageFile.State.DISCOVERED, fully_written=True, lecture=None)
    )
    return (waiting.exists() and clashing_lecture(lecture) is None) or _is_being_scanned(lecture)


def _is_being_scanned(lecture: Lecture) -> bool:
    return cameras_for_lecture(lecture).filter(source__state=Source.State.SCANNING).exists()


def _describe_gaps(lecture: Lecture, gaps: dict[Camera, list[tuple[float, float]]]) -> Message:
    """What is missing of the lecture, and what is known about the reason; one line each."""
    lines: list[Message] = []
    for camera, spans in gaps.items():
        if sum(end - start for start, end in spans) >= lecture_seconds(lecture) - 1:
            lines.append(Message("{camera}: nothing.", camera=camera))
        else:
            times = [
                Message("{start} to {end}", start=_wall_clock(lecture, start), end=_wall_clock(lecture, end))
                for start, end in spans
            ]
            lines.append(Message("{camera}: nothing from {times}.", camera=camera, times=join_messages(times, ", ")))
        if error := camera.source.error:
            lines.append(Message("{source} cannot be scanned: {error}", source=camera.source, error=error))
    if clash := clashing_lecture(lecture):
        lines.append(describe_clash(lecture, clash))
    for footage_file in footage_files_for_lecture(lecture).exclude(error="")[:5]:
        lines.append(Message("{path}: {error}", path=footage_file.path, error=footage_file.error))
    return join_messages({str(line): line for line in lines}.values(), "\n")


def _wall_clock(lecture: Lecture, second: float) -> str:
    return f"{timezone.localtime(lecture.starts_at + timedelta(seconds=second)):%H:%M:%S}"
