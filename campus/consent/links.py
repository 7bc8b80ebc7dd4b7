"""Links to a student's own page, which needs no account."""

import uuid
from collections.abc import Iterable
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from campus.academics.models import Student
from campus.academics.selectors import students_for
from campus.accounts.roles import AnyUser, sees_everything
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.common.link_tokens import link_token, read_link_token
from campus.consent.models import StudentLink

LINK_LIFETIME = timedelta(days=14)
ENDED_LINK_RETENTION = timedelta(days=30)  # in which what was sent can still be approved
SALT = "rollcall.student-link"


def student_link_token(link: StudentLink) -> str:
    """What is secret in the link."""
    return link_token(SALT, link.key)


def find_student_link(token: str) -> StudentLink | None:
    """The link, expired or not. None: it was withdrawn or renewed, or never was."""
    key = read_link_token(SALT, token)
    return StudentLink.objects.select_related("student").filter(key=key).first() if key else None


def student_links_for(user: AnyUser) -> QuerySet[StudentLink]:
    """The links of the students whom the user may see, for who looks after all classes."""
    links = StudentLink.objects.filter(student__in=students_for(user))
    return links if sees_everything(user) else links.none()


@transaction.atomic
def renew_student_link(*, student: Student, user: User) -> StudentLink:
    """A link for the student that is valid for two weeks; the one before stops working. What was sent by it stays."""
    link, _ = StudentLink.objects.update_or_create(
        student=student,
        defaults={"key": uuid.uuid4(), "created_by": user, "expires_at": timezone.now() + LINK_LIFETIME},
    )
    record_event(user, Action.CHANGED_STUDENT, student=student.pk, about="link to the own page made")
    return link


def extend_student_link(*, student: Student) -> StudentLink:
    """The student's link, valid for two weeks from now; made where there is none, or where it has ended."""
    link, is_new = StudentLink.objects.get_or_create(
        student=student, defaults={"expires_at": timezone.now() + LINK_LIFETIME}
    )
    if not is_new:
        if link.is_expired:
            link.key = uuid.uuid4()
        link.expires_at = timezone.now() + LINK_LIFETIME
        link.save(update_fields=["key", "expires_at"])
    return link


def make_missing_links(*, students: Iterable[Student], user: User) -> list[StudentLink]:
    """A link for each student who has no valid one."""
    valid = set(
        StudentLink.objects.filter(student__in=students, expires_at__gt=timezone.now()).values_list(
            "student", flat=True
        )
    )
    return [renew_student_link(student=student, user=user) for student in students if student.pk not in valid]


def withdraw_student_link(*, link: StudentLink, user: User) -> None:
    """End the link now, and delete what was sent by it and not approved."""
    record_event(user, Action.CHANGED_STUDENT, student=link.student_id, about="link to the own page withdrawn")
    link.delete()


def delete_expired_student_links() -> None:
    """Delete links that ended a month ago, with what was sent by them and not approved."""
    StudentLink.objects.filter(expires_at__lt=timezone.now() - ENDED_LINK_RETENTION).delete()
