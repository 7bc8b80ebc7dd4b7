"""What people decide about a lecture: statuses, whether the footage is enough, and the sign-off.

Each function locks the lecture and logs the change. It raises PermissionDenied where the user may not change the
lecture.
"""

from collections.abc import Collection

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction

from campus.academics.models import Lecture
from campus.accounts.names import display_name
from campus.accounts.roles import is_registrar
from campus.attendance.change_log import lock_lecture, log_change
from campus.attendance.models import AttendanceChange, AttendanceRecord, SignOff, Status
from campus.attendance.notifications import notify_signed_off
from campus.attendance.proposals import recount_lecture
from campus.attendance.reports import refresh_lecture_reports
from campus.attendance.roll import lecture_roll, write_overrides
from campus.attendance.student_messages import message_signed_off
from campus.cctv.clips import complete_lecture
from campus.common.errors import UserError
from campus.recordings.models import Recording
from campus.recordings.selectors import OPEN_STATES
from recognition.messages import Message

ChangeKind = AttendanceChange.ChangeKind


@transaction.atomic
def set_overrides(
    *, lecture: Lecture, records: Collection[int], status: str, reason: str, user: User
) -> list[AttendanceRecord]:
    """Set the status of records of a lecture, given by their ids; "" goes back to the machine's proposal. Returns those
    that changed.

    Raises UserError for an unknown status.
    """
    lecture = lock_lecture(lecture.pk, user)
    return write_overrides(lecture, dict.fromkeys(records, status), user=user, reason=reason)


def set_override(*, record: AttendanceRecord, status: str, reason: str, user: User) -> AttendanceRecord:
    """`set_overrides` for one record; returns the record as it is afterwards."""
    set_overrides(lecture=record.lecture, records=[record.pk], status=status, reason=reason, user=user)
    return AttendanceRecord.objects.select_related("student", "lecture").get(pk=record.pk)


@transaction.atomic
def accept_partial_footage(*, lecture: Lecture, user: User) -> None:
    """Make the result final with the footage that has arrived. Raises UserError where no more is expected."""
    lecture = lock_lecture(lecture.pk, user)
    if not lecture.recordings.filter(provisional=True).exists():
        raise UserError("No more footage of this lecture is expected.")
    complete_lecture(lecture=lecture)


@transaction.atomic
def sign_off_lecture(*, lecture: Lecture, user: User) -> SignOff:
    """Declare the result final. Raises UserError where it is signed off already, or not complete yet."""
    lecture = lock_lecture(lecture.pk, user)
    if SignOff.objects.filter(lecture=lecture).exists():
        raise UserError("This lecture is signed off already.")
    if lecture.cancelled:
        raise UserError("This lecture is cancelled, so there is no attendance to sign off.")
    roll = lecture_roll(lecture)
    if not any(record.machine_status or record.override_status for record in roll):
        raise UserError("There is no attendance to sign off yet. Mark the students, or upload a recording, first.")
    if lecture.recordings.filter(state__in=OPEN_STATES).exists():
        raise UserError("A recording is still being processed. Wait until it is done, or cancel it, then sign off.")
    if lecture.recordings.filter(state=Recording.State.NEEDS_REVIEW).exists():
        raise UserError("A recording is to be checked first. Accept it, move it or remove it, then sign off.")
    if lecture.recordings.filter(provisional=True).exists():
        raise UserError(
            "More footage of this lecture is expected. Wait for it, or accept what has arrived, then sign off."
        )
    if unmarked := sum(not record.status for record in roll):
        raise UserError(
            Message.with_count(
                "{n} student has no status yet. Mark this student first.",
                "{n} students have no status yet. Mark them, or all others as present or absent, first.",
                n=unmarked,
            )
        )
    if to_confirm := sum(record.status == Status.TO_CONFIRM for record in roll):
        raise UserError(
            Message.with_count(
                "{n} student is still to be confirmed. Confirm this student first.",
                "{n} students are still to be confirmed. Confirm them first.",
                n=to_confirm,
            )
        )
    sign_off = SignOff.objects.create(lecture=lecture, user=user, user_name=display_name(user))
    log_change(lecture, user, ChangeKind.SIGNED)
    notify_signed_off(lecture=lecture)
    message_signed_off(lecture=lecture)
    # The workbooks in Reports/ then say what was signed.
    transaction.on_commit(lambda: refresh_lecture_reports(lecture=lecture), robust=True)
    return sign_off


@transaction.atomic
def reopen_lecture(*, lecture: Lecture, user: User, reason: str = "") -> None:
    """Remove the sign-off, and count what recordings have shown since. Only registrars may."""
    if not is_registrar(user):
        raise PermissionDenied
    lecture = lock_lecture(lecture.pk, user)
    if not SignOff.objects.filter(lecture=lecture).delete()[0]:
        raise UserError("This lecture is not signed off, so it can be changed as it is.")
    log_change(lecture, user, ChangeKind.REOPENED, reason=reason)
    if lecture.recordings.filter(sightings__isnull=False).exists():
        recount_lecture(lecture=lecture)
