"""What the pieces that are here show of a lecture: arithmetic first, then the recordings, one a camera, that follow from it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from campus.academics.models import Lecture
from campus.biometrics.selectors import embedder_in_use
from campus.cctv.matching import clash_of, lectures_between, room_of
from campus.cctv.models import Camera, Collection, Piece
from campus.common.jobs import WAITING, finish, request
from campus.recordings.models import ANEW, Cut, Recording, Segment
from campus.recordings.selectors import SEAM_SHARE, holes, seam
from recognition import types
from recognition.types import Interval

SHORTEST = 1.0  # seconds: what is left of a segment where a piece was cut is not worth a look below that
LONGEST = timedelta(hours=12)  # of a piece
GRACE = timedelta(hours=1)  # that more footage is waited for where some comes after it was given up

COMING = (Collection.State.WAITING, Collection.State.COLLECTING)


@dataclass(frozen=True, slots=True)
class Fit:
    """The seconds from `start` to `end` of a piece, at second `at` of the lecture."""

    piece: Piece
    start: float
    end: float
    at: float

    @property
    def until(self) -> float:
        return self.at + self.end - self.start


def fitted(pieces: Iterable[Piece], begins: datetime, length: float) -> list[Fit]:
    """One camera's pieces laid over a lecture of `length` seconds, in any order: what several show is taken from the one that
    began first, of two that began together from the longer. What is shorter than a seam is left out."""
    spans = sorted(
        ((piece.starts_at - begins).total_seconds(), -float(piece.info.get("duration", 0)), str(piece.pk), piece)
        for piece in pieces
        if piece.starts_at
    )
    fits: list[Fit] = []
    reached = 0.0
    for at, shorter, _, piece in spans:
        start, end = max(at, reached), min(at - shorter, length)
        if end - start > seam(length):
            fits.append(Fit(piece, round(start - at, 3), round(end - at, 3), round(start, 3)))
            reached = end
    return fits


def length_of(lecture: Lecture) -> float:
    return (lecture.ends_at - lecture.starts_at).total_seconds()


def footage_of(lecture: Lecture) -> dict[Camera | None, list[Fit]]:
    """What each camera shows of the lecture: by the room and the time, or because a person said so. Where two lectures are in the
    room at once, only a person can say it."""
    # One that changed at its source is here as it was, until it is fetched anew.
    here = Piece.objects.exclude(file="").exclude(
        state__in=(Piece.State.DOUBLE, Piece.State.FAILED, Piece.State.DISCARDED)
    )
    wanted = Q(lecture=lecture)
    if lecture.room.strip() and not lecture.cancelled and not clash_of(lecture):
        wanted |= Q(lecture=None, camera__room__name__iexact=lecture.room.strip())
    window = here.filter(wanted, starts_at__lt=lecture.ends_at, starts_at__gt=lecture.starts_at - LONGEST)
    pieces: dict[Camera | None, list[Piece]] = {}
    for piece in window.select_related("camera__source"):
        pieces.setdefault(piece.camera, []).append(piece)
    shown = {camera: fitted(its, lecture.starts_at, length_of(lecture)) for camera, its in pieces.items()}
    return {camera: fits for camera, fits in shown.items() if fits}


def cameras_of(lecture: Lecture) -> QuerySet[Camera]:
    """Those in use in the lecture's room."""
    return Camera.objects.filter(room__name__iexact=lecture.room.strip(), source__enabled=True).select_related(
        "source", "room"
    )


def uncovered(
    lecture: Lecture, footage: Mapping[Camera | None, Sequence[Fit]] | None = None
) -> dict[Camera, list[Interval]]:
    """When, in seconds of the lecture, which camera of its room shows nothing of it. Without the cameras that show all."""
    footage = footage_of(lecture) if footage is None else footage
    length = length_of(lecture)
    missing = {
        camera: holes(((fit.at, fit.until) for fit in footage.get(camera, [])), length)
        for camera in cameras_of(lecture)
    }
    return {
        camera: gaps
        for camera, gaps in missing.items()
        if sum(end - start for start, end in gaps) > SEAM_SHARE * length
    }


