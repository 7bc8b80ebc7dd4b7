"""From what a look at a source found to footage files, and from room and time to the lectures that want them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import combinations, pairwise
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Greatest
from django.utils import timezone

from campus.academics.models import Lecture
from campus.cctv.models import Camera, Collection, FootageFile, Source
from campus.cctv.path_patterns import compile_pattern
from campus.common import jobs
from campus.common.file_names import file_suffix
from recognition.messages import NO_MESSAGE, Message

KEPT = timedelta(days=14)  # footage of older lectures is not looked for
STILL = timedelta(minutes=2)  # since the last change: nobody writes into the file any more
LONGEST = timedelta(hours=4)  # that a file of which nobody knows the end is taken for
AGO = timedelta(days=1)  # no file begins longer before the lecture that it shows
SHORTEST = timedelta(seconds=5)  # of a lecture, for a file to be worth fetching
CLASH = timedelta(minutes=15)  # that two lectures may be in a room at once, by a generous timetable
MIN_COLLECTION_TIME = timedelta(hours=1)  # that a lecture waits for more, once a file came late
AT_ONCE = 8  # files of a source that are asked for; the others wait for their turn
MOST_UNREAD = 200  # files whose names say too little, kept for a person to assign
VIDEOS = frozenset(
    f".{name}"
    for name in (
        "mp4",
        "m4v",
        "mov",
        "mkv",
        "avi",
        "ts",
        "mts",
        "m2ts",
        "mpg",
        "mpeg",
        "webm",
        "flv",
        "asf",
        "wmv",
        "dav",
        "264",
        "265",
    )
)
BATCH = 500


OPEN_COLLECTION_STATES = (Collection.State.WAITING, Collection.State.COLLECTING)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that a source has: its path below the source's address, its size in bytes, and when it was changed, where that is known."""

    path: str
    size: int
    modified: datetime | None = None


@dataclass(slots=True)
class ParsedFile:
    """A file, what its name says by our clock, and which lectures it shows. `note` says why it is of no use by itself, `needs_assignment`
    that only a person can tell what it is; of a camera that the source does not have nobody asks."""

    file: RemoteFile
    camera: Camera | None
    starts_at: datetime | None
    ends_at: datetime | None
    note: Message = NO_MESSAGE
    needs_assignment: bool = False
    lectures: list[Lecture] = field(default_factory=list)


def days_to_scan(source: Source, now: datetime) -> tuple[date, date]:
    """The first and the last day, in the source's time zone, whose files are looked for: of all lectures that wait for footage, and
    yesterday's and today's."""
    waiting = Collection.objects.filter(lecture__room__cameras__source=source, state__in=OPEN_COLLECTION_STATES)
    starts = (
        waiting.filter(lecture__starts_at__gt=now - KEPT)
        .order_by("lecture__starts_at")
        .values_list("lecture__starts_at", flat=True)
    )
    first = min(starts.first() or now, now - timedelta(days=1))
    zone = source.tzinfo
    # A file may have begun before its lecture, and the clock of the camera may be wrong.
    return (first - LONGEST).astimezone(zone).date(), (now + timedelta(hours=1)).astimezone(zone).date()


def finish_scan(*, source: Source, files: Sequence[RemoteFile]) -> bool:
    """A look at a claimed source is over: write down what is new, and ask for what lectures want.

    False: this attempt lost its lease; what it found is kept nevertheless. Raises UserError where the pattern is wrong.
    """
    now = timezone.now()
    found = [one for one in parse_files(source, files) if (one.ends_at or one.file.modified or now) > now - KEPT]
    news = sum(save_discovered_files(source, found[at : at + BATCH], now) for at in range(0, len(found), BATCH))
    facts = {"last_new_file_at": now} if news else {}
    held = jobs.finish(
        source,
        Source.State.IDLE,
        last_checked_at=now,
        next_scan_at=now + timedelta(minutes=source.scan_interval_minutes),
        failed_scans=0,
        **facts,
    )
    queue_wanted_files(source=source, lectures={lecture for one in found for lecture in one.lectures})
    return held


