"""Writing to the audit log."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import QuerySet

from campus.accounts.names import display_name
from campus.accounts.roles import AnyUser, assigned_role
from campus.audit.chain import hash_of
from campus.audit.models import MAX_ABOUT_LENGTH, Action, AuditCheckpoint, AuditEntry

READ_SECONDS: Final = 3600
SEALED_AT_ONCE: Final = 2000


def record_event(
    actor: AnyUser | None,
    action: Action,
    *,
    student: int | None = None,
    lecture: int | None = None,
    course: int | None = None,
    about: str = "",
) -> None:
    """Note that somebody did something to what these rows stand for; without an actor, Rollcall itself.

    `about` is a short technical remark, such as a file's kind or a row's id. It never has anybody's name or number.
    """
    _entry(actor, action, student=student, lecture=lecture, course=course, about=about).save()


def record_events(
    actor: AnyUser | None, action: Action, students: Iterable[int], *, course: int | None = None, about: str = ""
) -> None:
    """Note the same of several students, in one statement."""
    AuditEntry.objects.bulk_create(
        _entry(actor, action, student=student, course=course, about=about) for student in students
    )


def _entry(actor: AnyUser | None, action: Action, *, about: str, **rows: int | None) -> AuditEntry:
    person = actor if isinstance(actor, User) else None
    return AuditEntry(
        actor_id=person.pk if person else None,
        actor_name=display_name(person) if person else "",
        actor_role=assigned_role(person) if person else "",
        action=action,
        about=about[:MAX_ABOUT_LENGTH],
        **{f"{kind}_id": key for kind, key in rows.items()},
    )


def record_read(
    actor: AnyUser,
    action: Action,
    *,
    student: int | None = None,
    lecture: int | None = None,
    course: int | None = None,
    about: str = "",
) -> None:
    """Note that somebody looked at something, once an hour: a page has dozens of pictures, and is reloaded."""
    if cache.add(f"audit-{actor.pk}-{action}-{student}-{lecture}-{course}-{about}", True, READ_SECONDS):
        record_event(actor, action, student=student, lecture=lecture, course=course, about=about)


def unsealed_entries() -> QuerySet[AuditEntry]:
    """The new entries, which are not in the chain yet."""
    return AuditEntry.objects.filter(sequence=None)


def seal_entries() -> None:
    """Lengthen the chain by all new entries, in the order of their ids. A step of the sweep."""
    while _seal_some() == SEALED_AT_ONCE:
        pass


@transaction.atomic
def _seal_some() -> int:
    checkpoint = _lock_chain()
    last = AuditEntry.objects.exclude(sequence=None).order_by("-sequence").first() or checkpoint
    sequence, previous = last.sequence or 0, last.hash
    sealed = []
    for entry in unsealed_entries().order_by("pk")[:SEALED_AT_ONCE]:
        sequence += 1
        digest = hash_of(entry, sequence, previous)
        sealed.append((sequence, previous, digest, entry.pk))
        previous = digest
    if sealed:
        with connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE audit_auditentry SET sequence = %s, previous_hash = %s, hash = %s WHERE id = %s", sealed
            )
    return len(sealed)


def _lock_chain() -> AuditCheckpoint:
    AuditCheckpoint.objects.get_or_create(pk=1)
    return AuditCheckpoint.objects.select_for_update().get(pk=1)


@transaction.atomic
def prune_before(when: datetime) -> int:
    """Delete the sealed entries before that time; the chain then begins after them. Returns how many there were."""
    checkpoint = _lock_chain()
    sealed = AuditEntry.objects.exclude(sequence=None).order_by("sequence")
    first_kept = sealed.filter(at__gte=when).values_list("sequence", flat=True).first()
    old = sealed if first_kept is None else sealed.filter(sequence__lt=first_kept)
    last = old.last()
    if last is None or last.sequence is None:
        return 0
    count = last.sequence - checkpoint.sequence
    checkpoint.sequence, checkpoint.hash = last.sequence, last.hash
    checkpoint.save()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_auditentry WHERE sequence <= %s", [checkpoint.sequence])
    record_event(None, Action.PRUNED, about=f"{count} entries up to {checkpoint.sequence}")
    return count