def lectures_of(piece: Piece) -> QuerySet[Lecture]:
    """The lectures that the piece shows something of, or did before it changed."""
    cut = Q(recordings__cuts__piece=piece)
    if piece.lecture_id:
        return Lecture.objects.filter(cut | Q(pk=piece.lecture_id)).distinct()
    if piece.starts_at is None or piece.camera is None:
        return Lecture.objects.filter(cut).distinct()
    ends = (
        piece.starts_at + timedelta(seconds=piece.info["duration"]) if piece.info else piece.ends_at or piece.starts_at
    )
    room = piece.camera.room.name.strip().casefold()
    there = [lecture.pk for lecture in lectures_between(piece.starts_at, ends) if room_of(lecture) == room]
    return Lecture.objects.filter(cut | Q(pk__in=there)).distinct()


def piece_arrived(*, piece: Piece) -> None:
    """The piece is here, or here anew: every lecture that it shows gets its part. To be called in the transaction that says so."""
    for lecture in lectures_of(piece).order_by("starts_at", "pk"):
        lecture_footage(lecture=lecture)


@transaction.atomic
def piece_unreadable(*, piece: Piece, why: str) -> None:
    """The piece is here, and nothing can be seen in it: its lectures do without."""
    lectures = list(lectures_of(piece))
    Piece.objects.filter(pk=piece.pk, state=Piece.State.HERE).update(state=Piece.State.FAILED, error=why)
    Piece.objects.filter(pk=piece.pk).exclude(state=Piece.State.FAILED).update(file="")  # being fetched anew
    for lecture in lectures:
        lecture_footage(lecture=lecture)


@transaction.atomic
def lecture_footage(*, lecture: Lecture) -> None:
    """Let the lecture have what the pieces that are here show of it: each camera's recording is made, extended, changed or emptied.

    To be called after each change of pieces, and of the lecture. Repeating it changes nothing. The worker of `rollcall.ingest`
    does the rest. Where all cameras of the room show all of the lecture, it is complete.
    """
    lecture = Lecture.objects.select_for_update().get(pk=lecture.pk)
    footage = footage_of(lecture)
    rows = {row.camera: row for row in lecture.recordings.filter(file="").select_related("camera")}
    for camera in footage.keys() - rows.keys():
        name = str(camera or footage[camera][0].piece.source)
        rows[camera] = Recording.objects.create(lecture=lecture, camera=camera, original_name=name, size=0)
    stale = [row.pk for camera, row in rows.items() if _written(row) != _wanted(footage.get(camera, []))]
    if stale:
        changed = Recording.objects.filter(pk__in=stale).exclude(state=Recording.State.CANCELLED)
        changed.update(
            state=Recording.State.UPLOADED,
            provisional=_coming(lecture),
            error="",
            error_detail="",
            finished_at=None,
            **WAITING,
        )
        request("rollcall.ingest", *changed.values_list("pk", flat=True))
    if footage and not uncovered(lecture, footage):
        lecture_complete(lecture=lecture)


def _written(recording: Recording) -> set[tuple[object, ...]]:
    return set(recording.cuts.values_list("piece", "sha256", "start", "end", "at"))


def _wanted(fits: Sequence[Fit]) -> set[tuple[object, ...]]:
    return {(fit.piece.pk, fit.piece.sha256, fit.start, fit.end, fit.at) for fit in fits}


def _coming(lecture: Lecture) -> bool:
    """Whether more footage is waited for now that some came."""
    now = timezone.now()
    hours = cameras_of(lecture).aggregate(most=Max("source__deadline_hours"))["most"] or 0
    deadline = max(lecture.ends_at + timedelta(hours=hours), now + GRACE)
    begun = {"state": Collection.State.COLLECTING, "deadline_at": deadline, "due_at": now}
    collection, _ = Collection.objects.get_or_create(lecture=lecture, defaults=begun)
    if collection.state in (Collection.State.WAITING, Collection.State.MISSING):
        Collection.objects.filter(pk=collection.pk).update(**begun, finished_at=None)
        return True
    return collection.state in COMING


