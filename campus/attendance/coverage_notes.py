"""What a lecture's page says of how its attendance was counted: what no recording shows, and limits in proportion."""

from datetime import timedelta
from itertools import chain

from django.utils import timezone

from campus.academics.models import Lecture
from campus.attendance.selectors import watched_recordings
from campus.attendance.status_rules import FULL_LECTURE_SECONDS, limit_scale
from campus.common.intervals import merge_intervals
from campus.common.messages import LocalizedMessage, localize
from campus.recordings.selectors import find_gaps
from recognition.messages import Message, join_messages


def coverage_notes(lecture: Lecture) -> list[LocalizedMessage]:
    """Sentences for a lecture that was counted by videos; none for others."""
    watched = merge_intervals(chain.from_iterable(row.intervals for row in watched_recordings(lecture)))
    if not watched:
        return []
    notes = []
    if gaps := find_gaps(watched, lecture.length):
        times = join_messages(
            (
                Message("{start} to {end}", start=_clock(lecture, start), end=_clock(lecture, end))
                for start, end in gaps
            ),
            ", ",
        )
        message = Message(
            "No recording shows {times}: who may have come or left then is neither late nor left early.", times=times
        )
        notes.append(message)
    if lecture.length < FULL_LECTURE_SECONDS:
        scale, course = limit_scale(lecture.length), lecture.course
        message = Message(
            "The lecture is shorter than an hour, so the class's limits are in proportion: late after {late} minutes, "
            "left early before the last {early}.",
            late=f"{round(course.late_minutes * scale, 1):g}",
            early=f"{round(course.early_minutes * scale, 1):g}",
        )
        notes.append(message)
    return [localize(note) for note in notes]


def _clock(lecture: Lecture, second: float) -> str:
    return f"{timezone.localtime(lecture.starts_at + timedelta(seconds=second)):%H:%M}"
