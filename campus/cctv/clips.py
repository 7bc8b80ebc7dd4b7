"""What the footage files that are here show of a lecture: arithmetic first, then the recordings, one a camera, that follow from it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from campus.academics.models import Lecture
from campus.biometrics.selectors import embedder_in_use
from campus.cctv.lecture_matching import clashing_lecture, lectures_between
from campus.cctv.models import Camera, Collection, FootageFile
from campus.common import jobs
from campus.recordings.models import UNPROCESSED, Clip, Recording, Segment
from campus.recordings.selectors import GAP_TOLERANCE_SHARE, find_gaps, gap_tolerance
from recognition import types
from recognition.messages import Message
from recognition.types import Interval

SHORTEST = 1.0  # seconds: what is left of a segment where a footage file was cut is not worth a look below that
LONGEST = timedelta(hours=12)  # of a footage file
GRACE = timedelta(hours=1)  # that more footage is waited for where some comes after it was given up


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPlan:
    """The seconds from `start` to `end` of a footage file, placed at second `recording_start` of the lecture."""

    footage_file: FootageFile
    start: float
    end: float
    recording_start: float

    @property
    def recording_end(self) -> float:
        return self.recording_start + self.end - self.start


def plan_clips(footage_files: Iterable[FootageFile], begins: datetime, length: float) -> list[ClipPlan]:
    """One camera's footage files laid over a lecture of `length` seconds, in any order: what several show is taken from the one that
    began first, of two that began together from the longer. What is shorter than a seam is left out."""
    spans = sorted(
        (
            (footage_file.starts_at - begins).total_seconds(),
            -float(footage_file.info.get("duration", 0)),
            str(footage_file.pk),
            footage_file,
        )
        for footage_file in footage_files
        if footage_file.starts_at
    )
    fits: list[ClipPlan] = []
    reached = 0.0
    for at, shorter, _, footage_file in spans:
        start, end = max(at, reached), min(at - shorter, length)
        if end - start > gap_tolerance(length):
            fits.append(
                ClipPlan(
                    footage_file=footage_file,
                    start=round(start - at, 3),
                    end=round(end - at, 3),
                    recording_start=round(start, 3),
                )
            )
            reached = end
    return fits


def lecture_seconds(lecture: Lecture) -> float:
    return (lecture.ends_at - lecture.starts_at).total_seconds()


def clip_plans_for(lecture: Lecture) -> dict[Camera | None, list[ClipPlan]]:
    """What each camera shows of the lecture: by the room and the time, or because a person said so. Where two lectures are in the
    room at once, only a person can say it."""
    # One that changed at its source is here as it was, until it is fetched anew.
    here = FootageFile.objects.exclude(file="").exclude(
        state__in=(FootageFile.State.DUPLICATE, FootageFile.State.FAILED, FootageFile.State.DISCARDED)
    )
    wanted = Q(lecture=lecture)
    if lecture.room_id and not lecture.cancelled and not clashing_lecture(lecture):
        wanted |= Q(lecture=None, camera__room=lecture.room_id)
    window = here.filter(wanted, starts_at__lt=lecture.ends_at, starts_at__gt=lecture.starts_at - LONGEST)
    footage_files: dict[Camera | None, list[FootageFile]] = {}
    for footage_file in window.select_related("camera__source"):
        footage_files.setdefault(footage_file.camera, []).append(footage_file)
    shown = {
        camera: plan_clips(its, lecture.starts_at, lecture_seconds(lecture)) for camera, its in footage_files.items()
    }
    return {camera: fits for camera, fits in shown.items() if fits}


def cameras_for_lecture(lecture: Lecture) -> QuerySet[Camera]:
    """Those in use in the lecture's room."""
    return Camera.objects.filter(room=lecture.room_id, source__enabled=True).select_related("source", "room")


def gaps_by_camera(
    lecture: Lecture, footage: Mapping[Camera | None, Sequence[ClipPlan]] | None = None
) -> dict[Camera, list[Interval]]:
    """When, in seconds of the lecture, which camera of its room shows nothing of it. Without the cameras that show all."""
    footage = clip_plans_for(lecture) if footage is None else footage
    length = lecture_seconds(lecture)
    missing = {
        camera: find_gaps(((fit.recording_start, fit.recording_end) for fit in footage.get(camera, [])), length)
        for camera in cameras_for_lecture(lecture)
    }
    return {
        camera: gaps
        for camera, gaps in missing.items()
        if sum(end - start for start, end in gaps) > GAP_TOLERANCE_SHARE * length
    }


