"""Which lectures and which footage files belong together, by room and time."""

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from campus.academics.models import Lecture
from campus.cctv.models import FootageFile
from recognition.messages import Message

MAX_DURATION = timedelta(days=1)  # of a lecture, and of a file that shows one
MIN_OVERLAP = timedelta(seconds=5)  # of a file and a lecture, for the file to be worth fetching
MAX_ROOM_OVERLAP = timedelta(minutes=15)  # a generous timetable may have two lectures in one room for so long


def lectures_between(starts_at: datetime, ends_at: datetime) -> QuerySet[Lecture]:
    """The lectures that take place at any moment between the two, by time."""
    begun = Lecture.objects.filter(cancelled=False, starts_at__gt=starts_at - MAX_DURATION, starts_at__lt=ends_at)
    return begun.filter(ends_at__gt=starts_at).order_by("starts_at", "pk")


def is_clash(first: Lecture, second: Lecture) -> bool:
    """Whether both are in one room for so long that only a person can tell whose footage it is."""
    overlap = min(first.ends_at, second.ends_at) - max(first.starts_at, second.starts_at)
    shorter = min(first.ends_at - first.starts_at, second.ends_at - second.starts_at)
    same_room = first.room_id is not None and first.room_id == second.room_id
    return same_room and overlap > min(MAX_ROOM_OVERLAP, shorter / 2)


def clashing_lecture(lecture: Lecture) -> Lecture | None:
    """Another lecture that is in the room at the same time."""
    others = lectures_between(lecture.starts_at, lecture.ends_at).exclude(pk=lecture.pk).select_related("course")
    return next((other for other in others if is_clash(lecture, other)), None)


def describe_clash(first: Lecture, second: Lecture) -> Message:
    return Message(
        "Two lectures are in the room then: {one} and {other}. Assign the footage to the right one.",
        one=first.course.code,
        other=second.course.code,
    )


def recorded_during(lecture: Lecture) -> Q:
    """Footage files that were recorded while the lecture took place, at least for a moment."""
    return Q(
        starts_at__range=(lecture.starts_at - MAX_DURATION, lecture.ends_at - MIN_OVERLAP),
        ends_at__gt=lecture.starts_at + MIN_OVERLAP,
    )


def footage_files_for_lecture(lecture: Lecture) -> QuerySet[FootageFile]:
    """The files that the cameras of the lecture's room recorded during it, and those that a person assigned to it; by
    time."""
    belongs = Q(lecture=lecture)
    if lecture.room_id:
        belongs |= recorded_during(lecture) & Q(lecture=None, camera__room=lecture.room_id)
    return FootageFile.objects.filter(belongs).order_by("starts_at", "path")
