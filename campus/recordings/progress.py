"""How far the work on a recording is: computed here for pages, the API, lists of the administration and the
dashboard.
"""

import hashlib
import json
from typing import Any

from django.db.models import Case, F, FloatField, OuterRef, QuerySet, Subquery, Sum, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campus.academics.models import Student
from campus.biometrics.selectors import queued_gallery
from campus.recordings.models import Recording, Segment
from campus.recordings.selectors import OPEN_STATES, segment_length

SEGMENTS_SHARE = 0.95  # of the bar, once all segments are processed
VOTING_SHARE = 0.97  # of the bar, while attendance is being determined
MIN_ETA_SHARE = 0.02  # of the segments, before their pace says anything


def progress_share(state: str, processed: float | None) -> float:
    """How far (0 to 1) a recording in this state is. `processed`: the share of its length that is processed, None
    before it is planned.
    """
    match state:
        case Recording.State.DONE:
            return 1.0
        case Recording.State.AGGREGATING:
            return VOTING_SHARE
        case Recording.State.PROCESSING:
            return SEGMENTS_SHARE * (processed or 0.0)
    return 0.0


def with_processed_share(recordings: QuerySet[Recording]) -> QuerySet[Any]:
    """Each with `processed`: the share of its length whose segments are done or failed; None before it is planned."""
    length = Case(When(end=F("start"), then=Value(1.0)), default=F("end") - F("start"), output_field=FloatField())
    processed = Case(
        When(state=Segment.State.PENDING, then=length * F("progress")), default=length, output_field=FloatField()
    )
    segments = Segment.objects.filter(recording=OuterRef("pk")).order_by().values("recording")
    shares = segments.annotate(processed=Sum(processed) / Sum(length)).values("processed")
    return recordings.annotate(processed=Subquery(shares))


def progress_of(recording: Recording) -> dict[str, Any]:
    """How far a recording is, as JSON can hold it.

    Keys: state, state_label, step (a sentence, "" when nothing is in work), share (0 to 1), error, segments (each with
    index, start, end, state, running, progress, error), faces (how many were found so far), recognised_students (id
    and name of each student in the segments that are done, until the vote over all of them), eta_seconds (None if
    nobody can say yet).
    """
    segments = list(recording.segments.order_by("start", "index"))
    length = sum(segment_length(segment) for segment in segments)
    processed = sum(segment_length(segment) * _processed(segment) for segment in segments)
    return {
        "state": recording.state,
        "state_label": _state_label(recording, segments),
        "step": _describe_step(recording, segments),
        "share": progress_share(recording.state, processed / length if length else None),
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
        "recognised_students": _recognised_students(recording, segments),
        "eta_seconds": _eta_seconds(recording, segments, length - processed),
    }


def progress_etag(progress: dict[str, Any]) -> str:
    """Changes with what people notice: a state, a segment that starts or ends, a face, a whole percent."""
    segments = [segment | {"progress": None} for segment in progress["segments"]]
    noticed = progress | {"eta_seconds": None, "share": round(progress["share"], 2), "segments": segments}
    return hashlib.sha256(json.dumps(noticed, sort_keys=True).encode()).hexdigest()[:16]


def _processed(segment: Segment) -> float:
    return segment.progress if segment.state == Segment.State.PENDING else 1.0


def _state_label(recording: Recording, segments: list[Segment]) -> str:
    if recording.state == Recording.State.PROCESSING and not segments:
        return _("checking the file")
    if recording.state == Recording.State.AGGREGATING and queued_gallery(recording.lecture.course, recording.embedder):
        return _("waiting until the faces of the class are learnt")
    if recording.state == Recording.State.DONE and recording.provisional:
        return _("counted so far; more footage is awaited")
    return str(recording.get_state_display())


def _describe_step(recording: Recording, segments: list[Segment]) -> str:
    interrupted = [recording, *(segment for segment in segments if segment.state == Segment.State.PENDING)]
    for row in interrupted if recording.state in OPEN_STATES else ():
        if row.interrupted_at and row.error and not row.is_running:
            return _("The work is interrupted and goes on by itself. %(problem)s") % {"problem": row.error}
    if recording.state == Recording.State.UPLOADED:
        return _("The file waits to be checked. That begins by itself.")
    if recording.state == Recording.State.AGGREGATING:
        return _("All segments have been searched. Next all faces are compared with the photos of the class.")
    if recording.state != Recording.State.PROCESSING:
        return ""
    if not segments:
        return _("The file is being checked and divided into segments.")
    searched = sum(segment.state != Segment.State.PENDING for segment in segments)
    if not searched and not any(segment.is_running for segment in segments):
        return _("The segments wait to be searched for faces, behind others. That begins by itself.")
    return ngettext(
        "%(searched)s of %(n)s segment has been searched for faces.",
        "%(searched)s of %(n)s segments have been searched for faces.",
        len(segments),
    ) % {"searched": searched, "n": len(segments)}


def _recognised_students(recording: Recording, segments: list[Segment]) -> list[dict[str, Any]]:
    if recording.state not in OPEN_STATES:
        return []  # the vote has decided
    pks = {pk for segment in segments for pk in segment.recognised_students}
    students = Student.objects.filter(pk__in=pks).order_by("sort_key", "pk") if pks else ()
    return [{"id": student.pk, "name": student.name} for student in students]


def _eta_seconds(recording: Recording, segments: list[Segment], remaining_length: float) -> float | None:
    """Seconds until all segments are processed, by the pace since they were planned or retried."""
    planned_at = recording.planned_at
    if recording.state != Recording.State.PROCESSING or planned_at is None:
        return None
    # Segments that were done before a retry say nothing about the pace.
    current = [
        segment
        for segment in segments
        if segment.state == Segment.State.PENDING or (segment.finished_at or planned_at) > planned_at
    ]
    processed = sum(segment_length(segment) * segment.progress for segment in current)
    if processed <= MIN_ETA_SHARE * sum(segment_length(segment) for segment in current):
        return None
    return (timezone.now() - planned_at).total_seconds() * remaining_length / processed
