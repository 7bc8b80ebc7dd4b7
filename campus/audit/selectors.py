"""Reading the audit log."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from campus.accounts.roles import AnyUser, is_administrator, is_auditor
from campus.audit.models import AuditEntry


def can_read_log(user: AnyUser) -> bool:
    """Whether the user reads the log of everybody: auditors and administrators."""
    return is_auditor(user) or is_administrator(user)


def entries_for(user: AnyUser) -> QuerySet[AuditEntry]:
    """The entries that the user may read, the latest first."""
    return AuditEntry.objects.all() if can_read_log(user) else AuditEntry.objects.none()


def entries_about(
    student_id: int, *, lectures: Iterable[int] = (), courses: Iterable[int] = ()
) -> QuerySet[AuditEntry]:
    """What was done with a student's data, for the student to read, the latest first: entries about the student alone,
    and those about all students of these lectures and courses, such as an export of a register.
    """
    of_all = Q(lecture_id__in=lectures) | Q(course_id__in=courses)
    return AuditEntry.objects.filter(Q(student_id=student_id) | (of_all & Q(student_id=None)))
