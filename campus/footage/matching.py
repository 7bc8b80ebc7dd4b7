"""From what a look at a source found to pieces of footage, and from room and time to the lectures that want them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import combinations, islice
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext as _

from campus.academics.models import Lecture
from campus.footage import patterns
from campus.footage.models import Camera, Collection, Piece, Source
from campus.work import WAITING, finish, request

KEPT = timedelta(days=14)  # footage of older lectures is not looked for
STILL = timedelta(minutes=2)  # since the last change: nobody writes into the file any more
LONGEST = timedelta(hours=4)  # that a file of which nobody knows the end is taken for
AGO = timedelta(days=1)  # no file begins longer before the lecture that it shows
SHORTEST = timedelta(seconds=5)  # of a lecture, for a file to be worth fetching
CLASH = timedelta(minutes=15)  # that two lectures may be in a room at once, by a generous timetable
REOPENED = timedelta(hours=1)  # that a lecture waits for more, once a file came late
AT_ONCE = 8  # files of a source that are asked for; the others wait for their turn
BATCH = 500


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that a source has: its path below the source's address, its size in bytes, and when it was changed, where that is known."""

    path: str
    size: int
    modified: datetime | None = None


def zone_of(source: Source) -> ZoneInfo:
    """The time zone of the times in its names."""
    return ZoneInfo(source.time_zone or settings.TIME_ZONE)


def days_to_look(source: Source, now: datetime) -> tuple[date, date]:
    """The first and the last day, in the source's time zone, whose files are looked for: of all lectures that wait for footage, and
    yesterday's and today's."""
    waiting = Collection.objects.filter(
        state__in=(Collection.State.WAITING, Collection.State.COLLECTING), lecture__room__in=source.cameras.values("room__name")
    )
    starts = waiting.filter(lecture__starts_at__gt=now - KEPT).order_by("lecture__starts_at").values_list("lecture__starts_at", flat=True)
    first = min(starts.first() or now, now - timedelta(days=1))
    # A file may have begun before its lecture, and the clock of the camera may be wrong.
    return (first - LONGEST).astimezone(zone_of(source)).date(), (now + timedelta(hours=1)).astimezone(zone_of(source)).date()


def source_looked(*, source: Source, files: Sequence[RemoteFile]) -> bool:
    """A look at a claimed source is over: write down what is new, and ask for what lectures want.

    False: this attempt lost its lease; what it found is kept nevertheless. Raises UserError where the pattern is wrong.
    """
    now = timezone.now()
    readings = iter(read_names(source, files))
    news = 0
    while batch := list(islice(readings, BATCH)):
        news += _keep(source, batch, now)
    facts = {"heard_at": now} if news else {}
    held = finish(source, Source.State.IDLE, looked_at=now, due_at=now + timedelta(minutes=source.look_minutes), tries=0, **facts)
    pieces_want(source=source)
    return held


@dataclass(slots=True)
class Reading:
    """What the name of a file says, by our clock, and which lectures it shows. `note` says why it is of no use by itself."""

    file: RemoteFile
    camera: Camera | None
    starts_at: datetime | None
    ends_at: datetime | None
    note: str = ""
    lectures: list[Lecture] = field(default_factory=list)


def read_names(source: Source, files: Iterable[RemoteFile]) -> list[Reading]:
    """The files whose names fit, by camera and time. Raises UserError where the pattern is wrong."""
    pattern, zone, offset = patterns.compile(source.pattern), zone_of(source), timedelta(seconds=source.clock_offset)
    cameras = {camera.label.casefold(): camera for camera in source.cameras.select_related("room")}
    by_room = {camera.room.name.casefold(): camera for camera in cameras.values()}
    readings = []
    for file in files:
        fields = pattern.match(file.path, zone)
        if fields is None:
            continue
        label = fields.label.casefold()
        camera = cameras.get(label) or by_room.get(label) or (next(iter(cameras.values())) if not label and len(cameras) == 1 else None)
        reading = Reading(file, camera, fields.starts and fields.starts - offset, fields.ends and fields.ends - offset)
        if reading.starts_at is None:
            reading.note = _("Its name says no time. Assign it to a lecture, or correct the source's path pattern.")
        elif camera is None:
            reading.note = _("The source has no camera called “%(label)s”.") % {"label": fields.label[:100]}
        readings.append(reading)
    readings.sort(key=lambda reading: (reading.camera.pk if reading.camera else 0, reading.starts_at or timezone.now(), reading.file.path))
    _likely_ends(readings)
    _say_which_lecture([reading for reading in readings if not reading.note])
    return readings


