"""The workers' part, by the services that they call."""

from campus.common import jobs
from campus.recordings.models import Recording, Segment
from campus.recordings.services import finish_segment, plan_recording, start_due_votes
from recognition.types import Segment as Part
from recognition.types import VideoInfo

INFO = VideoInfo(container="mp4", codec="mpeg4", width=64, height=64, rotation=0, fps=10, duration=180)


def plan(recording: Recording) -> None:
    """Three parts of a minute."""
    held = jobs.INGEST.claim(recording.pk, "planner")
    assert plan_recording(recording=held, info=INFO, segments=[Part(n, 60.0 * n, 60.0 * (n + 1)) for n in range(3)])


def take(recording: Recording, index: int) -> Segment:
    return jobs.RECOGNISE.claim(recording.segments.get(index=index).pk, f"worker {index}")


def end(segment: Segment, faces: int) -> None:
    assert finish_segment(segment=segment, result="", faces=faces, tracks=0)
    start_due_votes(recording_id=segment.recording_id)
