"""Private addresses of calendars."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from campus.academics.models import CalendarLink, Course, Lecture
from campus.academics.selectors import current_lectures_for
from campus.accounts.history import record_event
from campus.accounts.models import AccountEvent
from campus.accounts.roles import AnyUser, sees_everything
from campus.common.link_tokens import link_token, read_link_token

SALT = "rollcall.calendar-link"
NOTED = timedelta(hours=1)  # how exactly the last reading is known


def calendar_link_token(link: CalendarLink) -> str:
    return link_token(SALT, link.pk)


def calendar_links_for(user: AnyUser) -> QuerySet[CalendarLink]:
    """Each sees the own ones only, whatever the role."""
    return CalendarLink.objects.filter(user=user.pk).select_related("course").order_by("course__code", "created_at")


def covers_all_courses(user: User) -> bool:
    """Whether a link without a class is to all of them: for who sees all and teaches none, such as an auditor."""
    return sees_everything(user) and not Course.objects.filter(lecturers=user).exists()


def lectures_for_link(link: CalendarLink) -> QuerySet[Lecture]:
    """What the link's owner may see now, of classes that are not archived."""
    lectures = current_lectures_for(link.user)
    if link.course:
        return lectures.filter(course=link.course)
    return lectures if covers_all_courses(link.user) else lectures.filter(course__lecturers=link.user)


def renew_calendar_link(*, user: User, course: Course | None) -> CalendarLink:
    """A new address for the user's lectures, or for those of one class; the address before stops working."""
    with transaction.atomic():
        CalendarLink.objects.filter(user=user, course=course).delete()
        record_event(user=user, kind=AccountEvent.Kind.CALENDAR_LINK_CREATED, about=course.code if course else "")
        return CalendarLink.objects.create(user=user, course=course)


def delete_calendar_link(*, link: CalendarLink) -> None:
    """Calendars that used it show nothing new."""
    link.delete()


def delete_calendar_links(*, user: User, **_signal: Any) -> None:
    """Receiver of `access_ended`: whoever knew the password may have copied the links."""
    CalendarLink.objects.filter(user=user).delete()


def use_calendar_link(key: str) -> CalendarLink | None:
    """The link with this key, noted as read. None: there is no such link, or its owner's account is closed."""
    pk = read_link_token(SALT, key)
    if pk is None:
        return None
    link = CalendarLink.objects.select_related("user", "course").filter(pk=pk, user__is_active=True).first()
    now = timezone.now()
    if link is not None and (link.used_at is None or link.used_at < now - NOTED):
        CalendarLink.objects.filter(pk=link.pk).update(used_at=now)
    return link