def _likely_ends(readings: list[Reading]) -> None:
    """Where the name does not say it, a file ends when it was last written, or when the camera's next one begins."""
    later: list[Reading | None] = [*readings[1:], None]
    for reading, follower in zip(readings, later, strict=True):
        if reading.starts_at is None or reading.ends_at is not None:
            continue
        ends = [reading.starts_at + LONGEST]
        if reading.file.modified and reading.file.modified > reading.starts_at:
            ends.append(reading.file.modified)
        if follower and follower.camera == reading.camera and follower.starts_at and follower.starts_at > reading.starts_at:
            ends.append(follower.starts_at)
        reading.ends_at = min(ends)


def _say_which_lecture(readings: list[Reading]) -> None:
    if not readings:
        return
    spans = [(reading, reading.camera, reading.starts_at, reading.ends_at) for reading in readings]
    first = min(starts for _reading, _camera, starts, _ends in spans if starts)
    last = max(ends for _reading, _camera, _starts, ends in spans if ends)
    rooms = {camera.room.name for _reading, camera, _starts, _ends in spans if camera}
    lectures = lectures_between(first, last).filter(room__in=rooms).select_related("course")
    by_room: dict[str, list[Lecture]] = {}
    for lecture in lectures:
        by_room.setdefault(lecture.room, []).append(lecture)
    for reading, camera, starts, ends in spans:
        if not (camera and starts and ends):
            continue
        in_room = by_room.get(camera.room.name, [])
        reading.lectures = [one for one in in_room if one.starts_at < ends - SHORTEST and one.ends_at > starts + SHORTEST]
        if not reading.lectures:
            reading.note = _("No lecture is in %(room)s then.") % {"room": camera.room.name}
        elif clash := next((pair for pair in combinations(reading.lectures, 2) if clashing(*pair)), None):
            reading.note = _("Two lectures are in the room then: %(one)s and %(other)s. Assign it to the right one.") % {
                "one": clash[0].course.code,
                "other": clash[1].course.code,
            }


def _keep(source: Source, readings: Sequence[Reading], now: datetime) -> int:
    """Write down what is new or has changed; returns how many are new."""
    known = {piece.path: piece for piece in source.pieces.filter(path__in=[reading.file.path for reading in readings])}
    new: dict[str, Piece] = {}
    settled = []
    for reading in readings:
        file, piece = reading.file, known.get(reading.file.path)
        still = file.modified is not None and file.modified <= now - STILL
        fresh = {"size": file.size, "modified_at": file.modified}
        read = {"camera": reading.camera, "starts_at": reading.starts_at, "ends_at": reading.ends_at, "note": reading.note[:300]}
        if piece is None:
            new[file.path] = Piece(source=source, path=file.path, settled=still, **fresh, **read)
        elif piece.state in (Piece.State.WANTED, Piece.State.DISCARDED):
            continue  # being fetched, which looks at the size itself; or of no interest
        elif (piece.size, piece.modified_at) != (file.size, file.modified):
            rows = source.pieces.filter(pk=piece.pk, state=piece.state)
            rows.update(state=Piece.State.FOUND, settled=still, offset=0, sha256="", tries=0, due_at=None, error="", **fresh, **read)
        elif piece.state == Piece.State.FOUND:
            if not piece.settled:
                settled.append(piece.pk)
            if any(getattr(piece, name) != value for name, value in read.items()):
                source.pieces.filter(pk=piece.pk, state=Piece.State.FOUND).update(**read)
    source.pieces.filter(pk__in=settled, state=Piece.State.FOUND).update(settled=True)
    Piece.objects.bulk_create(new.values(), ignore_conflicts=True)
    return len(new)


