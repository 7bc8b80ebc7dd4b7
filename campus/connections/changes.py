"""Notices that attendance which was signed off has changed: the marks of the class are then compared soon."""

from typing import Any

from django.db.models import Q
from django.db.models.signals import post_delete, post_save
from django.utils import timezone

from campus.attendance.models import AttendanceChange, Excuse, SignOff
from campus.connections.models import CourseLink
from campus.connections.runs import request_marks


def watch_changes() -> None:
    """Connect the signals: whatever people change in a lecture's result is logged so, and excuses are rows."""
    post_save.connect(_note_change, sender=AttendanceChange, dispatch_uid="marks of connections")
    post_save.connect(_note_excuse, sender=Excuse, dispatch_uid="marks of connections, excuses")
    post_delete.connect(_note_excuse, sender=Excuse, dispatch_uid="marks of connections, excuses deleted")


def _note_change(*, instance: AttendanceChange, **_: Any) -> None:
    is_reopened = instance.kind == AttendanceChange.ChangeKind.REOPENED
    if is_reopened or SignOff.objects.filter(lecture=instance.lecture_id).exists():
        _compare_soon(Q(course__lectures=instance.lecture_id))


def _note_excuse(*, instance: Excuse, **_: Any) -> None:
    in_class = Q(course=instance.course_id) if instance.course_id else Q()
    _compare_soon(in_class & Q(course__enrolments__student=instance.student_id))


def _compare_soon(concerned: Q) -> None:
    """The time is always set anew: who compares now, and has read before this change, then does so again."""
    links = CourseLink.objects.filter(concerned, sends_marks=True, connection__active=True)
    if pks := list(links.values_list("pk", flat=True)):
        CourseLink.objects.filter(pk__in=pks).update(marks_changed_at=timezone.now())
        request_marks(links=CourseLink.objects.filter(pk__in=pks))
