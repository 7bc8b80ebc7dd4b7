"""The whole picture at a moment of a recording, for who looks at the evidence."""

from campus.attendance.models import Snapshot
from campus.attendance.snapshots import finish_snapshot
from campus.common import jobs
from campus.recordings.selectors import footage_at
from workers.leased_task import leased_task


@leased_task(jobs.SNAPSHOT)
def take_snapshot(snapshot: Snapshot) -> None:
    from recognition.media.snapshot import read_snapshot

    path, info, begins = footage_at(snapshot.recording, snapshot.time)
    finish_snapshot(snapshot=snapshot, jpeg=read_snapshot(path, info, snapshot.time - begins))
