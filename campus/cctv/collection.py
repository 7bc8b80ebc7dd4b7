"""The timetable drives what is fetched: for each lecture a look after its end, more with growing pauses, and at last a word to people.

All of it may run twice, late or not at all for a while: each step is one conditional UPDATE, and what an outage left is caught up in
the order of the lectures.
"""

import logging
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Greatest
from django.utils import timezone

from campus.academics.models import Lecture
from campus.cctv.clips import clip_plans_for, complete_lecture, gaps_by_camera, lecture_seconds, update_recordings_of
from campus.cctv.fetch_queue import MAX_LECTURE_AGE, MIN_COLLECTION_TIME, queue_wanted_files
from campus.cctv.lecture_matching import clashing_lecture, describe_clash, footage_files_for_lecture
from campus.cctv.models import Camera, Collection, FootageFile, Source
from campus.cctv.notifications import notify_missing_footage
from campus.common import jobs
from campus.recordings.models import Recording
from recognition.messages import NO_MESSAGE, Message, join_messages

log = logging.getLogger(__name__)

AHEAD = timedelta(days=1)  # so long before a lecture it is planned
PAUSES = [timedelta(minutes=minutes) for minutes in (2, 5, 10, 20, 40, 60)]  # between looks; the last one for ever
SOURCE_PAUSES = [timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 20, 40, 60)]  # after looks that failed
NEARLY = 0.9  # of the lecture, by each camera: enough once several looks brought nothing more
LOOKS = 4
LIVE = timedelta(minutes=3)  # after the end: what was not recorded of a camera by then never comes
PATIENCE = timedelta(days=2)  # beyond the deadline, while files are being fetched


def collect_footage() -> None:
    """Plan, look, ask for files, and settle what is complete or given up."""
    now = timezone.now()
    plan_collections(now)
    request_scans(now, start_due_checks(now))
    for source in Source.objects.filter(enabled=True):
        queue_wanted_files(source=source)
    close_collections(now)


# Which lectures are collected.


def plan_collections(now: datetime) -> None:
    """Each lecture in a room with a camera is collected; one that was moved begins anew, one that was cancelled is left."""
    rooms: dict[int | None, list[Source]] = {}
    for camera in Camera.objects.filter(source__enabled=True).select_related("source"):
        rooms.setdefault(camera.room_id, []).append(camera.source)
    near = Q(ends_at__gt=now - MAX_LECTURE_AGE, starts_at__lt=now + AHEAD)
    new = []
    for lecture in (
        Lecture.objects.filter(near | Q(collection__state__in=Collection.OPEN_STATES))
        .select_related("collection")
        .order_by("starts_at")
    ):
        row, sources = getattr(lecture, "collection", None), rooms.get(lecture.room_id, [])
        if row is None:
            if should_collect(lecture, sources, now):
                new.append(Collection(lecture=lecture, **_plan(lecture, sources, now)))
        elif lecture.cancelled or not sources:
            _leave(row, lecture, now)
        elif row.slot != _slot(lecture) or (
            row.state == Collection.State.OFF and should_collect(lecture, sources, now)
        ):
            _follow(row, lecture, sources, now)
    Collection.objects.bulk_create(new, ignore_conflicts=True)


def should_collect(lecture: Lecture, sources: Sequence[Source], now: datetime) -> bool:
    """Whether a lecture is collected at all: not what was over before its sources were there, except within their deadline."""
    if not sources or lecture.cancelled or lecture.ends_at < now - MAX_LECTURE_AGE or lecture.starts_at > now + AHEAD:
        return False
    since = min(source.created_at - timedelta(hours=source.deadline_hours) for source in sources)
    return lecture.ends_at > since


def _slot(lecture: Lecture) -> str:
    return f"{lecture.starts_at.isoformat()} {lecture.ends_at.isoformat()} {lecture.room_id}"


def _plan(lecture: Lecture, sources: Iterable[Source], now: datetime) -> dict[str, object]:
    """As a lecture is planned that nobody looked for yet. One that an outage left gets some time yet."""
    sources = list(sources)
    delay = timedelta(minutes=min(source.delay_minutes for source in sources))
    patience = timedelta(hours=max(source.deadline_hours for source in sources))
    return {
        "slot": _slot(lecture),
        "state": Collection.State.WAITING,
        "check_count": 0,
        "next_check_at": lecture.ends_at + delay,
        "deadline_at": max(lecture.ends_at + patience, now + MIN_COLLECTION_TIME),
        "finished_at": None,
        "note": "",
    }