def lectures_between(starts_at: datetime, ends_at: datetime) -> QuerySet[Lecture]:
    """The lectures that take place at any moment between the two, by time."""
    return Lecture.objects.filter(cancelled=False, starts_at__lt=ends_at, ends_at__gt=starts_at).order_by("starts_at", "pk")


def clashing(one: Lecture, other: Lecture) -> bool:
    """Whether both are in one room for so long that nobody but a person can say whose footage it is."""
    together = min(one.ends_at, other.ends_at) - max(one.starts_at, other.starts_at)
    return one.room == other.room and together > min(CLASH, (one.ends_at - one.starts_at) / 2, (other.ends_at - other.starts_at) / 2)


def clash_of(lecture: Lecture) -> Lecture | None:
    """Another lecture that is in the room at the same time."""
    others = lectures_between(lecture.starts_at, lecture.ends_at).filter(room=lecture.room).exclude(pk=lecture.pk)
    return next((other for other in others.select_related("course") if clashing(lecture, other)), None)


def lectures_of(camera: Camera, starts_at: datetime, ends_at: datetime) -> list[Lecture]:
    """The lectures that a stretch of the camera's footage shows, by time; none of two that are in the room at once."""
    found = lectures_between(starts_at + SHORTEST, ends_at - SHORTEST).filter(room=camera.room.name).select_related("course")
    return [lecture for lecture in found if clash_of(lecture) is None]


def pieces_of(lecture: Lecture) -> QuerySet[Piece]:
    """What was seen of a lecture by the cameras of its room, discarded files and all."""
    return Piece.objects.filter(
        camera__room__name=lecture.room,
        starts_at__range=(lecture.starts_at - AGO, lecture.ends_at - SHORTEST),
        ends_at__gt=lecture.starts_at + SHORTEST,
    ).order_by("starts_at", "path")


def pieces_want(*, source: Source) -> int:
    """Ask for the files of the source that lectures want, the oldest lecture first, a few at a time; returns how many.

    A file that comes late opens its lecture's collection again.
    """
    now = timezone.now()
    turns = AT_ONCE - source.pieces.filter(state=Piece.State.WANTED).count()
    ready = source.pieces.filter(Q(state=Piece.State.FOUND, settled=True) | Q(state=Piece.State.LATER, due_at__lte=now))
    shows = ready.filter(
        camera__room__name=OuterRef("room"),
        starts_at__gt=OuterRef("starts_at") - AGO,
        starts_at__lt=OuterRef("ends_at") - SHORTEST,
        ends_at__gt=OuterRef("starts_at") + SHORTEST,
    )
    begun = Lecture.objects.filter(cancelled=False, starts_at__range=(now - KEPT, now), collection__isnull=False)
    wanting = begun.exclude(collection__state=Collection.State.OFF).filter(Exists(shows)).order_by("starts_at", "pk")
    lectures = (lecture for lecture in wanting.iterator() if turns > 0 and clash_of(lecture) is None)
    asked = 0
    for lecture in lectures:
        for pk in list(pieces_of(lecture).filter(pk__in=ready).values_list("pk", flat=True)[: turns - asked]):
            asked += _want(lecture, pk, now)
        if asked >= turns:
            break
    return asked


def _want(lecture: Lecture, pk: UUID, now: datetime) -> bool:
    collections = Collection.objects.filter(lecture=lecture)
    with transaction.atomic():
        fresh = Piece.objects.filter(pk=pk, state__in=(Piece.State.FOUND, Piece.State.LATER))
        if not fresh.update(state=Piece.State.WANTED, due_at=None, note="", error="", error_detail="", **WAITING):
            return False
        collections.filter(state=Collection.State.WAITING).update(state=Collection.State.COLLECTING)
        collections.filter(state__in=(Collection.State.COMPLETE, Collection.State.MISSING)).update(
            state=Collection.State.COLLECTING,
            due_at=now + REOPENED,
            deadline_at=Greatest("deadline_at", now + REOPENED),
            finished_at=None,
            note="",
        )
        request("rollcall.fetch", pk)
    return True