def parse_files(source: Source, files: Iterable[RemoteFile]) -> list[ParsedFile]:
    """What the files are, by camera and time; at the end those of which the names do not say it.

    Raises UserError where the source's pattern is wrong.
    """
    pattern, zone, ahead = compile_pattern(source.pattern), source.tzinfo, timedelta(seconds=source.clock_offset)
    cameras = {camera.label.casefold(): camera for camera in source.cameras.select_related("room")}
    clear: list[ParsedFile] = []
    unclear: list[ParsedFile] = []
    for file in files:
        if not _storable(file.path):
            continue
        fields = pattern.match(file.path, zone)
        label, starts, ends = (fields.label, fields.starts, fields.ends) if fields else ("", None, None)
        camera = cameras.get(label.casefold()) or (
            next(iter(cameras.values())) if not label and len(cameras) == 1 else None
        )
        reading = ParsedFile(file, camera, starts and starts - ahead, ends and ends - ahead)
        if camera and starts:
            clear.append(reading)
            continue
        if fields is None:
            reading.camera, reading.note = None, Message("The path does not fit the source's pattern.")
        elif camera is None:
            reading.note = (
                Message("The source has no camera called “{label}”.", label=label[:100])
                if label
                else Message("Nothing says which camera it is.")
            )
        else:
            reading.note = Message("Nothing says when it was recorded.")
        reading.needs_assignment = not label or starts is None
        if file_suffix(file.path) in VIDEOS:
            unclear.append(reading)
    clear.sort(key=lambda reading: (reading.camera.pk, reading.starts_at, reading.file.path))  # type: ignore[union-attr]
    _likely_ends(clear)
    _find_lectures(clear)
    return clear + unclear[:MOST_UNREAD]


def _storable(path: str) -> bool:
    """Whether a database takes it: no half of a pair, no NUL, not too long."""
    return len(path) <= 1000 and not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in path)


def _likely_ends(found: Sequence[ParsedFile]) -> None:
    """Where the name does not say it, a file ends when it was last written, or when the camera's next one begins."""
    for one, follower in pairwise([*found, None]):
        if one is None or one.starts_at is None or one.ends_at is not None:
            continue
        ends = [one.starts_at + LONGEST]
        if one.file.modified and one.file.modified > one.starts_at:
            ends.append(one.file.modified)
        if follower and follower.camera == one.camera and follower.starts_at and follower.starts_at > one.starts_at:
            ends.append(follower.starts_at)
        one.ends_at = min(ends)


def _find_lectures(found: Sequence[ParsedFile]) -> None:
    spans = [
        (one, one.camera.room, one.starts_at, one.ends_at)
        for one in found
        if one.camera and one.starts_at and one.ends_at
    ]
    if not spans:
        return
    first, last = min(starts for _one, _room, starts, _ends in spans), max(ends for _one, _room, _starts, ends in spans)
    by_room: dict[int | None, list[Lecture]] = {}
    for lecture in lectures_between(first, last).select_related("course"):
        by_room.setdefault(lecture.room_id, []).append(lecture)
    for one, room, starts, ends in spans:
        there = by_room.get(room.pk, [])
        one.lectures = [
            lecture for lecture in there if lecture.starts_at < ends - SHORTEST and lecture.ends_at > starts + SHORTEST
        ]
        if not one.lectures:
            one.note = Message("No lecture is in {room} then.", room=room)
        elif pair := next((pair for pair in combinations(one.lectures, 2) if is_clash(*pair)), None):
            one.note, one.needs_assignment = describe_clash(*pair), True


def save_discovered_files(source: Source, found: Sequence[ParsedFile], now: datetime) -> int:
    """Write down what is new or has changed; returns how many are new."""
    known = {
        footage_file.path: footage_file
        for footage_file in source.footage_files.filter(path__in=[one.file.path for one in found])
    }
    new: dict[str, FootageFile] = {}
    settled = []
    for one in found:
        file, footage_file = one.file, known.get(one.file.path)
        still = file.modified is not None and file.modified <= now - STILL
        facts = {"size": file.size, "modified_at": file.modified}
        read = {
            "camera": one.camera,
            "starts_at": one.starts_at,
            "ends_at": one.ends_at,
            "note": one.note,
            "needs_assignment": one.needs_assignment,
        }
        if footage_file is None:
            new[file.path] = FootageFile(source=source, path=file.path, fully_written=still, **facts, **read)
        elif footage_file.state in (FootageFile.State.FETCHING, FootageFile.State.DISCARDED):
            continue  # being fetched, which looks at the size itself; or of no interest
        elif (footage_file.size, footage_file.modified_at) != (file.size, file.modified):
            rows = source.footage_files.filter(pk=footage_file.pk, state=footage_file.state)
            rows.update(
                state=FootageFile.State.DISCOVERED,
                fully_written=still,
                fetched_bytes=0,
                retry_count=0,
                retry_at=None,
                error="",
                **facts,
                **read,
            )
        elif footage_file.state == FootageFile.State.DISCOVERED:
            if not footage_file.fully_written:
                settled.append(footage_file.pk)
            if any(getattr(footage_file, name) != value for name, value in read.items()):
                source.footage_files.filter(pk=footage_file.pk, state=FootageFile.State.DISCOVERED).update(**read)
    source.footage_files.filter(pk__in=settled, state=FootageFile.State.DISCOVERED).update(fully_written=True)
    FootageFile.objects.bulk_create(new.values(), ignore_conflicts=True)
    return len(new)


