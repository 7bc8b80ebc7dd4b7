"""Everything that writes classes, students and lectures."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from campus.academics.models import Course, Enrolment, Lecture, Student, Sureness
from campus.errors import UserError


def lecture_create(*, course: Course, starts_at: datetime, ends_at: datetime, title: str = "", room: str = "") -> Lecture:
    """A meeting of a class. Raises UserError where it ends before it starts, or the class has one at that time."""
    if ends_at <= starts_at:
        raise UserError("The lecture ends before it starts. Set a later end.")
    try:
        with transaction.atomic():
            return Lecture.objects.create(course=course, starts_at=starts_at, ends_at=ends_at, title=title, room=room)
    except IntegrityError as error:
        raise UserError("This class has a lecture at that time already. Open that one, or choose another time.") from error


def sureness_set(*, course: Course, sureness: str) -> None:
    """Choose how sure the machine must be of a student of the class, from the next recording on."""
    Course.objects.filter(pk=course.pk).update(sureness=Sureness(sureness))


def student_enrol(*, number: str, name: str, course: Course | None = None) -> Student:
    """The student with this number, made where there is none yet, and on the roster of `course` from today. Raises UserError."""
    with transaction.atomic():
        student = Student.objects.filter(number=number).first()
        if student is None:
            student = Student(number=number, name=name)
            try:
                student.full_clean()
            except ValidationError as error:
                raise UserError(f"“{number}” can't be a student: {' '.join(error.messages)}") from error
            student.save()
        if course is not None:
            Enrolment.objects.get_or_create(course=course, student=student)
    return student


def faces_changed(*, courses: QuerySet[Course]) -> None:
    """Other students, or other photos of them: these classes are due a training once nothing changes any more."""
    courses.order_by().update(faces_changed_at=timezone.now())
