"""What a scan of a source listed: the camera and the time of each file, the lectures it shows, and its row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import combinations, pairwise
from pathlib import PurePath

from django.utils import timezone

from campus.academics.models import Lecture
from campus.cctv.fetch_queue import MAX_LECTURE_AGE, queue_wanted_files
from campus.cctv.lecture_matching import MIN_OVERLAP, describe_clash, is_clash, lectures_between
from campus.cctv.models import Camera, Collection, FootageFile, Source
from campus.cctv.path_patterns import MAX_PATH_LENGTH, PathFields, compile_pattern
from campus.common import jobs
from campus.common.file_names import file_suffix
from campus.common.keys import match_key
from recognition.media.file_kind import PHOTO_SUFFIXES, VIDEO_SUFFIXES
from recognition.messages import NO_MESSAGE, Message

QUIET_PERIOD = timedelta(minutes=2)  # a file that was not changed for so long is no longer being written
MAX_ASSUMED_DURATION = timedelta(hours=4)  # of a file whose end nothing tells
MAX_UNREADABLE_FILES = 200  # of one scan, kept for a person to assign
BATCH_SIZE = 500
# Of thumbnails, and of files that are still being written.
NO_FOOTAGE_SUFFIXES = PHOTO_SUFFIXES | {".tmp", ".temp", ".part"}


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at a source: its path below the source's address, its size in bytes, and when it was last changed if that
    is known.

    A recorder says itself of which `channel` it is and from when to when, by its clock. What it cuts out of a recording
    has no size before it was sent: 0.
    """

    path: str
    size: int
    modified: datetime | None = None
    channel: str = ""
    starts: datetime | None = None
    ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChannelSpan:
    """What a recorder is asked for: a channel, and a time by our clock."""

    channel: str
    starts: datetime
    ends: datetime


@dataclass(slots=True, kw_only=True)
class ParsedFile:
    """A file at a source, what its name says (with the camera's clock corrected), and the lectures that it shows.

    `note` says why the file is not used automatically, and `error` why it is never fetched. `needs_assignment` is set
    where only a person can tell what the file shows; a file of a camera that the source does not have is no such case.
    """

    file: RemoteFile
    camera: Camera | None
    starts_at: datetime | None
    ends_at: datetime | None
    note: Message = NO_MESSAGE
    error: Message = NO_MESSAGE
    needs_assignment: bool = False
    lectures: list[Lecture] = field(default_factory=list)


def days_to_scan(source: Source, now: datetime) -> tuple[date, date]:
    """The first and the last day, in the source's time zone, whose files a scan lists.

    These are today, yesterday, and the days since the earliest lecture that still waits for footage.
    """
    waiting = Collection.objects.filter(lecture__room__cameras__source=source, state__in=Collection.OPEN_STATES)
    starts = (
        waiting.filter(lecture__starts_at__gt=now - MAX_LECTURE_AGE)
        .order_by("lecture__starts_at")
        .values_list("lecture__starts_at", flat=True)
    )
    first = min(starts.first() or now, now - timedelta(days=1))
    zone = source.tzinfo
    # A file may begin before its lecture, and the camera's clock may be wrong.
    return (first - MAX_ASSUMED_DURATION).astimezone(zone).date(), (now + timedelta(hours=1)).astimezone(zone).date()


def spans_to_fetch(source: Source, now: datetime) -> list[ChannelSpan]:
    """What a scan asks a recorder for: the times of the lectures that are over and still wait for footage, of the
    channels that show their rooms."""
    waiting = Collection.objects.filter(
        state__in=Collection.OPEN_STATES,
        lecture__ends_at__lte=now,
        lecture__starts_at__gt=now - MAX_LECTURE_AGE,
        lecture__cancelled=False,
    ).order_by("lecture__starts_at", "lecture")
    times = waiting.filter(lecture__room__cameras__source=source).values_list(
        "lecture__room__cameras__label", "lecture__starts_at", "lecture__ends_at"
    )
    return [ChannelSpan(*fields) for fields in dict.fromkeys(times)]


