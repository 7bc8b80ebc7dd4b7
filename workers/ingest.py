"""An upload becomes a plan: what the file is, and the segments to look at."""

from pathlib import Path

from django.conf import settings

from campus.biometrics.selectors import gallery_is_due
from campus.biometrics.services import gallery_request
from campus.footage.models import Recording
from campus.footage.services import recording_planned
from campus.footage.uploads import upload_verify
from workers.attempt import work


@work("rollcall.ingest")
def ingest(recording: Recording) -> None:
    from recognition.video import plan, probe

    upload_verify(recording=recording)
    path = Path(recording.file.path)
    info = probe(path)
    segments = plan(path, info, settings.SEGMENT_SECONDS)
    course = recording.lecture.course
    if gallery_is_due(course):
        gallery_request(course=course)
    recording_planned(recording=recording, info=info, segments=segments)