def _leave(row: Collection, lecture: Lecture, now: datetime) -> None:
    """What came of a lecture whose cameras went is all that comes; a cancelled one shows nothing."""
    if lecture.cancelled:
        state, note = Collection.State.OFF, Message("The lecture was cancelled.")
        leaves = row.state != Collection.State.OFF
    else:
        state = Collection.State.COMPLETE if clip_plans_for(lecture) else Collection.State.OFF
        note = Message("No camera in use is in the lecture's room.")
        leaves = row.state in Collection.OPEN_STATES
    with transaction.atomic():
        if leaves and _finish(Verdict(row, state, note), now):
            Collection.objects.filter(pk=row.pk).update(slot=_slot(lecture))
            update_recordings_of(lecture=lecture)


def _follow(row: Collection, lecture: Lecture, sources: Iterable[Source], now: datetime) -> None:
    """The lecture was moved, or takes place after all: what is here is laid over the time that it has now."""
    with transaction.atomic():
        mine = Collection.objects.filter(pk=row.pk, slot=row.slot, state=row.state)
        if not row.slot and row.state != Collection.State.OFF:  # a footage file came before the plan
            mine.update(slot=_slot(lecture))
        elif mine.update(**_plan(lecture, sources, now)):
            log.info("lecture %s: collected by its new time", lecture.pk)
            update_recordings_of(lecture=lecture)


# Which sources are looked through.


def start_due_checks(now: datetime) -> AbstractSet[int | None]:
    """Note the look that is due for each lecture, and when the next one is; returns the rooms that it is for."""
    rooms = set()
    due = (
        Collection.objects.filter(state__in=Collection.OPEN_STATES, next_check_at__lte=now)
        .select_related("lecture")
        .order_by("lecture__starts_at")
    )
    for row in due:
        fields: dict[str, object] = {
            "next_check_at": now + PAUSES[min(row.check_count, len(PAUSES) - 1)],
            "check_count": F("check_count") + 1,
        }
        if not row.check_count:
            fields["deadline_at"] = Greatest("deadline_at", now + MIN_COLLECTION_TIME)
        if Collection.objects.filter(pk=row.pk, state=row.state, next_check_at=row.next_check_at).update(
            state=Collection.State.COLLECTING, **fields
        ):
            rooms.add(row.lecture.room_id)
    return rooms


def request_scans(now: datetime, rooms: AbstractSet[int | None] = frozenset()) -> int:
    """Ask for a look at the sources that are due: by their own time, or because a lecture in one of the rooms is; returns how many.

    Where looks failed, the next one waits longer.
    """
    asked = 0
    idle = (
        Source.objects.filter(enabled=True, state=Source.State.IDLE)
        .exclude(kind=Source.Kind.RTSP)
        .prefetch_related("cameras")
    )
    for source in idle:
        wanted = source.failed_scans == 0 and any(camera.room_id in rooms for camera in source.cameras.all())
        if not wanted and source.next_scan_at and source.next_scan_at > now:
            continue
        pause = SOURCE_PAUSES[min(source.failed_scans, len(SOURCE_PAUSES) - 1)]
        with transaction.atomic():
            mine = Source.objects.filter(
                pk=source.pk,
                state=Source.State.IDLE,
                failed_scans=source.failed_scans,
                next_scan_at=source.next_scan_at,
            )
            if mine.update(
                state=Source.State.SCANNING,
                failed_scans=F("failed_scans") + 1,
                next_scan_at=now + pause,
                **jobs.RESET_FIELDS,
            ):
                jobs.SCAN_SOURCE.request(source.pk)
                asked += 1
    return asked


