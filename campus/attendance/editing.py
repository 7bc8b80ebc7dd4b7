"""The institution's statuses and what a class asks of its students, as a program writes them; the admin's forms do the same for people."""

from campus.academics.editing import row_save
from campus.academics.models import Course
from campus.attendance.models import AttendanceStatus, RegisterPolicy
from campus.attendance.policy import policy_of
from campus.common.errors import UserError


def status_save(*, status: AttendanceStatus, **changes: object) -> AttendanceStatus:
    """Raises ValidationError by field, and UserError where records or pages rely on what would change."""
    kept = ("code", "name", "like") if status.built_in else ("code",)
    if status.pk and any(changes.get(name, getattr(status, name)) != getattr(status, name) for name in kept):
        raise UserError(
            "Records rely on this: a status keeps its code, and one that is always there its name and its meaning, too."
        )
    return row_save(status, **changes)


def status_delete(*, status: AttendanceStatus) -> None:
    """Raises UserError where it is always there, or a record or the log names it."""
    if status.built_in or status.in_use:
        raise UserError(
            "This status is in use or always there, so it stays. You can change its points and whether it counts."
        )
    status.delete()


def policy_save(*, course: Course, **changes: object) -> RegisterPolicy:
    """Raises ValidationError by field."""
    return row_save(policy_of(course), **changes)
