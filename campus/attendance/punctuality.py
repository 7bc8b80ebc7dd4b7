"""Who was on time, by what of a lecture was watched at all: arithmetic."""

from collections.abc import Sequence

from campus.academics.models import Course
from campus.attendance.statuses import Status
from recognition.types import Interval

FULL_LECTURE_SECONDS = 3600.0  # seconds
SHORT_ABSENCE_SECONDS = 300.0  # seconds out of sight, in a full lecture, after which nobody has left yet


def limit_scale(duration: float) -> float:
    """How much of a class's seconds and minutes counts in a recording of `duration` seconds."""
    return min(duration / FULL_LECTURE_SECONDS, 1.0)


def judge_punctuality(
    course: Course, first: float, last: float, duration: float, unwatched: Sequence[Interval] = ()
) -> Status:
    """Present, late or left early, of a student seen from `first` to `last` second of a recording of `duration` seconds.

    The class's minutes count in proportion where the recording is shorter than an hour. Who came late and left early is late.
    `unwatched` is when the student could not be seen, in order and without overlap. Nobody is late who may have come while nobody
    watched, or left early who may have stayed then: it is enough to be seen soon after it, or until shortly before.
    """
    late, early = (
        course.late_minutes * 60 * limit_scale(duration),
        duration - course.early_minutes * 60 * limit_scale(duration),
    )
    for start, end in unwatched:
        soon = min(SHORT_ABSENCE_SECONDS * limit_scale(duration), end - start)
        if start <= late < end + soon:
            late = end + soon
        if start - soon < early <= end:
            early = start - soon
    if first > late:
        return Status.LATE
    return Status.LEFT_EARLY if last < early else Status.PRESENT