def lectures_shown_by(footage_file: FootageFile) -> QuerySet[Lecture]:
    """The lectures that the footage file shows something of, or did before it changed."""
    clip = Q(recordings__clips__footage_file=footage_file)
    if footage_file.lecture_id:
        return Lecture.objects.filter(clip | Q(pk=footage_file.lecture_id)).distinct()
    if footage_file.starts_at is None or footage_file.camera is None:
        return Lecture.objects.filter(clip).distinct()
    ends = (
        footage_file.starts_at + timedelta(seconds=footage_file.info["duration"])
        if footage_file.info
        else footage_file.ends_at or footage_file.starts_at
    )
    in_room = lectures_between(footage_file.starts_at, ends).filter(room=footage_file.camera.room_id)
    return Lecture.objects.filter(clip | Q(pk__in=in_room.values("pk"))).distinct()


def update_lectures_shown_by(*, footage_file: FootageFile) -> None:
    """The footage file is here, or here anew: every lecture that it shows gets its part. To be called in the transaction that says so."""
    for lecture in lectures_shown_by(footage_file).order_by("starts_at", "pk"):
        update_recordings_of(lecture=lecture)


@transaction.atomic
def fail_unreadable_file(*, footage_file: FootageFile, why: Message) -> None:
    """The footage file is here, and nothing can be seen in it: its lectures do without."""
    lectures = list(lectures_shown_by(footage_file))
    FootageFile.objects.filter(pk=footage_file.pk, state=FootageFile.State.STORED).update(
        state=FootageFile.State.FAILED, error=why
    )
    FootageFile.objects.filter(pk=footage_file.pk).exclude(state=FootageFile.State.FAILED).update(
        file=""
    )  # being fetched anew
    for lecture in lectures:
        update_recordings_of(lecture=lecture)


@transaction.atomic
def update_recordings_of(*, lecture: Lecture) -> None:
    """Let the lecture have what the footage files that are here show of it: each camera's recording is made, extended, changed or emptied.

    To be called after each change of footage files, and of the lecture. Repeating it changes nothing. The worker of `rollcall.ingest`
    does the rest. Where all cameras of the room show all of the lecture, it is complete.
    """
    lecture = Lecture.objects.select_for_update().get(pk=lecture.pk)
    footage = clip_plans_for(lecture)
    rows = {row.camera: row for row in lecture.recordings.filter(file="").select_related("camera")}
    for camera in footage.keys() - rows.keys():
        name = str(camera or footage[camera][0].footage_file.source)
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
            **jobs.RESET_FIELDS,
        )
        jobs.INGEST.request(*changed.values_list("pk", flat=True))
    if footage and not gaps_by_camera(lecture, footage):
        complete_lecture(lecture=lecture)


def _written(recording: Recording) -> set[tuple[object, ...]]:
    return set(recording.clips.values_list("footage_file", "sha256", "start", "end", "recording_start"))


def _wanted(fits: Sequence[ClipPlan]) -> set[tuple[object, ...]]:
    return {(fit.footage_file.pk, fit.footage_file.sha256, fit.start, fit.end, fit.recording_start) for fit in fits}


def _coming(lecture: Lecture) -> bool:
    """Whether more footage is waited for now that some came."""
    now = timezone.now()
    hours = cameras_for_lecture(lecture).aggregate(most=Max("source__deadline_hours"))["most"] or 0
    deadline = max(lecture.ends_at + timedelta(hours=hours), now + GRACE)
    begun = {"state": Collection.State.COLLECTING, "deadline_at": deadline, "next_check_at": now}
    collection, _ = Collection.objects.get_or_create(lecture=lecture, defaults=begun)
    if collection.state in (Collection.State.WAITING, Collection.State.MISSING):
        Collection.objects.filter(pk=collection.pk).update(**begun, finished_at=None)
        return True
    return collection.state in Collection.OPEN_STATES


