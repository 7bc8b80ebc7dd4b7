"""What the page of a recording shows of its place in the lecture, and of what a person should check."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.db.models import Q
from django.utils import timezone

from campus.academics.models import Course, Lecture
from campus.academics.selectors import current_courses_for, lectures_for
from campus.accounts.roles import AnyUser
from campus.attendance.models import Sighting
from campus.attendance.recording_review import review_picture_times
from campus.attendance.snapshots import request_snapshot
from campus.common.messages import LocalizedMessage
from campus.recordings.models import Recording
from campus.recordings.review import review_messages
from campus.web.evidence import Frame, build_frame

OTHER_LECTURES_WITHIN = timedelta(days=14)
MAX_OTHER_LECTURES = 60
# When half of those who are recognised have come, the lecture may have begun. Worth saying if that is so long after the
# recording's start, and so many are recognised.
MIN_SUGGESTED_SECONDS = 120.0
MIN_SUGGESTING_STUDENTS = 4


@dataclass(frozen=True, kw_only=True)
class Place:
    """The recording as a bar over the lecture.

    `lecture_bar` and `recording_bar` are (x, width) as SVG attributes take them. `offset` is the recording's, and
    `first` and `last` are the range that it can be moved in, in seconds of the lecture. `suggested` is when the
    recording began if the lecture began as the room filled.
    """

    began: datetime
    ends: datetime
    lecture_bar: tuple[str, str]
    recording_bar: tuple[str, str]
    first: int
    last: int
    offset: int
    source: str
    is_assumed: bool
    suggested: datetime | None
    lecture: Lecture


def build_place(recording: Recording) -> Place | None:
    """None for a photo, for footage that was collected, and as long as the length is unknown."""
    if not recording.duration or recording.collected:
        return None
    lecture, duration = recording.lecture, recording.duration
    # As far to either side as the recording can be moved and still touch the lecture.
    first, last = min(-duration, recording.offset), max(lecture.length, recording.offset + duration)
    last = max(last, lecture.length + duration)

    def share(seconds: float) -> str:
        return f"{100 * seconds / (last - first):.3f}%"

    began = lecture.starts_at + timedelta(seconds=recording.offset)
    return Place(
        began=began,
        ends=began + timedelta(seconds=duration),
        lecture_bar=(share(-first), share(lecture.length)),
        recording_bar=(share(recording.offset - first), share(duration)),
        first=round(first),
        last=round(last - duration),
        offset=round(recording.offset),
        source=recording.get_offset_source_display(),
        is_assumed=recording.offset_source == Recording.OffsetSource.ASSUMED,
        suggested=_suggest_start(recording),
        lecture=lecture,
    )


def _suggest_start(recording: Recording) -> datetime | None:
    if recording.offset_source != Recording.OffsetSource.ASSUMED:
        return None
    seen = Sighting.objects.filter(recording=recording, present=True).values_list("intervals", flat=True)
    arrivals = sorted(intervals[0][0] for intervals in seen if intervals)
    if len(arrivals) < MIN_SUGGESTING_STUDENTS:
        return None
    filled = arrivals[len(arrivals) // 2]
    return recording.lecture.starts_at - timedelta(seconds=round(filled)) if filled > MIN_SUGGESTED_SECONDS else None


def offset_of_time(lecture: Lecture, began: time) -> float:
    """The second of the lecture at which it is `began` on the wall: of the three days around it, on the nearest."""
    day = timezone.localtime(lecture.starts_at).date()
    moments = [timezone.make_aware(datetime.combine(day + timedelta(days=days), began)) for days in (-1, 0, 1)]
    return min(((moment - lecture.starts_at).total_seconds() for moment in moments), key=abs)


@dataclass(frozen=True, kw_only=True)
class FittingCourse:
    course: Course
    students: int
    lecture: Lecture | None


@dataclass(frozen=True, kw_only=True)
class Review:
    reasons: list[LocalizedMessage]
    frames: list[Frame]
    fitting_courses: list[FittingCourse]

    @property
    def are_frames_pending(self) -> bool:
        return any(frame.state == "queued" for frame in self.frames)


def build_review(user: AnyUser, recording: Recording) -> Review:
    """Why a person should check the recording, with pictures, and the classes that it fits of those that the user may
    see. The caller has checked access to the recording."""
    courses = current_courses_for(user).in_bulk([course for course, _students in recording.fitting_courses])
    return Review(
        reasons=review_messages(recording),
        frames=[
            build_frame(request_snapshot(recording=recording, time=time), recording)
            for time in review_picture_times(recording)
        ],
        fitting_courses=[
            FittingCourse(course=courses[pk], students=students, lecture=_nearest_lecture(courses[pk], recording))
            for pk, students in recording.fitting_courses
            if pk in courses
        ],
    )


def _nearest_lecture(course: Course, recording: Recording) -> Lecture | None:
    began = recording.lecture.starts_at + timedelta(seconds=recording.offset)
    near = course.lectures.filter(
        starts_at__gte=began - OTHER_LECTURES_WITHIN, starts_at__lte=began + OTHER_LECTURES_WITHIN, cancelled=False
    )
    return min(near, key=lambda lecture: abs(lecture.starts_at - began), default=None)


def other_lectures(user: AnyUser, recording: Recording) -> Sequence[Lecture]:
    """The lectures that the recording may be moved to, by time."""
    lecture = recording.lecture
    near = lectures_for(user).filter(
        Q(course__in=current_courses_for(user)) | Q(course=lecture.course_id),
        starts_at__gte=lecture.starts_at - OTHER_LECTURES_WITHIN,
        starts_at__lte=lecture.starts_at + OTHER_LECTURES_WITHIN,
    )
    rows = near.exclude(pk=lecture.pk).select_related("course")
    nearest = sorted(rows, key=lambda row: abs(row.starts_at - lecture.starts_at))[:MAX_OTHER_LECTURES]
    return sorted(nearest, key=lambda row: row.starts_at)