def finish_scan(*, source: Source, files: Sequence[RemoteFile]) -> bool:
    """Save what a scan of the claimed source listed, and queue the files that lectures want.

    False: this attempt lost its lease; what it listed is saved nevertheless. Raises UserError where the source's
    pattern is wrong.
    """
    now = timezone.now()
    oldest = now - MAX_LECTURE_AGE
    recent = [
        parsed for parsed in parse_files(source, files) if (parsed.ends_at or parsed.file.modified or now) > oldest
    ]
    new_count = sum(
        save_discovered_files(source, recent[start : start + BATCH_SIZE], now)
        for start in range(0, len(recent), BATCH_SIZE)
    )
    changes = {"last_new_file_at": now} if new_count else {}
    held = jobs.finish(
        source,
        Source.State.IDLE,
        last_checked_at=now,
        next_scan_at=now + timedelta(minutes=source.scan_interval_minutes),
        failed_scans=0,
        **changes,
    )
    queue_wanted_files(source=source, lectures={lecture for parsed in recent for lecture in parsed.lectures})
    return held


def parse_files(source: Source, files: Iterable[RemoteFile]) -> list[ParsedFile]:
    """What the files are by their names. Those whose camera or time the name does not tell come last.

    Without files that are no videos, unless their name is that of a lecture's footage: then it is said why they are not
    fetched. Raises UserError where the source's pattern is wrong.
    """
    pattern = compile_pattern(source.pattern)
    cameras = {match_key(camera.label): camera for camera in source.cameras.select_related("room")}
    only_camera = next(iter(cameras.values())) if len(cameras) == 1 else None
    clock_offset = timedelta(seconds=source.clock_offset)
    readable: list[ParsedFile] = []
    unreadable: list[ParsedFile] = []
    other_kinds: list[ParsedFile] = []
    for file in files:
        suffix = file_suffix(file.path)
        is_video = not suffix or suffix in VIDEO_SUFFIXES
        if not _is_storable(file.path):
            continue
        given = PathFields(camera=file.channel, starts=file.starts, ends=file.ends) if file.starts else None
        fields = given or pattern.match(file.path, source.tzinfo)
        if fields is None:
            label, starts, ends, camera = "", None, None, None
            note = Message("The path does not fit the source's pattern.")
        else:
            label, starts, ends = fields.label, fields.starts, fields.ends
            camera = cameras.get(match_key(label)) or (None if label else only_camera)
            note = NO_MESSAGE if camera and starts else _describe_unreadable(label, camera)
        parsed = ParsedFile(
            file=file,
            camera=camera,
            starts_at=starts and starts - clock_offset,
            ends_at=ends and ends - clock_offset,
            note=note,
        )
        if not is_video:
            parsed.error = Message("Files of the kind {suffix} are not read, so it is not fetched.", suffix=suffix)
            if camera and starts and suffix not in NO_FOOTAGE_SUFFIXES:
                other_kinds.append(parsed)
        elif camera and starts:
            readable.append(parsed)
        elif suffix:
            parsed.needs_assignment = not label or starts is None
            unreadable.append(parsed)
    for parsed_files in (readable, other_kinds):
        parsed_files.sort(key=lambda parsed: (parsed.camera.pk, parsed.starts_at, parsed.file.path))  # type: ignore[union-attr]
        _estimate_ends(parsed_files)
        _match_lectures(parsed_files)
    # A recorder's index or thumbnail lies beside the video.
    videos = {str(PurePath(parsed.file.path).with_suffix("")) for parsed in readable}
    unread = [
        parsed
        for parsed in other_kinds
        if parsed.lectures and str(PurePath(parsed.file.path).with_suffix("")) not in videos
    ]
    return readable + unread[:MAX_UNREADABLE_FILES] + unreadable[:MAX_UNREADABLE_FILES]


def _describe_unreadable(label: str, camera: Camera | None) -> Message:
    if camera:
        return Message("Nothing says when it was recorded.")
    if label:
        return Message("The source has no camera called “{label}”.", label=label[:100])
    return Message("Nothing says which camera it is.")


def _is_storable(path: str) -> bool:
    """Whether every database can store the path: not too long, no NUL, no lone surrogates."""
    return len(path) <= MAX_PATH_LENGTH and not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in path)


