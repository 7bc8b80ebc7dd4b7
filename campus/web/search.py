"""What a search finds, as lines that lead to pages."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campus.academics.models import Course, Lecture, Room, Student
from campus.academics.search import find_courses, find_lectures, find_rooms, find_students
from campus.academics.selectors import with_enrolments_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    url: str
    name: str
    detail: str = ""
    cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What can be found: `find` gives the rows, `describe` makes a line of each."""

    name: str
    label: Promise
    find: Callable[[User, str], QuerySet[Any]]
    describe: Callable[[Any], Hit]


@dataclass(frozen=True, slots=True)
class Group:
    """The first hits of a kind, and whether there are others."""

    kind: Kind
    hits: list[Hit]
    has_more: bool


def search(user: User, text: str, *, limit: int) -> list[Group]:
    """At most `limit` hits of each kind that has any."""
    groups = []
    for kind in KINDS.values():
        rows = list(kind.find(user, text)[: limit + 1])
        if rows:
            groups.append(Group(kind, [kind.describe(row) for row in rows[:limit]], len(rows) > limit))
    return groups


def _describe_course(course: Course) -> Hit:
    detail = _("archived") if course.is_archived else ""
    return Hit(url=reverse("course", args=[course.pk]), name=str(course), detail=detail)


def _find_students(user: User, text: str) -> QuerySet[Student]:
    return with_enrolments_for(user, find_students(user, text))


def _describe_student(student: Any) -> Hit:
    codes = ", ".join(enrolment.course.code for enrolment in student.visible_enrolments)
    detail = f"{student.number} · {codes}" if codes else student.number
    return Hit(url=reverse("student", args=[student.pk]), name=student.name, detail=detail)


def _find_lectures(user: User, text: str) -> QuerySet[Lecture]:
    return find_lectures(user, text).select_related("course", "room")


def _describe_lecture(lecture: Lecture) -> Hit:
    starts, ends = timezone.localtime(lecture.starts_at), timezone.localtime(lecture.ends_at)
    when = f"{date_format(starts, _('D j M Y, H:i'))}\N{EN DASH}{time_format(ends, 'H:i')}"
    return Hit(
        url=reverse("lecture", args=[lecture.pk]),
        name=f"{lecture.course.code} {lecture.title or lecture.course.name}",
        detail=f"{when} · {lecture.room}" if lecture.room else when,
        cancelled=lecture.cancelled,
    )


def _describe_room(room: Room) -> Hit:
    return Hit(url=reverse("room", args=[room.pk]), name=room.name, detail=room.building)


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="classes",
            label=gettext_lazy("Classes"),
            find=find_courses,
            describe=_describe_course,
        ),
        Kind(
            name="students",
            label=gettext_lazy("Students"),
            find=_find_students,
            describe=_describe_student,
        ),
        Kind(
            name="lectures",
            label=gettext_lazy("Lectures"),
            find=_find_lectures,
            describe=_describe_lecture,
        ),
        Kind(
            name="rooms",
            label=gettext_lazy("Rooms"),
            find=find_rooms,
            describe=_describe_room,
        ),
    )
}
