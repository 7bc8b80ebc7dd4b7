"""All segments are over: vote, and write rows and workbook. One attempt does all of it or nothing."""

from pathlib import Path

from django.conf import settings
from django.db import transaction

from campus.academics.models import Lecture
from campus.academics.selectors import lecture_roster
from campus.attendance.collected import finish_collected_lecture
from campus.attendance.notifications import notify_recording_counted
from campus.attendance.proposals import save_attendance
from campus.attendance.reports import write_recording_report
from campus.attendance.selectors import identity_overrides
from campus.biometrics.models import Gallery
from campus.biometrics.selectors import embedder_in_use, gallery_of, queued_gallery
from campus.biometrics.services import gallery_discard, gallery_request
from campus.common import jobs
from campus.common.errors import UserError
from campus.recordings.models import Recording, Segment
from campus.recordings.selectors import coverage, gaps, looked_at, video_info
from campus.recordings.services import recording_counted, recording_restart
from recognition.errors import Cancelled, GalleryMismatch
from recognition.types import SegmentResult
from workers.leased_task import Postponed, leased_task

LEAST_COVERAGE = 0.5


@leased_task(jobs.AGGREGATE)
def aggregate(recording: Recording) -> None:
    from recognition.identification import gallery as galleries
    from recognition.identification.vote import VotePolicy, vote

    course = recording.lecture.course
    share, missing = looked_at(recording), gaps(recording)
    if share < LEAST_COVERAGE:
        raise UserError(
            "Only {share} of the recording could be looked at. {missing} Retry, or upload another copy.",
            share=f"{share:.0%}",
            missing=missing,
        )
    roster = [str(pk) for pk in lecture_roster(recording.lecture).values_list("pk", flat=True)]
    if not roster:
        raise UserError(
            "Nobody is enrolled in {course} on the lecture's day. Add students to the class, then take attendance again.",
            course=course,
        )
    row = trained(recording)
    results = load_tracks(recording)
    try:
        gallery = galleries.Gallery.load(Path(settings.MEDIA_ROOT, row.path), row.embedder, row.sha256)
    except GalleryMismatch as error:
        gallery_discard(gallery=row, error=error.message)
        gallery_request(course=course)
        raise RuntimeError("The gallery's file is damaged; another one is being made.") from error
    decisions = identity_overrides(recording)
    attendance = vote(
        results, gallery, roster, video_info(recording), VotePolicy(strictness=course.strictness), decisions
    )
    with transaction.atomic():
        Lecture.objects.select_for_update().get(
            pk=recording.lecture_id
        )  # before its recordings, as when a footage file comes
        if not recording_counted(
            recording=recording, gallery=row, strictness=course.strictness, coverage=coverage(recording), error=missing
        ):
            raise Cancelled("The recording was cancelled, or somebody else counted it.")
        save_attendance(recording=recording, attendance=attendance)
        if identity_overrides(recording) != decisions:
            raise Postponed  # somebody said whose face it is while the vote was on
        if recording.collected:
            finish_collected_lecture(lecture=recording.lecture)
        else:
            write_recording_report(recording=recording)
            notify_recording_counted(recording=recording)


def trained(recording: Recording) -> Gallery:
    """The gallery of the recording's embedder to compare with. Asks for a training where there is none; raises Postponed until
    that is done. Where the class has changed to another embedder since, and has no gallery of the first one, the recording is
    recognised again.
    """
    course = recording.lecture.course
    if queued_gallery(course, recording.embedder):
        raise Postponed
    gallery = gallery_of(course, recording.embedder)
    if gallery is None:
        if embedder_in_use(course) != recording.embedder and jobs.renew(recording):
            recording_restart(recording=recording, user=None)
            raise Cancelled("The class has another face model now; the recording is looked at again with it.")
        last = course.galleries.filter(embedder=recording.embedder).order_by("-created_at").first()
        if (
            last
            and last.state == Gallery.State.FAILED
            and recording.planned_at
            and last.created_at >= recording.planned_at
        ):
            raise UserError(last.error)
        gallery_request(course=course)
        raise Postponed
    return gallery


def load_tracks(recording: Recording) -> list[SegmentResult]:
    from recognition.tracking.result_file import load_segment_result

    done = recording.segments.filter(state=Segment.State.DONE).order_by("start", "index")
    return [load_segment_result(Path(settings.MEDIA_ROOT, segment.result)) for segment in done]
