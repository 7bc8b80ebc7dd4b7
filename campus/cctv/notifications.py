"""Who is told of footage: that it is missing, and that something stopped or goes on again."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy, ngettext

from campus.accounts.selectors import registrars_with_email, use_language_of
from campus.cctv.models import Alarm, Collection
from campus.outbox.services import queue_email, queue_event

BEGUN = gettext_lazy("Footage: something needs a look")
OVER = gettext_lazy("Footage: it goes on again")

Reader = tuple[str, str, User | None]  # address, name, account


def notify_missing_footage(rows: Sequence[Collection], now: datetime) -> None:
    """One e-mail to each lecturer, coordinator and registrar about all lectures that were given up just now."""
    for row in rows:
        data = {
            "lecture": row.lecture.pk,
            "course": row.lecture.course.code,
            "starts_at": row.lecture.starts_at.isoformat(),
            "partly": row.state == Collection.State.COMPLETE,
        }
        queue_event(
            course=row.lecture.course, event="footage.missing", key=f"missing:{row.pk}:{now.isoformat()}", data=data
        )
    emails: dict[Reader, list[Collection]] = {}
    for row in rows:
        for reader in dict.fromkeys([*_teachers(row), *_registrars()]):
            emails.setdefault(reader, []).append(row)
    for reader, mine in emails.items():
        with use_language_of(reader[2]):
            subject = ngettext("The recording of %(lecture)s is missing", "%(n)d recordings are missing", len(mine)) % {
                "lecture": mine[0].lecture,
                "n": len(mine),
            }
            if all(row.state == Collection.State.COMPLETE for row in mine):
                subject = ngettext(
                    "Parts of the recording of %(lecture)s are missing",
                    "Parts of %(n)d recordings are missing",
                    len(mine),
                ) % {"lecture": mine[0].lecture, "n": len(mine)}
            _write(
                reader,
                "missing",
                f"missing:{mine[0].pk}:{now.isoformat()}",
                subject,
                {"items": [_item(row) for row in mine]},
            )


def _item(row: Collection) -> Mapping[str, object]:
    lecture = row.lecture
    starts = timezone.localtime(lecture.starts_at)
    return {
        "lecture": lecture,
        "when": f"{date_format(starts, 'DATE_FORMAT')}, {starts:%H:%M}",
        "partly": row.state == Collection.State.COMPLETE,
        "why": str(row.note).splitlines(),
        "address": f"{settings.BASE_URL}/lectures/{lecture.pk}/" if settings.BASE_URL else "",
    }


def notify_alarms(*, begun: Iterable[Alarm], over: Iterable[Alarm]) -> None:
    """To the registrars: what stopped, and what goes on again. Each alarm is told once when it begins and once when it
    is over.
    """
    for alarm, event, title in [
        *((alarm, "alarm.started", BEGUN) for alarm in begun),
        *((alarm, "alarm.ended", OVER) for alarm in over),
    ]:
        data = {"kind": alarm.kind, "key": alarm.key, "text": str(alarm.text)}
        queue_event(course=None, event=event, key=f"{event}:{alarm.pk}", data=data)
        for reader in _registrars():
            with use_language_of(reader[2]):
                _write(
                    reader, "alarm", f"{event}:{alarm.pk}", str(title), {"alarm": alarm, "over": event == "alarm.ended"}
                )


def _teachers(row: Collection) -> list[Reader]:
    course = row.lecture.course
    found: list[Reader] = [_reader(user) for user in course.lecturers.filter(is_active=True).exclude(email="")]
    if course.coordinator_email and course.coordinator_email not in {address for address, _name, _user in found}:
        found.append((course.coordinator_email, course.coordinator_name, None))
    return found


def _registrars() -> list[Reader]:
    return [_reader(user) for user in registrars_with_email()]


def _reader(user: User) -> Reader:
    return user.email, user.get_full_name() or user.get_username(), user


def _write(reader: Reader, template: str, key: str, subject: str, context: Mapping[str, object]) -> None:
    body = render_to_string(f"cctv/{template}.txt", {**context, "name": reader[1], "institution": settings.INSTITUTION})
    queue_email(to=reader[0], event=f"footage.{template}", key=key, subject=subject, body=body)
