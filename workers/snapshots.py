"""The whole picture at a moment of a recording, for who looks at the evidence."""

from campus.attendance.models import Snapshot
from campus.attendance.snapshots import finish_snapshot
from campus.recordings.selectors import place
from workers.leased_task import work


@work("rollcall.snapshot")
def cut_out(read_snapshot: Snapshot) -> None:
    from recognition.media.snapshot import read_snapshot as picture

    path, info, begins = place(read_snapshot.recording, read_snapshot.time)
    finish_snapshot(snapshot=read_snapshot, jpeg=picture(path, info, read_snapshot.time - begins))
