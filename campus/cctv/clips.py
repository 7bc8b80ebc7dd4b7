"""Which parts of stored footage files show a lecture, and the recordings, one per camera, that are made of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from campus.academics.models import Lecture
from campus.biometrics.selectors import embedder_in_use
from campus.cctv.lecture_matching import clashing_lecture, lectures_between
from campus.cctv.models import Camera, Collection, FootageFile
from campus.common import jobs
from campus.common.picture_settings import PICTURE_FIELDS
from campus.recordings.models import UNPROCESSED, Clip, Recording, Segment
from campus.recordings.segment_turns import publish_due_segments
from campus.recordings.selectors import GAP_TOLERANCE_SHARE, find_gaps, gap_tolerance, video_info
from recognition import types
from recognition.messages import Message
from recognition.types import Interval

MIN_SEGMENT_SECONDS = 1.0  # what a clip leaves of a segment is not worth processing if it is shorter
MAX_FILE_DURATION = timedelta(hours=12)
LATE_FOOTAGE_WAIT = timedelta(hours=1)  # if footage arrives after its lecture was given up, more is waited for so long


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPlan:
    """Seconds `start` to `end` of a footage file, which begin at second `recording_start` of the recording."""

    footage_file: FootageFile
    start: float
    end: float
    recording_start: float

    @property
    def recording_end(self) -> float:
        return self.recording_start + self.end - self.start


def plan_clips(
    footage_files: Iterable[FootageFile], lecture_starts_at: datetime, lecture_length: float
) -> list[ClipPlan]:
    """Lay one camera's files, given in any order, over a lecture of `lecture_length` seconds.

    Where several files show the same, the one that begins first is used; of two that begin together, the longer. Parts
    that are no longer than the tolerated gap are left out.
    """
    # Sorted by start, then the longest first; the key makes the order the same each time.
    spans = sorted(
        (
            (footage_file.starts_at - lecture_starts_at).total_seconds(),
            -float(footage_file.info.get("duration", 0)),
            str(footage_file.pk),
            footage_file,
        )
        for footage_file in footage_files
        if footage_file.starts_at
    )
    plans: list[ClipPlan] = []
    covered_until = 0.0
    for file_start, negative_duration, _pk, footage_file in spans:
        start, end = max(file_start, covered_until), min(file_start - negative_duration, lecture_length)
        if end - start > gap_tolerance(lecture_length):
            plans.append(
                ClipPlan(
                    footage_file=footage_file,
                    start=round(start - file_start, 3),
                    end=round(end - file_start, 3),
                    recording_start=round(start, 3),
                )
            )
            covered_until = end
    return plans


def lecture_seconds(lecture: Lecture) -> float:
    return (lecture.ends_at - lecture.starts_at).total_seconds()


def clip_plans_for(lecture: Lecture) -> dict[Camera | None, list[ClipPlan]]:
    """What each camera shows of the lecture: by room and time, or because a person assigned the file to it.

    Where two lectures are in the room at once, only assigned files count.
    """
    # A file that changed at its source has its old content until it is fetched anew, and still counts.
    stored = FootageFile.objects.exclude(file="").exclude(
        state__in=(FootageFile.State.DUPLICATE, FootageFile.State.FAILED, FootageFile.State.DISCARDED)
    )
    belongs = Q(lecture=lecture)
    if lecture.room_id and not lecture.cancelled and not clashing_lecture(lecture):
        belongs |= Q(lecture=None, camera__room=lecture.room_id)
    footage_files = stored.filter(
        belongs, starts_at__lt=lecture.ends_at, starts_at__gt=lecture.starts_at - MAX_FILE_DURATION
    )
    by_camera: dict[Camera | None, list[FootageFile]] = {}
    for footage_file in footage_files.select_related("camera__source"):
        by_camera.setdefault(footage_file.camera, []).append(footage_file)
    plans = {
        camera: plan_clips(files, lecture.starts_at, lecture_seconds(lecture)) for camera, files in by_camera.items()
    }
    return {camera: clips for camera, clips in plans.items() if clips}


def cameras_for_lecture(lecture: Lecture) -> QuerySet[Camera]:
    """The cameras of the lecture's room whose source is in use."""
    return Camera.objects.filter(room=lecture.room_id, source__enabled=True).select_related("source", "room")


def gaps_by_camera(
    lecture: Lecture, footage: Mapping[Camera | None, Sequence[ClipPlan]] | None = None
) -> dict[Camera, list[Interval]]:
    """When, in seconds of the lecture, a camera of its room shows nothing; without the cameras that show all of it."""
    footage = clip_plans_for(lecture) if footage is None else footage
    length = lecture_seconds(lecture)
    missing = {
        camera: find_gaps(((plan.recording_start, plan.recording_end) for plan in footage.get(camera, [])), length)
        for camera in cameras_for_lecture(lecture)
    }
    return {
        camera: gaps
        for camera, gaps in missing.items()
        if sum(end - start for start, end in gaps) > GAP_TOLERANCE_SHARE * length
    }


