"""Notices that attendance which was signed off has changed: the marks of the class are then compared soon."""

from typing import Any

from django.db.models.signals import post_save
from django.utils import timezone

from campus.attendance.models import AttendanceChange, SignOff
from campus.connections.models import CourseLink
from campus.connections.runs import request_marks


def watch_changes() -> None:
    """Connect the signal: whatever people change in a lecture's result is logged so."""
    post_save.connect(_note_change, sender=AttendanceChange, dispatch_uid="marks of connections")


def _note_change(*, instance: AttendanceChange, **_: Any) -> None:
    is_reopened = instance.kind == AttendanceChange.ChangeKind.REOPENED
    if not (is_reopened or SignOff.objects.filter(lecture=instance.lecture_id).exists()):
        return
    links = CourseLink.objects.filter(
        course__lectures=instance.lecture_id, sends_marks=True, connection__active=True, marks_changed_at=None
    )
    if pks := list(links.values_list("pk", flat=True)):
        CourseLink.objects.filter(pk__in=pks).update(marks_changed_at=timezone.now())
        request_marks(links=CourseLink.objects.filter(pk__in=pks))
