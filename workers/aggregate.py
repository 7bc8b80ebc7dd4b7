"""Votes once all segments of a recording are processed, and writes the attendance and the workbook."""

from campus.attendance.finalize import finalize_recording
from campus.common import jobs
from campus.recordings.models import Recording
from workers import vision
from workers.leased_task import leased_task


@leased_task(jobs.AGGREGATE)
def aggregate(recording: Recording) -> None:
    finalize_recording(recording=recording, vote=vision.vote)