def lectures_shown_by(footage_file: FootageFile) -> QuerySet[Lecture]:
    """The lectures of which the footage file shows a part, or did before it changed."""
    has_clip = Q(recordings__clips__footage_file=footage_file)
    if footage_file.lecture_id:
        return Lecture.objects.filter(has_clip | Q(pk=footage_file.lecture_id)).distinct()
    if footage_file.starts_at is None or footage_file.camera is None:
        return Lecture.objects.filter(has_clip).distinct()
    ends = (
        footage_file.starts_at + timedelta(seconds=footage_file.info["duration"])
        if footage_file.info
        else footage_file.ends_at or footage_file.starts_at
    )
    in_room = lectures_between(footage_file.starts_at, ends).filter(room=footage_file.camera.room_id)
    return Lecture.objects.filter(has_clip | Q(pk__in=in_room.values("pk"))).distinct()


def update_lectures_shown_by(*, footage_file: FootageFile) -> None:
    """Give every lecture its part of a stored file. Call it in the transaction that stores or replaces the file."""
    for lecture in lectures_shown_by(footage_file).order_by("starts_at", "pk"):
        update_recordings_of(lecture=lecture)


@transaction.atomic
def fail_unreadable_file(*, footage_file: FootageFile, why: Message) -> None:
    """The stored file cannot be read: it fails, and its lectures do without it."""
    lectures = list(lectures_shown_by(footage_file))
    FootageFile.objects.filter(pk=footage_file.pk, state=FootageFile.State.STORED).update(
        state=FootageFile.State.FAILED, error=why
    )
    # In another state it is being fetched anew; the old content is of no use meanwhile.
    FootageFile.objects.filter(pk=footage_file.pk).exclude(state=FootageFile.State.FAILED).update(file="")
    for lecture in lectures:
        update_recordings_of(lecture=lecture)


def save_stream_choice(*, footage_file: FootageFile, info: types.VideoInfo) -> None:
    """Another video stream of the stored file counts from now on; it may be longer or shorter."""
    FootageFile.objects.filter(pk=footage_file.pk, sha256=footage_file.sha256).update(
        info=info.to_json(),
        ends_at=footage_file.starts_at and footage_file.starts_at + timedelta(seconds=info.duration),
    )


@transaction.atomic
def update_recordings_of(*, lecture: Lecture) -> None:
    """Make each camera's recording of the lecture from the stored footage: create, extend, change or empty it.

    Call it after each change of footage files or of the lecture; calling it again changes nothing. The ingest job does
    the rest. If all cameras of the room show the whole lecture, its collection is complete.
    """
    lecture = Lecture.objects.select_for_update().get(pk=lecture.pk)
    if lecture.recordings.filter(file="").exclude(footage_deleted_at=None).exists():
        return  # what it shows is deleted, as the retention rules say, and its result stays
    footage = clip_plans_for(lecture)
    recordings = {
        recording.camera: recording for recording in lecture.recordings.filter(file="").select_related("camera")
    }
    for camera in footage.keys() - recordings.keys():
        name = str(camera or footage[camera][0].footage_file.source)
        recordings[camera] = Recording.objects.create(lecture=lecture, camera=camera, original_name=name, size=0)
    outdated = [
        recording.pk
        for camera, recording in recordings.items()
        if _clips_of(recording) != _clips_planned(footage.get(camera, []))
    ]
    if outdated:
        changed = Recording.objects.filter(pk__in=outdated).exclude(state=Recording.State.CANCELLED)
        changed.update(
            state=Recording.State.UPLOADED,
            provisional=_wait_for_more(lecture),
            error="",
            error_detail="",
            finished_at=None,
            **jobs.RESET_FIELDS,
        )
        jobs.INGEST.request(*changed.values_list("pk", flat=True))
    if footage and not gaps_by_camera(lecture, footage):
        complete_lecture(lecture=lecture)


def _clips_of(recording: Recording) -> set[tuple[object, ...]]:
    return set(recording.clips.values_list("footage_file", "sha256", "start", "end", "recording_start"))


def _clips_planned(plans: Sequence[ClipPlan]) -> set[tuple[object, ...]]:
    return {
        (plan.footage_file.pk, plan.footage_file.sha256, plan.start, plan.end, plan.recording_start) for plan in plans
    }


def _wait_for_more(lecture: Lecture) -> bool:
    """Wait for more footage now that some has come, unless the collection is closed; returns whether it is open."""
    now = timezone.now()
    hours = cameras_for_lecture(lecture).aggregate(longest=Max("source__deadline_hours"))["longest"] or 0
    deadline = max(lecture.ends_at + timedelta(hours=hours), now + LATE_FOOTAGE_WAIT)
    collecting = {"state": Collection.State.COLLECTING, "deadline_at": deadline, "next_check_at": now}
    collection, _created = Collection.objects.get_or_create(lecture=lecture, defaults=collecting)
    if collection.state in (Collection.State.WAITING, Collection.State.MISSING):
        Collection.objects.filter(pk=collection.pk).update(**collecting, finished_at=None)
        return True
    return collection.state in Collection.OPEN_STATES


