"""What must not be deleted for now, whatever the rules and people say."""

from datetime import date
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.utils import timezone

from campus.academics.models import Course, Lecture, Student
from campus.accounts.names import display_name
from campus.accounts.roles import is_registrar
from campus.attendance.models import Excuse
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.common.errors import UserError
from campus.privacy.models import LegalHold
from campus.privacy.retention_models import LegallyHeld
from campus.recordings.models import Recording


def active_holds() -> QuerySet[LegalHold]:
    """Those in force."""
    return LegalHold.objects.filter(Q(until=None) | Q(until__gte=timezone.localdate()))


def held_courses() -> QuerySet[Course]:
    return Course.objects.filter(legal_holds__in=active_holds())


def held_students() -> QuerySet[Student]:
    return Student.objects.filter(legal_holds__in=active_holds())


def held_lectures() -> QuerySet[Lecture]:
    """Lectures that are held, of held classes, and of held students."""
    return Lecture.objects.filter(
        Q(legal_holds__in=active_holds()) | Q(course__in=held_courses()) | Q(records__student__in=held_students())
    )


def holds_of(
    *, course: Course | None = None, lecture: Lecture | None = None, student: Student | None = None
) -> QuerySet[LegalHold]:
    """The holds in force that keep something of this class, lecture or student, for its page."""
    about: Any = Q(pk__in=())
    if lecture:
        about |= Q(lecture=lecture) | Q(course=lecture.course_id) | Q(student__records__lecture=lecture)
    if course:
        about |= Q(course=course) | Q(lecture__course=course) | Q(student__records__lecture__course=course)
    if student:
        about |= Q(student=student)
    return active_holds().filter(about).select_related("course", "lecture__course", "student").distinct()


def refuse_if_held(**subject: Any) -> None:
    """Raises UserError where a legal hold keeps the class, lecture or student."""
    hold = holds_of(**subject).first()
    if hold:
        raise LegallyHeld(hold)


def place_hold(*, subject: Course | Lecture | Student, reason: str, until: date | None, user: User) -> LegalHold:
    """Keep everything of a class, a lecture or a student. Raises PermissionDenied for all but registrars, and UserError
    without a reason or for a day that is over.
    """
    _check_may_hold(user)
    if not reason.strip():
        raise UserError("Say why it has to be kept.")
    if until and until < timezone.localdate():
        raise UserError("This day is over. Choose a later one, or leave it empty.")
    field = {Course: "course", Lecture: "lecture", Student: "student"}[type(subject)]
    hold = LegalHold.objects.create(
        **{field: subject}, reason=reason.strip(), until=until, user=user, user_name=display_name(user)
    )
    _record(hold, user, "placed")
    return hold


def lift_hold(*, hold: LegalHold, user: User) -> None:
    """From now on the rules hold again. Raises PermissionDenied for all but registrars."""
    _check_may_hold(user)
    end_hold(hold=hold, user=user)


def end_hold(*, hold: LegalHold, user: User | None) -> None:
    """Delete a hold; without a user, since its last day is over."""
    _record(hold, user, "lifted" if user else "over")
    hold.delete()


def _record(hold: LegalHold, user: User | None, what: str) -> None:
    record_event(
        user,
        Action.CHANGED_RETENTION,
        course=hold.course_id,
        lecture=hold.lecture_id,
        student=hold.student_id,
        about=f"legal hold {hold.pk} {what}",
    )


def refuse_deletion(instance: Recording | Lecture | Excuse, **_signal: Any) -> None:
    """Handles `pre_delete`. Raises UserError where a legal hold keeps it, whoever deletes it."""
    match instance:
        case Recording():
            refuse_if_held(lecture=instance.lecture)
        case Lecture():
            refuse_if_held(lecture=instance)
        case Excuse():
            refuse_if_held(student=instance.student)


def refuse_merge(duplicate: Student, student: Student, **_signal: Any) -> None:
    """Handles `students_merging`. Raises UserError where a legal hold keeps one of them: what both were marked for the
    same lecture becomes one.
    """
    for one in (duplicate, student):
        refuse_if_held(student=one)


def _check_may_hold(user: User) -> None:
    if not is_registrar(user):
        raise PermissionDenied
