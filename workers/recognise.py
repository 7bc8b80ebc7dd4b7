"""One segment: find and follow its faces, and keep the tracks in a file of this attempt."""

import time
from pathlib import Path

from django.conf import settings

from campus.footage.models import Segment
from campus.footage.selectors import video_info
from campus.footage.services import segment_finished, segment_progress, segments_settled, tracks_folder
from recognition import types
from recognition.errors import Cancelled
from workers.attempt import work
from workers.vision import models, pipeline_settings

PROGRESS_SECONDS = 1.0


def settled(segment: Segment) -> None:
    segments_settled(recording_id=segment.recording_id)


@work("rollcall.recognise", after=settled)
def recognise(segment: Segment) -> None:
    from recognition.pipeline import recognise_segment
    from recognition.tracks_file import save

    recording = segment.recording
    written = float("-inf")

    def on_progress(share: float) -> None:
        nonlocal written
        if time.monotonic() - written >= PROGRESS_SECONDS:
            if not segment_progress(segment=segment, share=share):
                raise Cancelled("The work was cancelled, or somebody else does it.")
            written = time.monotonic()

    result = recognise_segment(
        Path(recording.file.path),
        video_info(recording),
        types.Segment(segment.index, segment.start, segment.end),
        models(recording.embedder),
        pipeline_settings(),
        on_progress,
    )
    path = tracks_folder(recording) / f"{recording.run}-{segment.index}-{segment.lease_owner}.npz"
    save(path, result)
    name = str(path.relative_to(settings.MEDIA_ROOT))
    if not segment_finished(segment=segment, result=name, faces=result.faces, tracks=len(result.tracks)):
        path.unlink(missing_ok=True)
