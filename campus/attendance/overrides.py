"""What people decide about a lecture: statuses, whether the footage is enough, and the sign-off."""

from collections.abc import Collection
from functools import partial

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction

from campus.academics.models import Lecture
from campus.accounts.roles import is_registrar
from campus.attendance import statuses
from campus.attendance.change_log import lock_lecture, log_change
from campus.attendance.models import (
    AttendanceChange,
    AttendanceRecord,
    SignOff,
    Status,
)
from campus.attendance.notifications import notify_signed_off
from campus.attendance.proposals import recount_lecture
from campus.attendance.reports import refresh_lecture_reports
from campus.attendance.selectors import records_for
from campus.cctv.clips import complete_lecture
from campus.common.errors import UserError
from campus.recordings.selectors import OPEN_STATES
from recognition.messages import Message

Kind = AttendanceChange.Kind


@transaction.atomic
def set_overrides(
    *, lecture: Lecture, records: Collection[int], status: str, reason: str, user: User
) -> list[AttendanceRecord]:
    """A person decides on records of a lecture (by their ids): `status`, or "" to go back to what the machine says. Returns those that
    changed.

    Raises UserError for an unknown status, PermissionDenied where the user may not change the lecture.
    """
    decisions = dict(statuses.override_choices())
    if status and status not in decisions:
        raise UserError(
            "“{status}” is no status that a person sets. Choose one of: {known}.",
            status=status,
            known=", ".join(decisions),
        )
    lecture = lock_lecture(lecture.pk, user)
    changed = []
    rows = records_for(user).filter(lecture=lecture, pk__in=records).exclude(override_status=status)
    for record in rows.select_related("student").order_by("student__name", "pk"):
        old = record.status
        record.override_status = status
        record.save(update_fields=["override_status", "updated_at"])
        log_change(lecture, user, Kind.STATUS, record=record, old=old, reason=reason)
        changed.append(record)
    return changed


def set_override(*, record: AttendanceRecord, status: str, reason: str, user: User) -> AttendanceRecord:
    """`overrides_set` of one record; returns it as it is then."""
    set_overrides(lecture=record.lecture, records=[record.pk], status=status, reason=reason, user=user)
    return AttendanceRecord.objects.select_related("student", "lecture").get(pk=record.pk)


@transaction.atomic
def accept_partial_footage(*, lecture: Lecture, user: User) -> None:
    """Count for good with the footage that is here. Raises UserError where no more is awaited."""
    lecture = lock_lecture(lecture.pk, user)
    if not lecture.recordings.filter(provisional=True).exists():
        raise UserError("No more footage of this lecture is awaited.")
    complete_lecture(lecture=lecture)


@transaction.atomic
def sign_off_lecture(*, lecture: Lecture, user: User) -> SignOff:
    """Vouch for the result. Raises UserError where it is signed off already, or something is open yet."""
    lecture = lock_lecture(lecture.pk, user)
    if SignOff.objects.filter(lecture=lecture).exists():
        raise UserError("This lecture is signed off already.")
    records = list(lecture.records.all())
    if not records:
        raise UserError("There is no attendance to sign off yet. Upload a recording first.")
    if lecture.recordings.filter(state__in=OPEN_STATES).exists():
        raise UserError("A recording is still in work. Wait until it is done, or cancel it, then sign off.")
    if lecture.recordings.filter(provisional=True).exists():
        raise UserError(
            "More footage of this lecture is awaited. Wait for it, or count with what is here, then sign off."
        )
    if to_confirm := sum(record.status == Status.TO_CONFIRM for record in records):
        raise UserError(
            Message.with_count(
                "{n} student is still to be confirmed. Decide on that one first.",
                "{n} students are still to be confirmed. Decide on them first.",
                n=to_confirm,
            )
        )
    signed = SignOff.objects.create(lecture=lecture, user=user, user_name=user.get_username())
    log_change(lecture, user, Kind.SIGNED)
    notify_signed_off(lecture=lecture)
    # Whoever reads the folder finds what was signed.
    transaction.on_commit(partial(refresh_lecture_reports, lecture=lecture), robust=True)
    return signed


@transaction.atomic
def reopen_lecture(*, lecture: Lecture, user: User, reason: str = "") -> None:
    """Take the sign-off back, and count what recordings have shown since. Only a registrar may."""
    if not is_registrar(user):
        raise PermissionDenied
    lecture = lock_lecture(lecture.pk, user)
    if not SignOff.objects.filter(lecture=lecture).delete()[0]:
        raise UserError("This lecture is not signed off. It can be changed as it is.")
    log_change(lecture, user, Kind.REOPENED, reason=reason)
    if lecture.recordings.filter(sightings__isnull=False).exists():
        recount_lecture(lecture=lecture)
