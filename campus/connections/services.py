"""What people change of a connection and of its linked classes, and what exchanges keep in their settings."""

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from campus.academics.models import Course
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.connections.adapters import check_settings
from campus.connections.marks import withdraw_class_marks
from campus.connections.models import Connection, CourseLink
from campus.connections.runs import request_marks
from recognition.messages import Message


@transaction.atomic
def switch(*, connection: Connection, active: bool, user: User) -> None:
    """Switch it on or off: what waits is kept. Raises UserError where its settings are not complete."""
    if active:
        check_settings(connection)
    Connection.objects.filter(pk=connection.pk).update(active=active)
    record_event(
        user, Action.CHANGED_SETTINGS, about=f"connection {connection.pk} switched {'on' if active else 'off'}"
    )


@transaction.atomic
def remember(row: Connection | CourseLink, **values: object) -> None:
    """Keep this among the settings. Where somebody has changed them since the row was read, it is of what they were
    before, and is forgotten.
    """
    stored = type(row).objects.select_for_update().get(pk=row.pk)
    if stored.settings == row.settings and getattr(stored, "secret", "") == getattr(row, "secret", ""):
        stored.settings = {**row.settings, **values}
        stored.save(update_fields=["settings"])
    row.settings = {**row.settings, **values}


@transaction.atomic
def move_link(*, link: CourseLink, course: Course, user: User) -> None:
    """Link the course there with another class. Marks there become those of this class; those of students who are not
    in it are taken away. Raises UserError where no class is linked any more.
    """
    before = link.linked_course()
    CourseLink.objects.filter(pk=link.pk).update(
        course=course, question=Message(), marks_changed_at=timezone.now(), marks_tries=0, marks_due_at=None
    )
    for row in (before, course):
        record_event(user, Action.CHANGED_CLASS, course=row.pk, about=f"courselink {link.pk} moved")
    request_marks(links=CourseLink.objects.filter(pk=link.pk, sends_marks=True, connection__active=True))


@transaction.atomic
def unlink_class(*, link: CourseLink, user: User) -> None:
    """End the exchange of a class; its marks are taken away there."""
    record_event(user, Action.CHANGED_CLASS, course=link.course_id, about=f"courselink {link.pk} unlinked")
    withdraw_class_marks(link=link)
    request_marks(links=CourseLink.objects.filter(pk=link.pk, connection__active=True))


@transaction.atomic
def forget_link(*, link: CourseLink, user: User) -> None:
    """End the exchange of a class at once; its marks stay there as they are."""
    record_event(user, Action.CHANGED_CLASS, course=link.course_id, about=f"courselink {link.pk} unlinked, marks left")
    CourseLink.objects.filter(pk=link.pk).delete()