@transaction.atomic
def lecture_complete(*, lecture: Lecture) -> None:
    """No more footage is waited for: what its recordings show is counted for good. Repeating it changes nothing."""
    Collection.objects.filter(lecture=lecture, state__in=COMING).update(
        state=Collection.State.COMPLETE, finished_at=timezone.now()
    )
    rows = list(Recording.objects.filter(lecture=lecture, provisional=True).values_list("pk", flat=True))
    Recording.objects.filter(pk__in=rows).update(provisional=False)
    counted = Recording.objects.filter(pk__in=rows, state__in=(Recording.State.DONE, Recording.State.AGGREGATING))
    again = list(counted.values_list("pk", flat=True))
    counted.update(state=Recording.State.AGGREGATING, **WAITING)
    request("rollcall.aggregate", *again)


# What the worker writes.


def recording_cut(*, recording: Recording, fits: Sequence[Fit], plans: Mapping[Piece, Sequence[types.Segment]]) -> bool:
    """The recording has these cuts; `plans` are the segments of each whole piece. What was looked at already and still fits stays.

    False, and nothing is changed: this attempt lost its lease, or the footage changed meanwhile.
    """
    length = length_of(recording.lecture)
    done = recording.segments.filter(state=Segment.State.DONE).exclude(result="")
    share = sum(fit.piece.size * (fit.end - fit.start) / fit.piece.info["duration"] for fit in fits)
    with transaction.atomic():
        if not finish(
            recording,
            Recording.State.PROCESSING,
            info=fits[0].piece.info | {"duration": length},
            size=round(share),
            duration=length,
            embedder=recording.embedder if done.exists() else embedder_in_use(recording.lecture.course),
            planned_at=timezone.now(),
            attempts=0,
            published_at=None,
        ):
            return False
        cuts = _cuts_written(recording, fits)
        _segments_written(recording, [(cut, plans[cut.piece]) for cut in cuts])
    return True


def _cuts_written(recording: Recording, fits: Sequence[Fit]) -> list[Cut]:
    """A cut whose bytes are others now, or lie elsewhere in the lecture, is another one: what was seen in it goes."""
    kept: dict[Piece, Cut] = {}
    wanted = {fit.piece: fit for fit in fits}
    for cut in recording.cuts.select_related("piece"):
        fit = wanted.get(cut.piece)
        if fit and cut.sha256 == fit.piece.sha256 and abs((cut.at - cut.start) - (fit.at - fit.start)) < 0.01:
            kept[cut.piece] = cut
        else:
            cut.delete()
    written = []
    for piece, fit in wanted.items():
        cut = kept.get(piece) or Cut(recording=recording, piece=piece, sha256=piece.sha256)
        cut.start, cut.end, cut.at = fit.start, fit.end, fit.at
        cut.save()
        written.append(cut)
    return written


def _segments_written(recording: Recording, planned: Sequence[tuple[Cut, Sequence[types.Segment]]]) -> None:
    """The parts of the pieces' segments that lie in the cuts."""
    wanted: dict[tuple[int, float, float], Cut] = {}
    for cut, segments in planned:
        for segment in segments:
            start, end = max(segment.start, cut.start), min(segment.end, cut.end)
            if end - start >= min(SHORTEST, cut.end - cut.start):
                place = cut.at - cut.start
                wanted[cut.pk, round(place + start, 3), round(place + end, 3)] = cut
    for row in recording.segments.all():
        if (row.cut_id, row.start, row.end) in wanted:
            del wanted[row.cut_id, row.start, row.end]  # type: ignore[arg-type]
        else:
            row.delete()
    # What was seen in them is deleted already.
    recording.segments.filter(state=Segment.State.DONE, result="").update(**ANEW)
    last = recording.segments.aggregate(last=Max("index"))["last"]
    first = 0 if last is None else last + 1
    Segment.objects.bulk_create(
        Segment(recording=recording, cut=cut, index=index, start=start, end=end)
        for index, ((_, start, end), cut) in enumerate(sorted(wanted.items(), key=lambda item: item[0][1]), start=first)
    )
    unasked = recording.segments.filter(state=Segment.State.PENDING, published_at=None)
    request("rollcall.recognise", *unasked.values_list("pk", flat=True))
