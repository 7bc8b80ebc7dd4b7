"""E-mails and webhook events about missing footage, and about alarms that start and end."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy, ngettext

from campus.academics.models import Course
from campus.accounts.institution import institution_name
from campus.accounts.names import display_name
from campus.accounts.selectors import registrars_with_email, use_language_of
from campus.cctv.models import Alarm, Collection
from campus.outbox.services import queue_email, queue_event

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

ALARM_STARTED_SUBJECT = gettext_lazy("Rollcall: something needs attention")
ALARM_ENDED_SUBJECT = gettext_lazy("Rollcall: working again")


class Recipient(NamedTuple):
    address: str
    name: str
    user: User | None = None  # coordinators have no account


def notify_missing_footage(collections: Sequence[Collection], now: datetime) -> None:
    """Send each lecturer, coordinator and registrar one e-mail about all collections that have just ended
    incomplete.
    """
    by_recipient: dict[Recipient, list[Collection]] = {}
    for collection in collections:
        _queue_missing_event(collection, now)
        for recipient in dict.fromkeys([*_teachers(collection.lecture.course), *_registrars()]):
            by_recipient.setdefault(recipient, []).append(collection)
    for recipient, concerned in by_recipient.items():
        with use_language_of(recipient.user):
            _queue_email(
                recipient,
                template="missing",
                key=f"missing:{concerned[0].pk}:{now.isoformat()}",
                subject=_missing_subject(concerned),
                context={"items": [_missing_item(collection) for collection in concerned]},
            )


def _queue_missing_event(collection: Collection, now: datetime) -> None:
    lecture = collection.lecture
    data = {
        "lecture": lecture.pk,
        "course": lecture.course.code,
        "starts_at": lecture.starts_at.isoformat(),
        "partly": _is_partly_there(collection),
    }
    key = f"missing:{collection.pk}:{now.isoformat()}"
    queue_event(course=lecture.course, event="footage.missing", key=key, data=data)


def _missing_subject(collections: Sequence[Collection]) -> str:
    n = len(collections)
    if all(_is_partly_there(collection) for collection in collections):
        subject = ngettext(
            "Parts of the recording of %(lecture)s are missing", "Parts of %(n)d recordings are missing", n
        )
    else:
        subject = ngettext("The recording of %(lecture)s is missing", "%(n)d recordings are missing", n)
    return subject % {"lecture": collections[0].lecture, "n": n}


def _missing_item(collection: Collection) -> Mapping[str, object]:
    lecture = collection.lecture
    starts = timezone.localtime(lecture.starts_at)
    return {
        "lecture": lecture,
        "when": date_format(starts, "DATETIME_FORMAT"),
        "partly": _is_partly_there(collection),
        "why": str(collection.note).splitlines(),
        "address": f"{settings.BASE_URL}/lectures/{lecture.pk}/" if settings.BASE_URL else "",
    }


def _is_partly_there(collection: Collection) -> bool:
    return collection.state == Collection.State.COMPLETE


def notify_alarms(*, started: Iterable[Alarm], ended: Iterable[Alarm]) -> None:
    """Send the registrars an e-mail, and webhooks an event, about each alarm that has started or ended."""
    for alarm in started:
        _notify_alarm(alarm, event="alarm.started", subject=ALARM_STARTED_SUBJECT)
    for alarm in ended:
        _notify_alarm(alarm, event="alarm.ended", subject=ALARM_ENDED_SUBJECT)


def _notify_alarm(alarm: Alarm, *, event: str, subject: "StrPromise") -> None:
    key = f"{event}:{alarm.pk}"
    data = {"kind": alarm.kind, "key": alarm.key, "text": str(alarm.text)}
    queue_event(course=None, event=event, key=key, data=data)
    for recipient in _registrars():
        with use_language_of(recipient.user):
            context = {"alarm": alarm, "ended": event == "alarm.ended"}
            _queue_email(recipient, template="alarm", key=key, subject=str(subject), context=context)


def _teachers(course: Course) -> list[Recipient]:
    recipients = [_recipient(user) for user in course.lecturers.filter(is_active=True).exclude(email="")]
    if course.coordinator_email and course.coordinator_email not in {recipient.address for recipient in recipients}:
        recipients.append(Recipient(course.coordinator_email, course.coordinator_name))
    return recipients


def _registrars() -> list[Recipient]:
    return [_recipient(user) for user in registrars_with_email()]


def _recipient(user: User) -> Recipient:
    return Recipient(user.email, display_name(user), user)


def _queue_email(recipient: Recipient, *, template: str, key: str, subject: str, context: Mapping[str, object]) -> None:
    values = {**context, "name": recipient.name, "institution": institution_name()}
    body = render_to_string(f"cctv/{template}.txt", values)
    queue_email(to=recipient.address, event=f"footage.{template}", key=key, subject=subject, body=body)
