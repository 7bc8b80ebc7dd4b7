"""Saves the whole frame of a recording at one moment, as evidence."""

from campus.attendance.models import Snapshot
from campus.attendance.snapshots import finish_snapshot
from campus.common import jobs
from campus.recordings.selectors import footage_at
from workers.leased_task import leased_task


@leased_task(jobs.SNAPSHOT)
def take_snapshot(snapshot: Snapshot) -> None:
    from recognition.media.snapshot import read_snapshot

    path, info, video_starts = footage_at(snapshot.recording, snapshot.time)
    finish_snapshot(snapshot=snapshot, jpeg=read_snapshot(path, info, snapshot.time - video_starts))
