"""Saves a whole frame of a recording: as evidence, or as a preview of a stream."""

from campus.attendance.models import Snapshot
from campus.attendance.snapshots import finish_snapshot
from campus.common import jobs
from campus.common.errors import UserError
from campus.recordings.selectors import footage_at
from workers.leased_task import leased_task


@leased_task(jobs.SNAPSHOT)
def take_snapshot(snapshot: Snapshot) -> None:
    from recognition.media.snapshot import read_preview, read_snapshot
    from recognition.media.video import probe

    path, info, video_starts = footage_at(snapshot.recording, snapshot.time)
    time = snapshot.time - video_starts
    if snapshot.stream > len(info.streams):
        raise UserError("The file has no such video stream.")
    if snapshot.stream:
        jpeg = read_preview(path, probe(path, stream=info.streams[snapshot.stream - 1]), time)
    else:
        jpeg = read_snapshot(path, info, time)
    finish_snapshot(snapshot=snapshot, jpeg=jpeg)
