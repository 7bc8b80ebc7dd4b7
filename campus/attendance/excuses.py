"""Excuses for several days, entered before, during or after them. Records find the excuse that covers them by
themselves (`AttendanceRecord.excuse_reason`); here is who may enter and withdraw one.
"""

from collections.abc import Iterable
from datetime import date
from pathlib import PurePath
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.files import File
from django.db import transaction
from django.utils import timezone

from campus.academics.models import Course, Student
from campus.academics.selectors import courses_for
from campus.academics.services import validate_and_save
from campus.accounts.names import display_name
from campus.accounts.roles import is_auditor, is_registrar
from campus.attendance.models import AttendanceRecord, Excuse
from campus.attendance.register import in_days
from campus.attendance.statuses import EXCUSABLE
from campus.attendance.student_messages import message_excuse
from campus.common.errors import UserError, explain_full_disk
from campus.common.file_names import sanitize_file_name

# How the documents begin that can be kept, and the suffix that each is stored with.
DOCUMENT_SUFFIXES = {b"%PDF-": ".pdf", b"\xff\xd8\xff": ".jpg", b"\x89PNG\r\n\x1a\n": ".png"}


def create_excuse(
    *,
    student: Student,
    course: Course | None,
    first_day: date,
    last_day: date,
    reason: str,
    user: User,
    document: "File[Any] | None" = None,
) -> Excuse:
    """Excuse a student from one day to another, in one class, or in all where `course` is None.

    Raises PermissionDenied where the user may not change the class, ValidationError by field, and UserError: the
    student is not in the class, a lecture is signed off, or the document cannot be kept.
    """
    _check_may_excuse(user, course)
    if course is not None and not student.enrolments.filter(course=course).exists():
        raise UserError("{student} is not in {course}.", student=student, course=course)
    excuse = Excuse(
        student=student,
        course=course,
        first_day=first_day,
        last_day=last_day,
        reason=reason.strip(),
        user=user,
        user_name=display_name(user),
    )
    excuse.full_clean()
    if not is_registrar(user):
        _refuse_signed_off(excuse)
    if document is not None:
        suffix = _check_document(document)
        stem = PurePath(sanitize_file_name(document.name or "document")).stem
        excuse.document_name = f"{stem[:240]}{suffix}"
        with explain_full_disk():
            excuse.document.save(f"document{suffix}", document, save=False)
    excuse = validate_and_save(excuse)
    message_excuse(excuse=excuse)
    return excuse


@transaction.atomic
def withdraw_excuse(*, excuse: Excuse, user: User) -> None:
    """Take an excuse back: its lectures count as if it had never been there. The row stays, with who withdrew it.

    Raises PermissionDenied where the user may not change the class, and UserError where it is withdrawn already or a
    lecture is signed off.
    """
    _check_may_excuse(user, excuse.course)
    excuse = Excuse.objects.select_for_update(of=("self",)).get(pk=excuse.pk)
    if excuse.withdrawn_at:
        raise UserError("This excuse is withdrawn already.")
    if not is_registrar(user):
        _refuse_signed_off(excuse)
    excuse.withdrawn_at, excuse.withdrawn_by = timezone.now(), display_name(user)
    excuse.save(update_fields=["withdrawn_at", "withdrawn_by"])
    message_excuse(excuse=excuse)


def with_right_to_withdraw(user: User, excuses: Iterable[Excuse]) -> list[tuple[Excuse, bool]]:
    """The excuses, each with whether the user may withdraw it, as long as no lecture is signed off."""
    if is_auditor(user):
        return [(excuse, False) for excuse in excuses]
    courses: set[int | None] = {None} if is_registrar(user) else set()
    courses |= set(courses_for(user).values_list("pk", flat=True))
    return [(excuse, not excuse.withdrawn_at and excuse.course_id in courses) for excuse in excuses]


def _check_may_excuse(user: User, course: Course | None) -> None:
    if is_registrar(user):
        return
    if course is None:
        raise UserError("Only a registrar can excuse a student in all classes. Choose a class.")
    if is_auditor(user) or not courses_for(user).filter(pk=course.pk).exists():
        raise PermissionDenied


def _refuse_signed_off(excuse: Excuse) -> None:
    """Raises UserError where the excuse says something else about a lecture that is signed off."""
    signed_off = AttendanceRecord.objects.filter(
        in_days(excuse.first_day, excuse.last_day, "lecture__starts_at"),
        student=excuse.student,
        lecture__course=excuse.course,
        lecture__sign_off__isnull=False,
        override_status="",
        machine_status__in=EXCUSABLE,
    )
    if first := signed_off.select_related("lecture__course").order_by("lecture__starts_at").first():
        raise UserError("{lecture} is signed off. Ask a registrar to change the excuse.", lecture=first.lecture)


def _check_document(document: "File[Any]") -> str:
    """The suffix of the kind of document that this is, by its content. Raises UserError where it cannot be kept."""
    if document.size > settings.MAX_DOCUMENT_BYTES:
        raise UserError(
            "The document is larger than {n} MB. Scan it with a lower quality.",
            n=settings.MAX_DOCUMENT_BYTES // 1024**2,
        )
    document.seek(0)
    head = document.read(8)
    document.seek(0)
    for signature, suffix in DOCUMENT_SUFFIXES.items():
        if head.startswith(signature):
            return suffix
    raise UserError("The document is neither a PDF nor a JPEG or PNG picture. Save it as one of these.")
