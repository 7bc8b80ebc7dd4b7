"""One row at a time, as a program writes it; the admin's forms do the same for people."""

from typing import TypeVar

from django.contrib.auth.models import User
from django.db import IntegrityError, models, transaction
from django.db.models import ProtectedError

from campus.academics.models import Course, Enrolment, Lecture
from campus.academics.timetable import with_use
from campus.common.errors import UserError

Row = TypeVar("Row", bound=models.Model)


def row_save(row: Row, **changes: object) -> Row:
    """Write a row after the model's own checks. Raises ValidationError by field, or UserError."""
    for name, value in changes.items():
        setattr(row, name, value)
    row.full_clean()
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise UserError("Somebody else wrote the same at this moment. Look at it, then try again.") from error
    return row


def row_delete(*, row: models.Model) -> None:
    """Raises UserError where something else needs it."""
    try:
        row.delete()
    except ProtectedError as error:
        raise UserError("This is needed elsewhere, so it stays. Remove what needs it first.") from error


@transaction.atomic
def course_save(*, course: Course, lecturers: list[User] | None = None, **changes: object) -> Course:
    course = row_save(course, **changes)
    if lecturers is not None:
        course.lecturers.set(lecturers)
    return course


def enrolment_delete(*, enrolment: Enrolment) -> None:
    """Made by mistake: as if the student had never been in the class. Who leaves gets a last day instead."""
    enrolment.delete()


def lecture_delete(*, lecture: Lecture) -> None:
    """Only what never took place. Raises UserError where something was recorded or counted."""
    with transaction.atomic():
        held: models.QuerySet[Lecture] = Lecture.objects.select_for_update(of=("self",)).filter(pk=lecture.pk)
        if with_use(held).get().used:  # type: ignore[attr-defined]
            raise UserError("This lecture has a recording or attendance, so it stays. You can mark it as cancelled.")
        held.delete()
