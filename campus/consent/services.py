"""Everything that writes what students are asked, what they answer, and where no face is recognised.

Whoever ends a basis tells the other apps in the same transaction, which delete what they have of the faces.
"""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from campus.academics.models import Course, Student
from campus.academics.services import mark_galleries_outdated
from campus.accounts.institution import save_institution
from campus.accounts.names import display_name
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.common.errors import UserError
from campus.consent.models import CONSENT_LIFETIME, Consent, ConsentText
from campus.consent.selectors import current_text
from campus.consent.signals import basis_changed


@transaction.atomic
def record_answer(
    *,
    student: Student,
    given: bool,
    method: Consent.Method,
    user: User | None = None,
    text: ConsentText | None = None,
    at: datetime | None = None,
    expires_at: datetime | None = None,
    keep_photos: bool = False,
) -> Consent:
    """Record that the student agrees or refuses, in place of the answer before. `user` has written it down; None: the
    student answered. `keep_photos` is of a refusal.

    Raises UserError for an answer of the future, or one that ends before it begins.
    """
    now = timezone.now()
    at = at or now
    expires_at = min(expires_at or at + CONSENT_LIFETIME, at + CONSENT_LIFETIME) if given else None
    if at > now:
        raise UserError("This day is in the future. Enter the day on which the student answered.")
    if expires_at and expires_at <= at:
        raise UserError("The consent would end before it begins. Choose a later last day.")
    Student.objects.select_for_update().get(pk=student.pk)  # one answer at a time
    Consent.objects.filter(student=student, is_current=True).update(is_current=False)
    answer = Consent.objects.create(
        student=student,
        given=given,
        text=text or current_text(),
        method=method,
        at=at,
        recorded_by=display_name(user) if user else "",
        expires_at=expires_at,
    )
    about = f"{'agreed' if given else 'refused'}, {method}, text {answer.text_id}"
    record_event(user, Action.CHANGED_CONSENT, student=student.pk, about=about)
    announce_basis(student.pk, keep_photos=keep_photos)
    return answer


@transaction.atomic
def withdraw_consent(*, student: Student, user: User | None = None, keep_photos: bool = False) -> bool:
    """The student does not agree any more; whether there was anything to withdraw. What is kept of the face is deleted
    at once, and the photos with it unless they are wanted for other things.
    """
    consents = Consent.objects.filter(student=student, is_current=True, given=True, withdrawn_at=None)
    if not consents.update(withdrawn_at=timezone.now()):
        return False
    record_event(user, Action.CHANGED_CONSENT, student=student.pk, about="withdrawn")
    announce_basis(student.pk, keep_photos=keep_photos)
    return True


@transaction.atomic
def set_basis(*, user: User, **changes: object) -> None:
    """Choose by what right the institution recognises faces, and whether it does. It counts at once; photos that may be
    checked now are within a minute, and what may not be kept goes within an hour.
    """
    save_institution(**changes, basis_chosen=True)
    record_event(user, Action.CHANGED_SETTINGS, about="legal basis")


@transaction.atomic
def publish_text(*, texts: dict[str, str], user: User) -> int:
    """Ask with this text, by the codes of languages, from now on; returns its version. Answers to the texts before stay
    as they are.
    """
    version = (ConsentText.objects.aggregate(last=Max("version"))["last"] or 0) + 1
    ConsentText.objects.bulk_create(
        ConsentText(version=version, language=code, text=text) for code, text in texts.items()
    )
    record_event(user, Action.CHANGED_SETTINGS, about=f"consent text {version}")
    return version


@transaction.atomic
def set_student_marking(*, student: Student, automatic: bool, user: User | None) -> None:
    """Whether the student's face may be recognised at all, whatever was answered. The photos stay."""
    Student.objects.filter(pk=student.pk).update(automatic_marking=automatic)
    record_event(user, Action.CHANGED_STUDENT, student=student.pk, about=f"automatic marking: {automatic}")
    announce_basis(student.pk, keep_photos=True)


@transaction.atomic
def set_course_marking(*, course: Course, automatic: bool, user: User | None) -> None:
    """Whether faces are recognised in this class."""
    Course.objects.filter(pk=course.pk).update(automatic_marking=automatic)
    record_event(user, Action.CHANGED_CLASS, course=course.pk, about=f"automatic marking: {automatic}")
    announce_basis(*course.students.values_list("pk", flat=True), keep_photos=True)
    mark_galleries_outdated(courses=Course.objects.filter(pk=course.pk))


def announce_basis(*students: int, keep_photos: bool) -> None:
    """Tell the other apps that some of these students (ids) may be recognised from now on, and others may not."""
    rows = Student.objects.filter(pk__in=students)
    basis_changed.send(sender=Consent, students=rows, delete_photos=not keep_photos)
