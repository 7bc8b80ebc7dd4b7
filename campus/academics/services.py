"""Everything that writes classes, students and lectures."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from campus.academics.models import Course, Enrolment, Lecture, Room, Strictness, Student
from campus.academics.roster import Table
from campus.academics.roster_plan import STUDENT_FIELDS, RosterPlan, plan_roster
from campus.common.errors import UserError
from campus.common.keys import match_key


def lecture_create(
    *, course: Course, starts_at: datetime, ends_at: datetime, title: str = "", room: Room | None = None
) -> Lecture:
    """A meeting of a class. Raises UserError where it ends before it starts, or the class has one at that time."""
    if ends_at <= starts_at:
        raise UserError("The lecture ends before it starts. Set a later end.")
    try:
        with transaction.atomic():
            return Lecture.objects.create(course=course, starts_at=starts_at, ends_at=ends_at, title=title, room=room)
    except IntegrityError as error:
        raise UserError(
            "This class has a lecture at that time already. Open that one, or choose another time."
        ) from error


def get_or_create_room(name: str) -> Room | None:
    """The room of that name, however it is typed; made where there is none yet. None without a name."""
    name = " ".join(name.split())
    if not match_key(name):
        return None
    return Room.objects.filter(key=name).first() or Room.objects.get_or_create(key=name, defaults={"name": name})[0]


def strictness_set(*, course: Course, strictness: str) -> None:
    """Choose how sure the machine must be of a student of the class, from the next recording on."""
    Course.objects.filter(pk=course.pk).update(strictness=Strictness(strictness))


def student_enrol(*, number: str, name: str, course: Course | None = None) -> Student:
    """The student with this number, made where there is none yet, and on the roster of `course` from today. Raises UserError."""
    with transaction.atomic():
        student = Student.objects.filter(number_key=number).first()
        if student is None:
            student = Student(number=number, name=name)
            try:
                student.full_clean()
            except ValidationError as error:
                raise UserError(
                    "“{number}” can't be a student: {messages}", number=number, messages=" ".join(error.messages)
                ) from error
            student.save()
        if course is not None:
            Enrolment.objects.get_or_create(course=course, student=student)
    return student


def guest_number() -> str:
    """A number for a guest, who has none."""
    taken = Student.objects.filter(number_key__startswith="guest-").values_list("number_key", flat=True)
    used = {int(number[6:]) for number in taken if number[6:].isdecimal()}
    return f"guest-{max(used, default=0) + 1}"


def faces_changed(*, courses: QuerySet[Course]) -> None:
    """Other students, or other photos of them: these classes are due a training once nothing changes any more."""
    courses.order_by().update(faces_changed_at=timezone.now())


def roster_import(
    *, table: Table, columns: Mapping[str, int], course: Course | None = None, complete: bool = False
) -> RosterPlan:
    """Do what `plan_roster` says, all of it or nothing; returns what was done.

    `complete`: the table is the whole roster of its classes, so that who is not in it leaves. Raises UserError where a row is wrong.
    """
    with transaction.atomic():
        plan = plan_roster(table, columns, course)
        if plan.errors:
            raise UserError("Some rows can't be imported. Correct them in the file, then choose it once more.")
        Student.objects.bulk_create(plan.students_new.values(), batch_size=1000)
        Student.objects.bulk_update(plan.students_changed.values(), STUDENT_FIELDS, batch_size=200)
        if complete:
            yesterday = timezone.localdate() - timedelta(days=1)
            for enrolment in plan.leaving:
                enrolment.valid_to = max(enrolment.valid_from, yesterday)
            Enrolment.objects.bulk_update(plan.leaving, ["valid_to"], batch_size=500)
        Enrolment.objects.bulk_create(plan.enrolments_new, batch_size=1000)
        Enrolment.objects.bulk_update(plan.enrolments_changed, ["valid_from", "valid_to"], batch_size=500)
        # Bulk writes send no signals.
        faces_changed(courses=Course.objects.filter(pk__in={enrolment.course_id for enrolment in plan.enrolments_new}))
    return plan
