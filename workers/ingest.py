"""Probes an uploaded or collected recording, and plans its segments."""

from django.conf import settings
from django.db import transaction

from campus.academics.models import Lecture
from campus.attendance.services import delete_recording
from campus.attendance.snapshots import delete_snapshots_as_counted
from campus.biometrics.selectors import needs_training
from campus.biometrics.services import request_training
from campus.cctv.clips import clip_plans_for, fail_unreadable_file, save_recording_clips, save_stream_choice
from campus.cctv.models import FootageFile
from campus.common import jobs
from campus.common.storage import media
from campus.recordings.models import Recording
from campus.recordings.selectors import video_info
from campus.recordings.services import plan_recording, start_due_votes
from campus.recordings.uploads import verify_upload
from recognition.errors import Cancelled, RecognitionError
from workers import vision
from workers.leased_task import leased_task


def start_vote_if_complete(recording: Recording) -> None:
    start_due_votes(recording_id=recording.pk)


@leased_task(jobs.INGEST, after=start_vote_if_complete)
def ingest(recording: Recording) -> None:
    from recognition.media.video import plan_segments

    verify_upload(recording=recording)
    delete_snapshots_as_counted(recording=recording)
    course = recording.lecture.course
    if needs_training(course):
        request_training(course=course)
    if recording.collected:
        plan_collected_recording(recording)
        return
    with media().local_copy(str(recording.file.name)) as path:
        info = recording.adjust_picture(vision.probe(path, recording.stream))
        segments = plan_segments(path, info, settings.SEGMENT_SECONDS)
    plan_recording(recording=recording, info=info, segments=segments)


def plan_collected_recording(recording: Recording) -> None:
    """Place the footage files of the recording's camera on the lecture's timeline.

    If no file is left, because they were discarded or now belong to another lecture, the recording is deleted.
    """
    from recognition.media.video import plan_segments

    clip_plans = clip_plans_for(recording.lecture).get(recording.camera, [])
    if recording.camera and (recording.camera.stream or recording.stream):
        for clip_plan in clip_plans:
            choose_stream_again(clip_plan.footage_file, recording.camera.stream)
        clip_plans = clip_plans_for(recording.lecture).get(recording.camera, [])
    if not clip_plans:
        with transaction.atomic():
            lecture = Lecture.objects.select_for_update().get(pk=recording.lecture_id)
            if not clip_plans_for(lecture).get(recording.camera):
                delete_recording(recording=recording)
                return
        raise jobs.Postponed
    file_segments = {}
    for clip_plan in clip_plans:
        footage_file = clip_plan.footage_file
        try:
            with media().local_copy(str(footage_file.file.name)) as path:
                file_segments[footage_file] = plan_segments(path, video_info(footage_file), settings.SEGMENT_SECONDS)
        except RecognitionError as error:
            fail_unreadable_file(footage_file=footage_file, why=error.message)
            raise jobs.Postponed from error  # the next attempt does without this file
    if not save_recording_clips(recording=recording, clip_plans=clip_plans, file_segments=file_segments):
        raise Cancelled("More footage has arrived in the meantime.")


def choose_stream_again(footage_file: FootageFile, stream: int | None) -> None:
    """Read another of the file's video streams than so far, if it has several and the camera's setting asks for it."""
    info = video_info(footage_file)
    if info.other_streams and (stream is None or info.streams[stream - 1 :][:1] != (info.stream,)):
        with media().local_copy(str(footage_file.file.name)) as path:
            save_stream_choice(footage_file=footage_file, info=vision.probe(path, stream))