def lectures_between(starts_at: datetime, ends_at: datetime) -> QuerySet[Lecture]:
    """The lectures that take place at any moment between the two, by time. None lasts longer than a day."""
    begun = Lecture.objects.filter(cancelled=False, starts_at__gt=starts_at - AGO, starts_at__lt=ends_at)
    return begun.filter(ends_at__gt=starts_at).order_by("starts_at", "pk")


def is_clash(one: Lecture, other: Lecture) -> bool:
    """Whether both are in one room for so long that nobody but a person can say whose footage it is."""
    together = min(one.ends_at, other.ends_at) - max(one.starts_at, other.starts_at)
    shorter = min(one.ends_at - one.starts_at, other.ends_at - other.starts_at)
    return one.room_id is not None and one.room_id == other.room_id and together > min(CLASH, shorter / 2)


def clashing_lecture(lecture: Lecture) -> Lecture | None:
    """Another lecture that is in the room at the same time."""
    others = lectures_between(lecture.starts_at, lecture.ends_at).exclude(pk=lecture.pk).select_related("course")
    return next((other for other in others if is_clash(lecture, other)), None)


def describe_clash(one: Lecture, other: Lecture) -> Message:
    return Message(
        "Two lectures are in the room then: {one} and {other}. Assign the footage to the right one.",
        one=one.course.code,
        other=other.course.code,
    )


def footage_files_for_lecture(lecture: Lecture) -> QuerySet[FootageFile]:
    """What was seen of a lecture by the cameras of its room, or is its own because a person said so; in the order of time."""
    wanted = Q(lecture=lecture)
    if lecture.room_id:
        wanted |= _of_time(lecture) & Q(lecture=None, camera__room=lecture.room_id)
    return FootageFile.objects.filter(wanted).order_by("starts_at", "path")


def queue_wanted_files(*, source: Source, lectures: Iterable[Lecture] = ()) -> int:
    """Ask for the files of the source that lectures want, the oldest lecture first, a few at a time; returns how many.

    Those lectures want something that footage is waited for, and the given ones: a file that comes late opens the collection again.
    """
    now = timezone.now()
    turns = AT_ONCE - source.footage_files.filter(state=FootageFile.State.FETCHING).count()
    if turns <= 0:
        return 0
    asked = 0
    begun = Lecture.objects.filter(cancelled=False, starts_at__range=(now - KEPT, now))
    waiting = {lecture.pk: lecture for lecture in begun.filter(collection__state__in=OPEN_COLLECTION_STATES)}
    late = (
        begun.filter(pk__in={lecture.pk for lecture in lectures})
        .exclude(collection=None)
        .exclude(collection__state=Collection.State.OFF)
    )
    waiting |= {lecture.pk: lecture for lecture in late}
    cameras: dict[int | None, list[int]] = {}
    for camera in source.cameras.all():
        cameras.setdefault(camera.room_id, []).append(camera.pk)
    found = source.footage_files.filter(state=FootageFile.State.DISCOVERED, fully_written=True, lecture=None).order_by(
        "starts_at", "path"
    )
    for lecture in sorted(waiting.values(), key=lambda lecture: (lecture.starts_at, lecture.pk)):
        if lecture.room_id not in cameras:
            continue
        its = found.filter(_of_time(lecture), camera__in=cameras[lecture.room_id])
        pks = list(its.values_list("pk", flat=True)[: turns - asked])
        if pks and clashing_lecture(lecture) is None:
            asked += sum(_want(lecture, pk, now) for pk in pks)
        if asked >= turns:
            return asked
    again = source.footage_files.filter(state=FootageFile.State.RETRY, retry_at__lte=now).order_by("retry_at")
    return asked + sum(
        _ask(pk, FootageFile.State.RETRY) for pk in list(again.values_list("pk", flat=True)[: turns - asked])
    )


def _of_time(lecture: Lecture) -> Q:
    return Q(
        starts_at__range=(lecture.starts_at - AGO, lecture.ends_at - SHORTEST), ends_at__gt=lecture.starts_at + SHORTEST
    )


def _want(lecture: Lecture, pk: UUID, now: datetime) -> bool:
    collection = Collection.objects.filter(lecture=lecture)
    with transaction.atomic():
        if not _ask(pk, FootageFile.State.DISCOVERED):
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
def _ask(pk: UUID, state: FootageFile.State) -> bool:
    asked = {"state": FootageFile.State.FETCHING, "retry_at": None, "note": "", **jobs.RESET_FIELDS}
    if not FootageFile.objects.filter(pk=pk, state=state).update(**asked):
        return False
    jobs.FETCH.request(pk)
    return True


def delete_expired_footage_files() -> None:
    """Forget the files that nobody wanted while they were new enough; they are no longer looked for."""
    old = timezone.now() - 2 * KEPT
    FootageFile.objects.filter(
        state=FootageFile.State.DISCOVERED, file="", lecture=None, discovered_at__lt=old
    ).exclude(starts_at__gt=old).delete()
