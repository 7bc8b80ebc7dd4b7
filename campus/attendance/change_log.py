"""How people change a lecture's result: under the lecture's lock, and with an entry in the log that says who and
why.
"""

from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from campus.academics.models import Lecture
from campus.accounts.names import display_name
from campus.accounts.roles import is_registrar
from campus.attendance.confirmed_faces import learn_later
from campus.attendance.models import AttendanceChange, AttendanceRecord, SignOff
from campus.attendance.selectors import can_edit_until_sign_off
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.common.errors import UserError

MAX_TEXT_LENGTH = 300
# What the audit log calls them; all else is a change of attendance.
ACTIONS = {
    AttendanceChange.ChangeKind.SIGNED: Action.SIGNED_OFF,
    AttendanceChange.ChangeKind.REOPENED: Action.REOPENED,
    AttendanceChange.ChangeKind.WATCHED: Action.SAW_VIDEO,
}


def lock_lecture(lecture_id: int, user: User) -> Lecture:
    """The lecture, locked until the end of the transaction.

    Raises PermissionDenied where the user may not change it, UserError where it is signed off and the user is no
    registrar.
    """
    lecture = Lecture.objects.select_for_update().get(pk=lecture_id)
    if not is_registrar(user):
        if not can_edit_until_sign_off(user, lecture):
            raise PermissionDenied
        if SignOff.objects.filter(lecture=lecture).exists():
            raise UserError("This lecture is signed off. Ask a registrar to change it.")
    return lecture


def log_change(
    lecture: Lecture,
    user: User,
    kind: AttendanceChange.ChangeKind,
    *,
    record: AttendanceRecord | None = None,
    old_status: str = "",
    old_override: str = "",
    batch: UUID | None = None,
    about: str = "",
    reason: str = "",
) -> None:
    """Log a change after it was made: the new status is the record's status now. What one action changes shares a
    `batch`. The class learns from it, or forgets. The audit log gets an entry, too, which outlives the lecture.
    """
    learn_later(course=lecture.course_id)
    AttendanceChange.objects.create(
        lecture=lecture,
        record=record,
        kind=kind,
        old_status=old_status,
        old_override=old_override,
        batch=batch or uuid4(),
        new_status=record.status if record else "",
        about=about[:MAX_TEXT_LENGTH],
        reason=reason.strip()[:MAX_TEXT_LENGTH],
        user=user,
        user_name=display_name(user),
    )
    record_event(
        user,
        ACTIONS.get(kind, Action.CHANGED_ATTENDANCE),
        student=record.student_id if record else None,
        lecture=lecture.pk,
        course=lecture.course_id,
        about=kind,
    )
