"""One segment: find and follow its faces, and keep the tracks in a file of this attempt."""

import logging
import time
from dataclasses import replace
from pathlib import Path

from django.conf import settings

from campus.academics.selectors import lecture_roster
from campus.biometrics.selectors import gallery_of
from campus.common import jobs
from campus.recordings.models import Recording, Segment
from campus.recordings.selectors import place, video_info
from campus.recordings.services import segment_finished, segment_progress, segments_settled, tracks_folder
from recognition import types
from recognition.errors import Cancelled, RecognitionError
from workers.leased_task import leased_task
from workers.vision import detector, embedder

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 1.0


def settled(segment: Segment) -> None:
    segments_settled(recording_id=segment.recording_id)


@leased_task(jobs.RECOGNISE, after=settled)
def recognise(segment: Segment) -> None:
    from recognition.pipeline import process_segment
    from recognition.tracking.result_file import save_segment_result

    recording = segment.recording
    written = float("-inf")

    def on_progress(share: float) -> None:
        nonlocal written
        if time.monotonic() - written >= PROGRESS_SECONDS:
            if not segment_progress(segment=segment, share=share):
                raise Cancelled("The work was cancelled, or somebody else does it.")
            written = time.monotonic()

    path, info, begins = place(recording, segment.start)
    result = process_segment(
        path,
        replace(info, duration=recording.duration),
        types.Segment(segment.index, segment.start - begins, segment.end - begins),
        embedder(recording.embedder),
        detector(),
        sample_every=settings.SAMPLE_EVERY,
        on_progress=on_progress,
    ).later(begins)
    path = tracks_folder(recording) / f"{recording.run}-{segment.index}-{segment.lease_owner}.npz"
    save_segment_result(path, result)
    name = str(path.relative_to(settings.MEDIA_ROOT))
    found = found_in(recording, result)
    if not segment_finished(
        segment=segment,
        result=name,
        faces=result.faces,
        tracks=len(result.tracks),
        found=found,
        light=result.light,
        motion=result.motion,
    ):
        path.unlink(missing_ok=True)


def found_in(recording: Recording, result: types.SegmentResult) -> list[int]:
    """The ids of the students whom this part alone shows, for those who watch the work. The vote over all parts decides."""
    from recognition.identification.gallery import Gallery
    from recognition.identification.vote import VotePolicy, vote

    lecture = recording.lecture
    row = gallery_of(lecture.course, recording.embedder)
    if row is None:
        return []  # the faces of the class are being learnt; the vote waits for that
    roster = [str(pk) for pk in lecture_roster(lecture).values_list("pk", flat=True)]
    try:
        gallery = Gallery.load(Path(settings.MEDIA_ROOT, row.path), row.embedder, row.sha256)
        attendance = vote(
            [result], gallery, roster, video_info(recording), VotePolicy(strictness=lecture.course.strictness)
        )
    except (RecognitionError, OSError) as error:
        log.warning("recording %s: nobody can be told before the vote: %s", recording.pk, error)
        return []
    return [int(presence.label) for presence in attendance.presences if presence.present]
