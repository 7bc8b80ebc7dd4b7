"""Objections of students to their marks: a person answers each within the institution's term, and changes the mark in
the same step where the student is right.
"""

from datetime import date, timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import timezone

from campus.academics.models import Holiday, Student
from campus.academics.selectors import current_courses_for, in_classes_of
from campus.accounts.institution import get_institution, institution_name
from campus.accounts.names import display_name
from campus.accounts.roles import AnyUser
from campus.accounts.selectors import use_language_of
from campus.attendance.change_log import lock_lecture
from campus.attendance.models import AttendanceRecord, Objection
from campus.attendance.overrides import set_override
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.common.errors import UserError
from campus.outbox.services import queue_email

MAX_OPEN_OBJECTIONS = 20  # of a student


def objections_for(user: AnyUser) -> QuerySet[Objection]:
    return in_classes_of(user, Objection.objects.all(), "record__lecture__course")


def open_objections(user: AnyUser) -> QuerySet[Objection]:
    """Those that wait for an answer in the user's classes, the most urgent first."""
    rows = objections_for(user).filter(upheld=None, record__lecture__course__in=current_courses_for(user))
    return rows.select_related("record__student", "record__lecture__course")


def add_working_days(day: date, count: int) -> date:
    """The day that is so many working days later: neither Saturdays, Sundays nor holidays count."""
    free = {
        first + timedelta(days=n)
        for first, last in Holiday.objects.filter(last_day__gt=day).values_list("first_day", "last_day")
        for n in range((last - first).days + 1)
    }
    while count:
        day += timedelta(days=1)
        count -= day.weekday() < 5 and day not in free
    return day


@transaction.atomic
def object_to_mark(*, student: Student, record: int, text: str) -> Objection:
    """The student objects to the own mark with this id. Raises UserError: it is not the student's, there is nothing to
    object to, or an objection waits already.
    """
    row = AttendanceRecord.objects.filter(pk=record, student=student).select_related("lecture").first()
    if row is None or not row.status:
        raise UserError("There is no mark here to object to. Load the page again.")
    if Objection.objects.filter(record__student=student, upheld=None).count() >= MAX_OPEN_OBJECTIONS:
        raise UserError("Many of your objections wait for an answer. Wait for some of the answers first.")
    due_on = add_working_days(timezone.localdate(), get_institution().objection_days)
    try:
        with transaction.atomic():
            objection = Objection.objects.create(record=row, text=text, due_on=due_on)
    except IntegrityError as error:
        raise UserError("You have objected to this mark already. The answer will appear here.") from error
    lecture = row.lecture
    about = f"objection {objection.pk}"
    record_event(
        None, Action.CHANGED_ATTENDANCE, student=student.pk, lecture=lecture.pk, course=lecture.course_id, about=about
    )
    return objection


@transaction.atomic
def answer_objection(*, objection: Objection, upheld: bool, status: str, answer: str, user: User) -> Objection:
    """Answer an objection. Where the student is right, the mark becomes `status`.

    Raises UserError: it is answered already, an unknown status, or the lecture is signed off and the user is
    no registrar; PermissionDenied where the user may not change the lecture.
    """
    record = AttendanceRecord.objects.select_related("lecture", "student").get(pk=objection.record_id)
    lock_lecture(record.lecture_id, user)
    waiting = Objection.objects.select_for_update().filter(pk=objection.pk, upheld=None).first()
    if waiting is None:
        raise UserError("Somebody has answered this objection meanwhile.")
    if upheld:
        set_override(record=record, status=status, reason=f"#{waiting.pk}", user=user)
    waiting.upheld, waiting.answer = upheld, answer
    waiting.answered_by, waiting.answered_at = display_name(user), timezone.now()
    waiting.save()
    _tell(waiting, record)
    record_event(
        user,
        Action.CHANGED_ATTENDANCE,
        student=record.student_id,
        lecture=record.lecture_id,
        course=record.lecture.course_id,
        about=f"objection {waiting.pk} answered",
    )
    return waiting


def _tell(objection: Objection, record: AttendanceRecord) -> None:
    """E-mail the answer to the student, who also reads it on the own page."""
    if not record.student.email:
        return
    with use_language_of():
        context = {"objection": objection, "record": record, "institution": institution_name()}
        queue_email(
            to=record.student.email,
            event="student.objection-answered",
            key=f"objection:{objection.pk}",
            subject=render_to_string("web/email/objection_answer_subject.txt", context),
            body=render_to_string("web/email/objection_answer.txt", context),
        )
