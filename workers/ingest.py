"""An upload, or what cameras left, becomes a plan: what it is, and the segments to look at."""

from pathlib import Path

from django.conf import settings
from django.db import transaction

from campus.academics.models import Lecture
from campus.attendance.services import delete_recording
from campus.biometrics.selectors import needs_training
from campus.biometrics.services import request_training
from campus.cctv.clips import clip_plans_for, fail_unreadable_file, save_recording_clips
from campus.common import jobs
from campus.recordings.models import Recording
from campus.recordings.selectors import video_info
from campus.recordings.services import plan_recording, start_due_votes
from campus.recordings.uploads import verify_upload
from recognition.errors import Cancelled, RecognitionError
from workers.leased_task import leased_task


def settled(recording: Recording) -> None:
    start_due_votes(recording_id=recording.pk)


@leased_task(jobs.INGEST, after=settled)
def ingest(recording: Recording) -> None:
    from recognition.media.video import plan_segments, probe

    verify_upload(recording=recording)
    course = recording.lecture.course
    if needs_training(course):
        request_training(course=course)
    if recording.collected:
        join(recording)
        return
    path = Path(recording.file.path)
    info = probe(path)
    plan_recording(recording=recording, info=info, segments=plan_segments(path, info, settings.SEGMENT_SECONDS))


def join(recording: Recording) -> None:
    """The footage files of one camera, laid over the lecture. Where none is left, they were discarded or are another lecture's now."""
    from recognition.media.video import plan_segments

    fits = clip_plans_for(recording.lecture).get(recording.camera, [])
    if not fits:
        with transaction.atomic():
            lecture = Lecture.objects.select_for_update().get(pk=recording.lecture_id)
            if not clip_plans_for(lecture).get(recording.camera):
                delete_recording(recording=recording)
                return
        raise jobs.Postponed
    plans = {}
    for footage_file in (fit.footage_file for fit in fits):
        try:
            plans[footage_file] = plan_segments(
                Path(footage_file.file.path), video_info(footage_file), settings.SEGMENT_SECONDS
            )
        except RecognitionError as error:
            fail_unreadable_file(footage_file=footage_file, why=error.message)
            raise jobs.Postponed from error
    if not save_recording_clips(recording=recording, clip_plans=fits, file_segments=plans):
        raise Cancelled("More footage came meanwhile.")
