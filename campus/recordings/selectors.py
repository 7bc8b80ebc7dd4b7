"""Which recordings a user may see, and how far one is."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from django.db.models import F, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from campus.academics.models import Student
from campus.academics.selectors import courses_for
from campus.accounts.roles import AnyUser
from campus.biometrics.selectors import queued_gallery
from campus.cctv.models import FootageFile
from campus.common.errors import UserError
from campus.common.intervals import merge_intervals
from campus.recordings.models import Recording, Segment, Upload
from recognition.messages import Message, join_messages
from recognition.types import Interval, VideoInfo

GAP_TOLERANCE_SECONDS = 5.0  # seconds
GAP_TOLERANCE_SHARE = 0.01  # of a lecture that is shorter; all seams together may be as much
OPEN_STATES = (Recording.State.UPLOADED, Recording.State.PROCESSING, Recording.State.AGGREGATING)


def recordings_for(user: AnyUser) -> QuerySet[Recording]:
    return Recording.objects.filter(lecture__course__in=courses_for(user))


def uploads_for(user: AnyUser) -> QuerySet[Upload]:
    """The user's own, for lectures that are still the user's: nobody goes on with another's upload."""
    return Upload.objects.filter(user=user.pk, lecture__course__in=courses_for(user))


def video_info(row: Recording | FootageFile) -> VideoInfo:
    """What the file is, as it was written down when it came."""
    values: dict[str, Any] = {field.name: row.info[field.name] for field in fields(VideoInfo)}
    started = values.pop("started_at")
    return VideoInfo(**values, started_at=datetime.fromisoformat(started) if started else None)


def progress_of(recording: Recording) -> dict[str, Any]:
    """How far a recording is.

    Keys: state, state_label, share (0..1), error, segments (each with index, start, end, state, running, progress, error),
    faces (how many were found so far), found (id and name of each student whom the parts that are done show, until the vote
    decides), eta_seconds (None where nobody can say yet).
    """
    segments = list(recording.segments.order_by("start", "index"))
    whole = sum(_weight(segment) for segment in segments)
    worked = sum(
        _weight(segment) * (segment.progress if segment.state == Segment.State.PENDING else 1.0) for segment in segments
    )
    share = {Recording.State.DONE: 1.0, Recording.State.AGGREGATING: 0.97}.get(Recording.State(recording.state), 0.0)
    if recording.state == Recording.State.PROCESSING and whole:
        share = 0.95 * worked / whole
    label = recording.get_state_display()
    if recording.state == Recording.State.AGGREGATING and queued_gallery(recording.lecture.course, recording.embedder):
        label = _("waiting until the faces of the class are learnt")
    if recording.state == Recording.State.DONE and recording.provisional:
        label = _("counted so far; more footage is awaited")
    ids = {student for segment in segments for student in segment.found} if recording.state in OPEN_STATES else set()
    students = Student.objects.filter(pk__in=ids).order_by("name", "pk").values("id", "name") if ids else []
    return {
        "state": recording.state,
        "state_label": str(label),
        "share": share,
        "error": str(recording.error),
        "segments": [
            {
                "index": segment.index,
                "start": segment.start,
                "end": segment.end,
                "state": segment.state,
                "running": segment.state == Segment.State.PENDING and segment.is_running,
                "progress": segment.progress,
                "error": str(segment.error),
            }
            for segment in segments
        ],
        "faces": sum(segment.faces for segment in segments),
        "found": list(students),
        "eta_seconds": _eta(recording, segments, whole - worked),
    }


def progress_etag(told: dict[str, Any]) -> str:
    """Another one for what is news to people: a state, a part that begins or ends, a face, a whole percent."""
    parts = [part | {"progress": None} for part in told["segments"]]
    news = told | {"eta_seconds": None, "share": round(told["share"], 2), "segments": parts}
    return hashlib.sha256(json.dumps(news, sort_keys=True).encode()).hexdigest()[:16]


def _eta(recording: Recording, segments: list[Segment], left: float) -> float | None:
    """Seconds until the parts are done, by the pace since they were planned, or since a retry. Parts from before don't count."""
    began = recording.planned_at
    if recording.state != Recording.State.PROCESSING or began is None:
        return None
    since = [
        segment
        for segment in segments
        if segment.state == Segment.State.PENDING or (segment.finished_at or began) > began
    ]
    worked = sum(_weight(segment) * segment.progress for segment in since)
    if worked <= 0.02 * sum(_weight(segment) for segment in since):
        return None
    return (timezone.now() - began).total_seconds() * left / worked


def _weight(segment: Segment) -> float:
    return (segment.end - segment.start) or 1.0  # a photo has no length


def processed_share(recording: Recording) -> float:
    """The share of what is here of the recording that could be looked at (0..1)."""
    segments = list(recording.segments.all())
    done = sum(_weight(segment) for segment in segments if segment.state == Segment.State.DONE)
    return done / sum(_weight(segment) for segment in segments) if segments else 0.0


def coverage(recording: Recording) -> float:
    """The share of the recording, of a collected one that of the lecture, that was looked at (0..1)."""
    if not recording.collected:
        return processed_share(recording)
    done = recording.segments.filter(state=Segment.State.DONE).aggregate(seconds=Sum(F("end") - F("start")))["seconds"]
    return min((done or 0.0) / recording.duration, 1.0)


def format_clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}"


def describe_gaps(recording: Recording) -> Message:
    """Names the segments that could not be looked at, and when there is no footage; empty where nothing is missing."""
    messages: list[Message] = []
    failed = list(recording.segments.filter(state=Segment.State.FAILED).order_by("start"))
    if failed:
        times = _times(merge_intervals((segment.start, segment.end) for segment in failed))
        messages += [Message("These parts could not be looked at: {times}.", times=times), failed[0].error]
    if recording.collected and not recording.provisional:
        shown = [(clip.at, clip.until) for clip in recording.clips.order_by("at")]
        if missing := find_gaps(shown, recording.duration):
            messages.append(Message("There is no footage of {times}.", times=_times(missing)))
    return join_messages(messages)


def _times(intervals: list[Interval]) -> Message:
    spans = (Message("{start} to {end}", start=format_clock(start), end=format_clock(end)) for start, end in intervals)
    return join_messages(spans, ", ")


def gap_tolerance(length: float) -> float:
    """Seconds that may be missing between two footage files of a lecture of `length` seconds, or lie in both, without a word."""
    return min(GAP_TOLERANCE_SECONDS, GAP_TOLERANCE_SHARE * length)


def find_gaps(covered: Iterable[Interval], length: float) -> list[Interval]:
    """What intervals, in order and without overlap, leave out of [0, length]; seams are no holes."""
    edges = [(0.0, 0.0), *covered, (length, length)]
    return [(before[1], after[0]) for before, after in pairwise(edges) if after[0] - before[1] > gap_tolerance(length)]


def footage_at(recording: Recording, second: float) -> tuple[Path, VideoInfo, float]:
    """The file that shows that second of the recording, what it is, and at which second of the recording it begins.

    Raises UserError where there is no footage of that moment.
    """
    if not recording.collected:
        return Path(recording.file.path), video_info(recording), 0.0
    clip = recording.clips.filter(at__lte=second).select_related("footage_file").order_by("-at").first()
    if clip is None or second > clip.until:
        raise UserError("There is no footage of that moment.")
    return Path(clip.footage_file.file.path), video_info(clip.footage_file), clip.at - clip.start