def _estimate_ends(files: Sequence[ParsedFile]) -> None:
    """A file whose name does not say its end ends when it was last written, or when the camera's next file begins."""
    for parsed, following in pairwise([*files, None]):
        if parsed is None or parsed.starts_at is None or parsed.ends_at is not None:
            continue
        ends = [parsed.starts_at + MAX_ASSUMED_DURATION]
        if parsed.file.modified and parsed.file.modified > parsed.starts_at:
            ends.append(parsed.file.modified)
        if (
            following
            and following.camera == parsed.camera
            and following.starts_at
            and following.starts_at > parsed.starts_at
        ):
            ends.append(following.starts_at)
        parsed.ends_at = min(ends)


def _match_lectures(files: Sequence[ParsedFile]) -> None:
    spans = [
        (parsed, parsed.camera.room, parsed.starts_at, parsed.ends_at)
        for parsed in files
        if parsed.camera and parsed.starts_at and parsed.ends_at
    ]
    if not spans:
        return
    first = min(starts for _parsed, _room, starts, _ends in spans)
    last = max(ends for _parsed, _room, _starts, ends in spans)
    by_room: dict[int | None, list[Lecture]] = {}
    for lecture in lectures_between(first, last).select_related("course"):
        by_room.setdefault(lecture.room_id, []).append(lecture)
    for parsed, room, starts, ends in spans:
        parsed.lectures = [
            lecture
            for lecture in by_room.get(room.pk, [])
            if lecture.starts_at < ends - MIN_OVERLAP and lecture.ends_at > starts + MIN_OVERLAP
        ]
        clash = next((pair for pair in combinations(parsed.lectures, 2) if is_clash(*pair)), None)
        if not parsed.lectures:
            parsed.note = Message("No lecture is in {room} then.", room=room)
        elif clash:
            parsed.note, parsed.needs_assignment = describe_clash(*clash), True


def save_discovered_files(source: Source, files: Sequence[ParsedFile], now: datetime) -> int:
    """Give new files a row, and update the rows of files that changed; returns how many are new."""
    known = {
        footage_file.path: footage_file
        for footage_file in source.footage_files.filter(path__in=[parsed.file.path for parsed in files])
    }
    new: dict[str, FootageFile] = {}
    unchanged = []
    for parsed in files:
        file, footage_file = parsed.file, known.get(parsed.file.path)
        fully_written = file.modified is not None and file.modified <= now - QUIET_PERIOD
        listed = {"size": file.size or (footage_file.size if footage_file else 0), "modified_at": file.modified}
        state = FootageFile.State.FAILED if parsed.error else FootageFile.State.DISCOVERED
        meaning = {
            "camera": parsed.camera,
            "starts_at": parsed.starts_at,
            "ends_at": parsed.ends_at,
            "note": parsed.note,
            "needs_assignment": parsed.needs_assignment,
        }
        if footage_file is None:
            new[file.path] = FootageFile(
                source=source,
                path=file.path,
                fully_written=fully_written,
                state=state,
                error=parsed.error,
                **listed,
                **meaning,
            )
        elif footage_file.state in (FootageFile.State.FETCHING, FootageFile.State.DISCARDED):
            continue  # the fetch checks the size itself; what was discarded stays so
        elif (footage_file.size, footage_file.modified_at) != (listed["size"], file.modified):
            source.footage_files.filter(pk=footage_file.pk, state=footage_file.state).update(
                state=state,
                fully_written=fully_written,
                fetched_bytes=0,
                retry_count=0,
                retry_at=None,
                error=parsed.error,
                **listed,
                **meaning,
            )
        elif footage_file.state == FootageFile.State.DISCOVERED:
            if not footage_file.fully_written:
                unchanged.append(footage_file.pk)
            if any(getattr(footage_file, name) != value for name, value in meaning.items()):
                source.footage_files.filter(pk=footage_file.pk, state=FootageFile.State.DISCOVERED).update(**meaning)
    source.footage_files.filter(pk__in=unchanged, state=FootageFile.State.DISCOVERED).update(fully_written=True)
    FootageFile.objects.bulk_create(new.values(), ignore_conflicts=True)
    return len(new)
