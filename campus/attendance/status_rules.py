"""Who was on time. Arithmetic only: it knows when a student was seen, and when nobody could be seen."""

from collections.abc import Sequence

from campus.academics.models import Course
from campus.attendance.statuses import Status
from recognition.types import Interval

FULL_LECTURE_SECONDS = 3600.0
# Out of sight for no longer than this, in a full lecture, a student has not left.
SHORT_ABSENCE_SECONDS = 300.0


def limit_scale(duration: float) -> float:
    """The factor for a class's limits in a recording of `duration` seconds: below 1 where it is shorter than a full
    lecture.
    """
    return min(duration / FULL_LECTURE_SECONDS, 1.0)


def min_present_seconds(course: Course, duration: float) -> float:
    """How long a student must be seen in `duration` seconds of recordings to be present."""
    if course.present_percent is not None:
        return duration * course.present_percent / 100
    return course.present_seconds * limit_scale(duration)


def status_from_times(
    course: Course, first: float, last: float, duration: float, unwatched: Sequence[Interval] = ()
) -> Status:
    """Present, late or left early, for a student seen from second `first` to second `last` of a recording of `duration`
    seconds.

    The class's limits are scaled down where the recording is shorter than an hour. Who came late and left early is
    late. `unwatched` has the intervals in which the student could not be seen, in order and without overlap. A student
    who may have arrived in such an interval is not late, and one who may have stayed through it did not leave early: it
    is enough to be seen soon after it, or until shortly before it.
    """
    scale = limit_scale(duration)
    latest_arrival = course.late_minutes * 60 * scale
    earliest_departure = duration - course.early_minutes * 60 * scale
    for start, end in unwatched:
        margin = min(SHORT_ABSENCE_SECONDS * scale, end - start)
        if start <= latest_arrival < end + margin:
            latest_arrival = end + margin
        if start - margin < earliest_departure <= end:
            earliest_departure = start - margin
    if first > latest_arrival:
        return Status.LATE
    return Status.LEFT_EARLY if last < earliest_departure else Status.PRESENT
