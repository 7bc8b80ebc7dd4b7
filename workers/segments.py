"""Processes one segment: detects and tracks its faces, and saves the tracks in a file of this attempt."""

import time
from dataclasses import replace

from django.conf import settings

from campus.attendance.finalize import load_present_gallery, preview_present_students
from campus.common import jobs
from campus.common.storage import delete_media, write_media
from campus.recordings.models import Segment
from campus.recordings.segment_turns import publish_due_segments
from campus.recordings.selectors import footage_at
from campus.recordings.services import finish_segment, save_segment_progress, start_due_votes, tracks_folder
from recognition import types
from recognition.errors import Cancelled
from workers import vision
from workers.leased_task import leased_task

PROGRESS_INTERVAL_SECONDS = 1.0


def publish_next(segment: Segment) -> None:
    publish_due_segments()
    start_due_votes(recording_id=segment.recording_id)


@leased_task(jobs.RECOGNISE, after=publish_next)
def recognise(segment: Segment) -> None:
    from recognition.pipeline import process_segment
    from recognition.tracking.result_file import dump_segment_result

    recording = segment.recording
    last_saved = float("-inf")

    def save_progress(share: float) -> None:
        nonlocal last_saved
        if time.monotonic() - last_saved >= PROGRESS_INTERVAL_SECONDS:
            if not save_segment_progress(segment=segment, share=share):
                raise Cancelled("The work was cancelled, or another worker does it.")
            last_saved = time.monotonic()

    gallery = load_present_gallery(recording)
    video, info, video_starts = footage_at(recording, segment.start)
    with vision.open_recording(video, info) as video_path:
        result = process_segment(
            video_path,
            replace(info, duration=recording.duration),
            types.Segment(segment.index, segment.start - video_starts, segment.end - video_starts),
            vision.embedder(recording.embedder),
            vision.detector(),
            gallery=gallery,
            sample_every=settings.SAMPLE_SECONDS,
            on_progress=save_progress,
        ).shift_times(video_starts)
    name = f"{tracks_folder(recording)}/{recording.run}-{segment.index}-{segment.lease_owner}.npz"
    write_media(name, dump_segment_result(result))
    finished = finish_segment(
        segment=segment,
        result=name,
        faces=result.faces,
        tracks=len(result.tracks),
        recognised_students=preview_present_students(
            recording=recording, result=result, gallery=gallery, vote=vision.vote
        ),
        light=result.light,
        motion=result.motion,
    )
    if not finished:
        delete_media(name)
