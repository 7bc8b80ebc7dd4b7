"""Every change that a person makes to a lecture's result: made under the lecture's lock, and logged with who and why."""

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from campus.academics.models import Lecture
from campus.accounts.roles import is_registrar
from campus.attendance.models import AttendanceChange, AttendanceRecord, SignOff
from campus.attendance.selectors import can_edit_until_sign_off
from campus.common.errors import UserError


def lock_lecture(lecture_id: int, user: User) -> Lecture:
    """The lecture, locked until the end of the transaction. Raises PermissionDenied and, once it is signed off, UserError."""
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
    kind: str,
    *,
    record: AttendanceRecord | None = None,
    old: str = "",
    about: str = "",
    reason: str = "",
) -> None:
    AttendanceChange.objects.create(
        lecture=lecture,
        record=record,
        kind=kind,
        old=old,
        new=record.status if record else "",
        about=about[:300],
        reason=reason.strip()[:300],
        user=user,
        user_name=user.get_username(),
    )
