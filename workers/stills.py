"""The whole picture at a moment of a recording, for who looks at the evidence."""

from pathlib import Path

from campus.attendance.models import Still
from campus.attendance.services import still_finished
from campus.footage.selectors import video_info
from workers.attempt import work


@work("rollcall.still")
def cut_out(still: Still) -> None:
    from recognition.still import still as picture

    recording = still.recording
    still_finished(still=still, jpeg=picture(Path(recording.file.path), video_info(recording), still.time))