@transaction.atomic
def complete_lecture(*, lecture: Lecture) -> None:
    """No more footage is waited for: what its recordings show is counted for good. Repeating it changes nothing."""
    Collection.objects.filter(lecture=lecture, state__in=Collection.OPEN_STATES).update(
        state=Collection.State.COMPLETE, finished_at=timezone.now()
    )
    rows = list(Recording.objects.filter(lecture=lecture, provisional=True).values_list("pk", flat=True))
    Recording.objects.filter(pk__in=rows).update(provisional=False)
    counted = Recording.objects.filter(pk__in=rows, state__in=(Recording.State.DONE, Recording.State.AGGREGATING))
    again = list(counted.values_list("pk", flat=True))
    counted.update(state=Recording.State.AGGREGATING, **jobs.RESET_FIELDS)
    jobs.AGGREGATE.request(*again)


# What the worker writes.


def save_recording_clips(
    *, recording: Recording, fits: Sequence[ClipPlan], plans: Mapping[FootageFile, Sequence[types.Segment]]
) -> bool:
    """The recording has these clips; `plans` are the segments of each whole footage file. What was looked at already and still fits stays.

    False, and nothing is changed: this attempt lost its lease, or the footage changed meanwhile.
    """
    length = lecture_seconds(recording.lecture)
    done = recording.segments.filter(state=Segment.State.DONE).exclude(result="")
    share = sum(fit.footage_file.size * (fit.end - fit.start) / fit.footage_file.info["duration"] for fit in fits)
    with transaction.atomic():
        if not jobs.finish(
            recording,
            Recording.State.PROCESSING,
            info=fits[0].footage_file.info | {"duration": length},
            size=round(share),
            duration=length,
            embedder=recording.embedder if done.exists() else embedder_in_use(recording.lecture.course),
            planned_at=timezone.now(),
            attempts=0,
            published_at=None,
        ):
            return False
        clips = _clips_written(recording, fits)
        _segments_written(recording, [(clip, plans[clip.footage_file]) for clip in clips])
    return True


def _clips_written(recording: Recording, fits: Sequence[ClipPlan]) -> list[Clip]:
    """A cut whose bytes are others now, or lie elsewhere in the lecture, is another one: what was seen in it goes."""
    kept: dict[FootageFile, Clip] = {}
    wanted = {fit.footage_file: fit for fit in fits}
    for clip in recording.clips.select_related("footage_file"):
        fit = wanted.get(clip.footage_file)
        if (
            fit
            and clip.sha256 == fit.footage_file.sha256
            and abs((clip.recording_start - clip.start) - (fit.recording_start - fit.start)) < 0.01
        ):
            kept[clip.footage_file] = clip
        else:
            clip.delete()
    written = []
    for footage_file, fit in wanted.items():
        clip = kept.get(footage_file) or Clip(
            recording=recording, footage_file=footage_file, sha256=footage_file.sha256
        )
        clip.start, clip.end, clip.recording_start = fit.start, fit.end, fit.recording_start
        clip.save()
        written.append(clip)
    return written


def _segments_written(recording: Recording, planned: Sequence[tuple[Clip, Sequence[types.Segment]]]) -> None:
    """The parts of the footage files' segments that lie in the clips."""
    wanted: dict[tuple[int, float, float], Clip] = {}
    for clip, segments in planned:
        for segment in segments:
            start, end = max(segment.start, clip.start), min(segment.end, clip.end)
            if end - start >= min(SHORTEST, clip.end - clip.start):
                place = clip.recording_start - clip.start
                wanted[clip.pk, round(place + start, 3), round(place + end, 3)] = clip
    for row in recording.segments.all():
        if (row.clip_id, row.start, row.end) in wanted:
            del wanted[row.clip_id, row.start, row.end]  # type: ignore[arg-type]
        else:
            row.delete()
    # What was seen in them is deleted already.
    recording.segments.filter(state=Segment.State.DONE, result="").update(**UNPROCESSED)
    last = recording.segments.aggregate(last=Max("index"))["last"]
    first = 0 if last is None else last + 1
    Segment.objects.bulk_create(
        Segment(recording=recording, clip=clip, index=index, start=start, end=end)
        for index, ((_, start, end), clip) in enumerate(
            sorted(wanted.items(), key=lambda item: item[0][1]), start=first
        )
    )
    unasked = recording.segments.filter(state=Segment.State.PENDING, published_at=None)
    jobs.RECOGNISE.request(*unasked.values_list("pk", flat=True))
