"""Who was on time: arithmetic over what of a lecture was watched at all."""

from collections.abc import Sequence

from campus.academics.models import Course
from campus.attendance.statuses import Status
from campus.footage.selectors import holes
from recognition.types import Interval

FULL_LECTURE = 3600.0  # seconds
NOT_GONE = 300.0  # seconds out of sight, in a full lecture, after which nobody has left yet


def proportion(duration: float) -> float:
    """How much of a class's seconds and minutes counts in a recording of `duration` seconds."""
    return min(duration / FULL_LECTURE, 1.0)


def machine_status(course: Course, first: float, last: float, duration: float, watched: Sequence[Interval] = ()) -> Status:
    """Present, late or left early, of a student seen from `first` to `last` second of a recording of `duration` seconds.

    The class's minutes count in proportion where the recording is shorter than an hour. Who came late and left early is late.
    `watched` is what was looked at (in order, without overlap; all where it is empty). Nobody is late who may have come before
    the footage began, or left early who may have stayed after it ended: who is seen soon after or until shortly before is not.
    """
    late, early = course.late_minutes * 60 * proportion(duration), duration - course.early_minutes * 60 * proportion(duration)
    soon = NOT_GONE * proportion(duration)
    for start, end in holes(watched, duration) if watched else []:
        if start <= late < end:
            late = end + soon
        if start < early <= end:
            early = start - soon
    if first > late:
        return Status.LATE
    return Status.LEFT_EARLY if last < early else Status.PRESENT
