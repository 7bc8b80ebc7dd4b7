"""The roll of a lecture, taken by people: with or without recordings, before, during and after the lecture.

Everything that writes locks the lecture and logs the change. It raises PermissionDenied where the user may not change
the lecture, and UserError where it is signed off or cancelled.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from campus.academics.models import Lecture
from campus.academics.selectors import lecture_roster, student_sections
from campus.attendance.change_log import lock_lecture, log_change
from campus.attendance.models import AttendanceChange, AttendanceRecord
from campus.attendance.selectors import excuse_reasons, staff_who_named
from campus.attendance.statuses import ATTENDED, Status, override_choices
from campus.common.errors import UserError
from recognition.messages import Message

UNDO_PERIOD = timedelta(hours=1)

ChangeKind = AttendanceChange.ChangeKind


def lecture_roll(lecture: Lecture) -> list[AttendanceRecord]:
    """A record for each student of the lecture, by name. Students of the roster who have none yet get one that is not
    saved.
    """
    records = list(lecture.records.select_related("student"))
    missing = lecture_roster(lecture).exclude(pk__in=[record.student_id for record in records])
    new = [AttendanceRecord(lecture=lecture, student=student) for student in missing]
    reasons = excuse_reasons(lecture) if new else {}
    for record in new:
        record.excuse_reason = reasons.get(record.student_id, "")
    return sorted([*records, *new], key=lambda record: (record.student.sort_key, record.student.number_key))


@transaction.atomic
def mark_students(
    *, lecture: Lecture, statuses: Mapping[int, str], user: User, reason: str = ""
) -> list[AttendanceRecord]:
    """Set the statuses of students of the lecture, by their ids. Returns the records that changed.

    Raises UserError for a student who is not on the roster.
    """
    lecture = lock_lecture(lecture.pk, user)
    records = {record.student_id: record for record in save_roll(lecture)}
    if not statuses.keys() <= records.keys():
        raise UserError("Not all of these students are on the roster on the lecture's day. Open the lecture again.")
    return write_overrides(
        lecture, {records[student].pk: status for student, status in statuses.items()}, user=user, reason=reason
    )


@transaction.atomic
def mark_others(*, lecture: Lecture, status: str, user: User, section: str = "") -> list[AttendanceRecord]:
    """Set the status of all students, or of those of a section, of whom nothing is known (`is_unmarked`). Returns the
    records that changed.
    """
    lecture = lock_lecture(lecture.pk, user)
    others = [record for record in save_roll(lecture) if is_unmarked(record)]
    if section:
        sections = student_sections(lecture.course)
        others = [record for record in others if sections.get(record.student_id) == section]
    return write_overrides(lecture, {record.pk: status for record in others}, user=user)


class MarkedByHand(UserError):
    """A change of many students would replace what a person has marked: of `count` students."""

    def __init__(self, count: int) -> None:
        super().__init__(
            Message.with_count(
                "{n} of these students was marked by hand. Say whether to keep or to replace that mark.",
                "{n} of these students were marked by hand. Say whether to keep or to replace these marks.",
                n=count,
            )
        )
        self.count = count


class MarksByHand(models.TextChoices):
    """What becomes of other marks by hand where many students are marked at once."""

    KEEP = "keep"
    REPLACE = "replace"


@transaction.atomic
def mark_many(
    *, lecture: Lecture, students: Collection[int], status: str, user: User, reason: str = "", by_hand: str = ""
) -> list[AttendanceRecord]:
    """Set one status for students of the lecture, by their ids. Returns the records that changed.

    Raises MarkedByHand where a person has marked some of them otherwise, unless `by_hand` is one of MarksByHand.
    """
    lecture = lock_lecture(lecture.pk, user)
    marked_otherwise = lecture.records.filter(student__in=students).exclude(override_status__in=("", status))
    marked = set(marked_otherwise.values_list("student", flat=True))
    if marked and by_hand not in MarksByHand:
        raise MarkedByHand(len(marked))
    chosen = set(students) - marked if by_hand == MarksByHand.KEEP else students
    return mark_students(lecture=lecture, statuses=dict.fromkeys(chosen, status), user=user, reason=reason)


def is_unmarked(record: AttendanceRecord) -> bool:
    """Whether neither a person, nor an excuse, nor a recording says where the student was. Doubtful faces are decided
    one by one.
    """
    return not record.override_status and record.status not in {*ATTENDED, Status.EXCUSED, Status.TO_CONFIRM}


def save_roll(lecture: Lecture) -> list[AttendanceRecord]:
    """The roll, all of it saved, so that excuses count for those whom nobody has marked, too."""
    roll = lecture_roll(lecture)
    AttendanceRecord.objects.bulk_create(record for record in roll if record.pk is None)
    return roll


def write_overrides(
    lecture: Lecture, overrides: Mapping[int, str], *, user: User, reason: str = ""
) -> list[AttendanceRecord]:
    """Set overrides of the lecture, which the caller has locked, by the records' ids: one change in the log. Returns
    the records that changed.
    """
    known = [code for code, _label in override_choices()]
    for status in {*overrides.values()} - {"", *known}:
        raise UserError(
            "“{status}” is not a status that a person can set. Choose one of: {known}.",
            status=status,
            known=", ".join(known),
        )
    return _write(lecture, overrides, ChangeKind.STATUS, uuid4(), user, reason)


def _write(
    lecture: Lecture, overrides: Mapping[int, str], kind: ChangeKind, batch: UUID, user: User, reason: str = ""
) -> list[AttendanceRecord]:
    if lecture.cancelled:
        raise UserError("This lecture is cancelled, so nobody can attend it. Reinstate it first.")
    changed = []
    records = lecture.records.filter(pk__in=overrides).select_related("student")
    for record in records.order_by("student__sort_key", "pk"):
        old_status, old_override = record.status, record.override_status
        record.override_status = overrides[record.pk]
        if record.override_status == old_override:
            continue
        record.save(update_fields=["override_status", "updated_at"])
        record.__dict__.pop("excuse_reason", None)  # which counts again where the override is gone
        log_change(
            lecture,
            user,
            kind,
            record=record,
            old_status=old_status,
            old_override=old_override,
            batch=batch,
            reason=reason,
        )
        changed.append(record)
    return changed


def last_change(lecture: Lecture) -> list[AttendanceChange]:
    """The last change of statuses that can still be taken back, one entry a student; empty without one."""
    undone = lecture.changes.filter(kind=ChangeKind.UNDONE).values("batch")
    recent = lecture.changes.filter(kind=ChangeKind.STATUS, created_at__gte=timezone.now() - UNDO_PERIOD)
    last = recent.exclude(batch__in=undone).order_by("-pk").first()
    return list(lecture.changes.filter(batch=last.batch).select_related("record__student")) if last else []


@transaction.atomic
def undo_last_change(*, lecture: Lecture, user: User, batch: str = "") -> list[AttendanceRecord]:
    """Take back the last change of statuses, of one student or of many. Returns the records that changed.

    Raises UserError where there is none within the last hour, or where it is another one than `batch`.
    """
    lecture = lock_lecture(lecture.pk, user)
    changes = last_change(lecture)
    if not changes:
        raise UserError("No change was made within the last hour, so there is nothing to take back.")
    if batch not in ("", str(changes[0].batch)):
        raise UserError("The roll was changed again since. Open the lecture again to see what the last change was.")
    overrides = {change.record_id: change.old_override for change in changes if change.record_id}
    return _write(lecture, overrides, ChangeKind.UNDONE, changes[0].batch, user)


def status_sources(lecture: Lecture, roll: Iterable[AttendanceRecord]) -> dict[int, str]:
    """Who says what each student's status is, by the students' ids: a person's name, or the machine; empty where
    nobody says anything.
    """
    marked, named = marked_by(lecture), staff_who_named(lecture)
    return {record.student_id: _source(record, marked, named) for record in roll}


def _source(record: AttendanceRecord, marked: Mapping[int, str], named: Mapping[int, str]) -> str:
    if record.override_status:
        return marked.get(record.pk, _("a person"))
    if not record.status:
        return ""
    if record.status != record.machine_status:
        return _("excuse")
    return named.get(record.student_id) or _("machine")


def marked_by(lecture: Lecture) -> dict[int, str]:
    """Who set the overrides that hold, by the records' ids."""
    undone = lecture.changes.filter(kind=ChangeKind.UNDONE).values("batch")
    changes = lecture.changes.filter(kind=ChangeKind.STATUS).exclude(batch__in=undone).order_by("pk")
    return {change.record_id: change.user_name for change in changes if change.record_id}
