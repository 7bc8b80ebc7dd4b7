"""The whole picture at a moment of a recording, for who looks at the evidence."""

from campus.attendance.models import Still
from campus.attendance.services import still_finished
from campus.recordings.selectors import place
from workers.leased_task import work


@work("rollcall.still")
def cut_out(still: Still) -> None:
    from recognition.media.snapshot import still as picture

    path, info, begins = place(still.recording, still.time)
    still_finished(still=still, jpeg=picture(path, info, still.time - begins))
