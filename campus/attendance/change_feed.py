"""What has changed since a cursor, for programs that keep a copy of the attendance, such as a data warehouse.

The database notes each change in the transaction that makes it (`feed_triggers.py`). Transactions are not committed in
the order of their ids, so an entry gets its number later, once it can be seen: by one process at a time, always the
next number. So whoever has read up to a number has missed nothing before it. Only the latest entry of a row is kept.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from campus.academics.models import Course, Enrolment, Lecture, Student
from campus.academics.selectors import courses_for, in_classes_of, lectures_for, students_for
from campus.accounts.roles import AnyUser
from campus.attendance.feed_models import FeedEntry, FeedState
from campus.attendance.models import AttendanceChange, AttendanceRecord, Excuse
from campus.attendance.selectors import changes_for, excuses_for, records_for

Kind = FeedEntry.Kind

MAX_PAGE_SIZE: Final = 10_000
NUMBERED_AT_ONCE: Final = 5_000
FIRST_CURSOR: Final = ""


class UnknownCursor(Exception):
    """The cursor is none of ours."""


class EndedCursor(Exception):
    """The cursor is of a generation that has ended: all rows are to be read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A row as it is now; `data` is None where it is deleted, or its person was erased."""

    kind: str
    id: int | UUID
    data: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage:
    """The changes after a cursor, each row once, and the cursor after them."""

    changes: list[Change]
    cursor: str
    has_more: bool


def unnumbered_entries() -> QuerySet[FeedEntry]:
    return FeedEntry.objects.filter(sequence=None)


def number_entries() -> None:
    """Number all entries that can be seen now, and delete those before of the same rows: before each reading, and by
    the clean-up, so that the table stays small.
    """
    while _number_some() == NUMBERED_AT_ONCE:
        pass


@transaction.atomic
def _number_some() -> int:
    state = FeedState.objects.select_for_update().get(pk=1)
    new = list(unnumbered_entries().order_by("pk").values_list("pk", "kind", "row_id")[:NUMBERED_AT_ONCE])
    latest = {(kind, row_id): pk for pk, kind, row_id in new}
    rows: dict[str, list[str]] = defaultdict(list)
    for kind, row_id in latest:
        rows[kind].append(row_id)
    for kind, row_ids in rows.items():
        FeedEntry.objects.filter(kind=kind, row_id__in=row_ids, sequence__isnull=False).delete()
    FeedEntry.objects.filter(pk__in={pk for pk, _kind, _row_id in new} - set(latest.values())).delete()
    numbers = list(enumerate(sorted(latest.values()), start=state.last_sequence + 1))
    if numbers:
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE attendance_feedentry SET sequence = %s WHERE id = %s", numbers)
        state.last_sequence = numbers[-1][0]
        state.save(update_fields=["last_sequence"])
    return len(new)


def read_changes(*, user: AnyUser, cursor: str = FIRST_CURSOR, limit: int = MAX_PAGE_SIZE) -> ChangePage:
    """The next changes after the cursor; all rows from the beginning after FIRST_CURSOR. For who looks after all
    classes: what the user may not see appears as deleted.

    Raises UnknownCursor and EndedCursor.
    """
    if unnumbered_entries().exists():
        number_entries()
    generation = FeedState.objects.values_list("generation", flat=True).get(pk=1)
    after = _read_cursor(cursor, generation)
    found = list(
        FeedEntry.objects.filter(sequence__gt=after)
        .order_by("sequence")
        .values_list("sequence", "kind", "row_id")[: limit + 1]
    )
    entries = found[:limit]
    keys: dict[str, set[int | UUID]] = defaultdict(set)
    for _sequence, kind, row_id in entries:
        keys[kind].add(_key(kind, row_id))
    data = {kind: _read_rows(user, kind, ids) for kind, ids in keys.items()}
    last = entries[-1][0] if entries else after
    return ChangePage(
        changes=[
            Change(kind=kind, id=_key(kind, row_id), data=data[kind].get(_key(kind, row_id)))
            for _sequence, kind, row_id in entries
        ],
        cursor=f"{generation.hex}-{last}",
        has_more=len(found) > limit,
    )


def _key(kind: str, row_id: str) -> int | UUID:
    return UUID(row_id) if kind == Kind.EXCUSE else int(row_id)


def _read_cursor(cursor: str, generation: UUID) -> int:
    if cursor == FIRST_CURSOR:
        return 0
    begins, _dash, number = cursor.partition("-")
    if not (len(number) < 19 and number.isascii() and number.isdecimal() and len(begins) == 32):
        raise UnknownCursor
    if begins != generation.hex:
        raise EndedCursor
    return int(number)


def _read_rows(user: AnyUser, kind: str, ids: Collection[int | UUID]) -> dict[int | UUID, dict[str, Any]]:
    """The rows with these ids that the user may see, by id."""
    rows = _ROWS[Kind(kind)](user).filter(pk__in=ids)
    return {row["id"]: row for row in map(_DATA[Kind(kind)], rows)}


_ROWS: Final[dict[Kind, Any]] = {
    Kind.COURSE: courses_for,
    Kind.STUDENT: lambda user: students_for(user).filter(erased_at=None),
    Kind.ENROLMENT: lambda user: in_classes_of(user, Enrolment.objects.all(), "course"),
    Kind.LECTURE: lambda user: lectures_for(user).select_related("sign_off", "room"),
    Kind.ATTENDANCE: records_for,
    Kind.EXCUSE: excuses_for,
    Kind.CORRECTION: changes_for,
}


def _course(row: Course) -> dict[str, Any]:
    return {"id": row.pk, "code": row.code, "name": row.name, "term": row.term_id, "archived": row.archived}


def _student(row: Student) -> dict[str, Any]:
    """No name: whoever may have it asks for it."""
    return {"id": row.pk, "number": row.number, "guest": row.guest}


def _enrolment(row: Enrolment) -> dict[str, Any]:
    return {
        "id": row.pk,
        "course": row.course_id,
        "student": row.student_id,
        "section": row.section,
        "valid_from": row.valid_from,
        "valid_to": row.valid_to,
    }


def _lecture(row: Lecture) -> dict[str, Any]:
    sign_off = getattr(row, "sign_off", None)
    return {
        "id": row.pk,
        "course": row.course_id,
        "title": row.title,
        "room": row.room.name if row.room else None,
        "starts_at": row.starts_at,
        "ends_at": row.ends_at,
        "cancelled": row.cancelled,
        "signed_off_at": sign_off.signed_at if sign_off else None,
    }


def _record(row: AttendanceRecord) -> dict[str, Any]:
    return {
        "id": row.pk,
        "lecture": row.lecture_id,
        "student": row.student_id,
        "status": row.status,
        "machine_status": row.machine_status,
        "override_status": row.override_status,
        "first_seen": row.first_seen,
        "last_seen": row.last_seen,
        "share": row.share,
        "updated_at": row.updated_at,
    }


def _excuse(row: Excuse) -> dict[str, Any]:
    """No reason: it may be about health."""
    return {
        "id": row.pk,
        "student": row.student_id,
        "course": row.course_id,
        "first_day": row.first_day,
        "last_day": row.last_day,
        "withdrawn_at": row.withdrawn_at,
    }


def _correction(row: AttendanceChange) -> dict[str, Any]:
    return {
        "id": row.pk,
        "lecture": row.lecture_id,
        "record": row.record_id,
        "kind": row.kind,
        "old_status": row.old_status,
        "new_status": row.new_status,
        "created_at": row.created_at,
    }


_DATA: Final[dict[Kind, Any]] = {
    Kind.COURSE: _course,
    Kind.STUDENT: _student,
    Kind.ENROLMENT: _enrolment,
    Kind.LECTURE: _lecture,
    Kind.ATTENDANCE: _record,
    Kind.EXCUSE: _excuse,
    Kind.CORRECTION: _correction,
}