# What became of it.


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a collection; `tell`: people are told of it."""

    row: Collection
    state: Collection.State
    note: Message = NO_MESSAGE
    tell: bool = False


def close_collections(now: datetime) -> None:
    """Complete what is all here, or as good as all; at the deadline complete what there is, or say that it is missing."""
    some = Recording.objects.filter(lecture=OuterRef("lecture"), file="")
    live = Camera.objects.filter(room=OuterRef("lecture__room"), source__kind=Source.Kind.RTSP)
    settled = Q(deadline_at__lte=now) | Exists(some) | Exists(live)
    rows = Collection.objects.filter(
        settled, state__in=Collection.OPEN_STATES, lecture__ends_at__lte=now, check_count__gte=1
    )
    rows = rows.select_related("lecture__course").order_by("lecture__starts_at")
    verdicts = [verdict for row in rows if (verdict := _verdict(row, now))]
    if not verdicts:
        return
    with transaction.atomic():
        won = [verdict for verdict in verdicts if _finish(verdict, now)]
        notify_missing_footage([verdict.row for verdict in won if verdict.tell], now)


def _verdict(row: Collection, now: datetime) -> Verdict | None:
    """None: it goes on."""
    lecture = row.lecture
    footage = clip_plans_for(lecture)
    gaps = gaps_by_camera(lecture, footage)
    if footage and not gaps:
        return Verdict(row, Collection.State.COMPLETE)
    coming = _coming(lecture)
    least = 1 - max(
        (sum(end - start for start, end in holes) for holes in gaps.values()), default=0.0
    ) / lecture_seconds(lecture)
    if footage and least >= NEARLY and row.check_count >= LOOKS and not coming:
        return Verdict(row, Collection.State.COMPLETE, _why(lecture, gaps))
    live = all(camera.source.kind == Source.Kind.RTSP for camera in gaps) and lecture.ends_at < now - LIVE
    if (row.deadline_at > now and not live) or (coming and row.deadline_at > now - PATIENCE):
        return None
    if footage:
        return Verdict(row, Collection.State.COMPLETE, _why(lecture, gaps), tell=True)
    if lecture.recordings.exclude(file="").exists():
        return Verdict(row, Collection.State.COMPLETE, Message("Nothing came by itself, but a recording was uploaded."))
    return Verdict(row, Collection.State.MISSING, _why(lecture, gaps), tell=True)


def _finish(verdict: Verdict, now: datetime) -> bool:
    """False: somebody else was quicker, or the lecture was moved."""
    row = verdict.row
    mine = Collection.objects.filter(pk=row.pk, state=row.state, slot=row.slot, deadline_at=row.deadline_at)
    if not mine.update(state=verdict.state, finished_at=now, note=verdict.note):
        return False
    row.state, row.note = verdict.state, verdict.note
    if verdict.state == Collection.State.COMPLETE:
        complete_lecture(lecture=row.lecture)
    log.info("lecture %s: footage %s", row.lecture.pk, verdict.state)
    return True


def _coming(lecture: Lecture) -> bool:
    """Whether files are being fetched, wait for their turn, or are being looked for."""
    footage_files = footage_files_for_lecture(lecture)
    waiting = footage_files.filter(
        Q(state=FootageFile.State.FETCHING) | Q(state=FootageFile.State.DISCOVERED, fully_written=True, lecture=None)
    )
    return (waiting.exists() and clashing_lecture(lecture) is None) or _being_looked_through(lecture)


def _being_looked_through(lecture: Lecture) -> bool:
    cameras = Camera.objects.filter(room=lecture.room_id, source__enabled=True)
    return cameras.filter(source__state=Source.State.SCANNING).exists()


def _why(lecture: Lecture, gaps: dict[Camera, list[tuple[float, float]]]) -> Message:
    """What is missing of the lecture, and what is known of the reason: a line each."""
    lines: list[Message] = []
    for camera, holes in gaps.items():
        if sum(end - start for start, end in holes) >= lecture_seconds(lecture) - 1:
            lines.append(Message("{camera}: nothing.", camera=camera))
        else:
            spans = [
                Message("{start} to {end}", start=_clock(lecture, start), end=_clock(lecture, end))
                for start, end in holes
            ]
            lines.append(Message("{camera}: nothing from {times}.", camera=camera, times=join_messages(spans, ", ")))
        if error := camera.source.error:
            lines.append(Message("{source} can't be looked through: {error}", source=camera.source, error=error))
    if clash := clashing_lecture(lecture):
        lines.append(describe_clash(lecture, clash))
    for footage_file in footage_files_for_lecture(lecture).exclude(error="")[:5]:
        lines.append(Message("{path}: {error}", path=footage_file.path, error=footage_file.error))
    return join_messages({str(line): line for line in lines}.values(), "\n")


def _clock(lecture: Lecture, second: float) -> str:
    return f"{timezone.localtime(lecture.starts_at + timedelta(seconds=second)):%H:%M:%S}"