@transaction.atomic
def complete_lecture(*, lecture: Lecture) -> None:
    """Finalize attendance from the footage there is; no more is waited for. Calling it again changes nothing."""
    Collection.objects.filter(lecture=lecture, state__in=Collection.OPEN_STATES).update(
        state=Collection.State.COMPLETE, finished_at=timezone.now()
    )
    provisional = list(Recording.objects.filter(lecture=lecture, provisional=True).values_list("pk", flat=True))
    Recording.objects.filter(pk__in=provisional).update(provisional=False)
    processed = Recording.objects.filter(
        pk__in=provisional,
        state__in=(Recording.State.DONE, Recording.State.NEEDS_REVIEW, Recording.State.AGGREGATING),
    )
    processed_pks = list(processed.values_list("pk", flat=True))
    processed.update(state=Recording.State.AGGREGATING, **jobs.RESET_FIELDS)
    jobs.AGGREGATE.request(*processed_pks)


def save_recording_clips(
    *,
    recording: Recording,
    clip_plans: Sequence[ClipPlan],
    file_segments: Mapping[FootageFile, Sequence[types.Segment]],
) -> bool:
    """Give the recording these clips and their segments; `file_segments` are the segments of each whole footage file.

    Segments that were processed and still fit are kept, unless the camera's picture settings have changed. False, and
    nothing is changed: this attempt lost its lease, or the footage changed meanwhile.
    """
    was_changed = recording.camera is not None and not recording.has_same_picture_as(recording.camera)
    if recording.camera:
        recording.copy_picture_settings(recording.camera)
    length = lecture_seconds(recording.lecture)
    done = recording.segments.filter(state=Segment.State.DONE).exclude(result="")
    size = sum(
        plan.footage_file.size * (plan.end - plan.start) / plan.footage_file.info["duration"] for plan in clip_plans
    )
    info = recording.adjust_picture(video_info(clip_plans[0].footage_file))
    with transaction.atomic():
        if not jobs.finish(
            recording,
            Recording.State.PROCESSING,
            info=replace(info, duration=length).to_json(),
            size=round(size),
            duration=length,
            embedder=recording.embedder
            if done.exists() and not was_changed
            else embedder_in_use(recording.lecture.course),
            planned_at=timezone.now(),
            attempts=0,
            published_at=None,
            **{name: getattr(recording, name) for name in PICTURE_FIELDS},
        ):
            return False
        if was_changed:
            recording.segments.all().delete()
        clips = _save_clips(recording, clip_plans)
        _save_segments(recording, [(clip, file_segments[clip.footage_file]) for clip in clips])
    return True


def _save_clips(recording: Recording, plans: Sequence[ClipPlan]) -> list[Clip]:
    """A clip is kept, with what was seen in it, as long as its file and its place in the lecture stay the same."""
    plan_by_file = {plan.footage_file: plan for plan in plans}
    kept: dict[FootageFile, Clip] = {}
    for clip in recording.clips.select_related("footage_file"):
        plan = plan_by_file.get(clip.footage_file)
        if plan and clip.sha256 == plan.footage_file.sha256 and _is_in_place(clip, plan):
            kept[clip.footage_file] = clip
        else:
            clip.delete()
    saved = []
    for footage_file, plan in plan_by_file.items():
        clip = kept.get(footage_file) or Clip(
            recording=recording, footage_file=footage_file, sha256=footage_file.sha256
        )
        clip.start, clip.end, clip.recording_start = plan.start, plan.end, plan.recording_start
        clip.save()
        saved.append(clip)
    return saved


def _is_in_place(clip: Clip, plan: ClipPlan) -> bool:
    """Whether the file lies where it lay in the lecture; the clip may have become longer or shorter."""
    return abs((clip.recording_start - clip.start) - (plan.recording_start - plan.start)) < 0.01


def _save_segments(recording: Recording, planned: Sequence[tuple[Clip, Sequence[types.Segment]]]) -> None:
    """Cut the segments of the files to the clips. Existing segments that still fit stay; the others are replaced."""
    wanted: dict[tuple[int, float, float], Clip] = {}
    for clip, segments in planned:
        file_start = clip.recording_start - clip.start
        for segment in segments:
            start, end = max(segment.start, clip.start), min(segment.end, clip.end)
            if end - start >= min(MIN_SEGMENT_SECONDS, clip.end - clip.start):
                wanted[clip.pk, round(file_start + start, 3), round(file_start + end, 3)] = clip
    for existing in recording.segments.all():
        if (existing.clip_id, existing.start, existing.end) in wanted:
            del wanted[existing.clip_id, existing.start, existing.end]  # type: ignore[arg-type]
        else:
            existing.delete()
    # Segments whose result has expired are processed again.
    recording.segments.filter(state=Segment.State.DONE, result="").update(**UNPROCESSED)
    last = recording.segments.aggregate(last=Max("index"))["last"]
    first_index = 0 if last is None else last + 1
    by_start = sorted(wanted.items(), key=lambda item: item[0][1])
    Segment.objects.bulk_create(
        Segment(recording=recording, clip=clip, index=index, start=start, end=end)
        for index, ((_pk, start, end), clip) in enumerate(by_start, start=first_index)
    )
    transaction.on_commit(publish_due_segments, robust=True)
