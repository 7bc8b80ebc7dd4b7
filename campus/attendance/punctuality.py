"""Who was on time, by what of a lecture was watched at all: arithmetic."""

from collections.abc import Sequence

from campus.academics.models import Course
from campus.attendance.statuses import Status
from recognition.types import Interval

FULL_LECTURE = 3600.0  # seconds
NOT_GONE = 300.0  # seconds out of sight, in a full lecture, after which nobody has left yet


def proportion(duration: float) -> float:
    """How much of a class's seconds and minutes counts in a recording of `duration` seconds."""
    return min(duration / FULL_LECTURE, 1.0)


def machine_status(
    course: Course, first: float, last: float, duration: float, unwatched: Sequence[Interval] = ()
) -> Status:
    """Present, late or left early, of a student seen from `first` to `last` second of a recording of `duration` seconds.

    The class's minutes count in proportion where the recording is shorter than an hour. Who came late and left early is late.
    `unwatched` is when the student could not be seen, in order and without overlap. Nobody is late who may have come while nobody
    watched, or left early who may have stayed then: it is enough to be seen soon after it, or until shortly before.
    """
    late, early = (
        course.late_minutes * 60 * proportion(duration),
        duration - course.early_minutes * 60 * proportion(duration),
    )
    for start, end in unwatched:
        soon = min(NOT_GONE * proportion(duration), end - start)
        if start <= late < end + soon:
            late = end + soon
        if start - soon < early <= end:
            early = start - soon
    if first > late:
        return Status.LATE
    return Status.LEFT_EARLY if last < early else Status.PRESENT
