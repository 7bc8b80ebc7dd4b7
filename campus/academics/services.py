"""Everything that writes classes, students and lectures."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import TypeVar

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import ProtectedError, QuerySet
from django.utils import timezone

from campus.academics.models import Course, Enrolment, Lecture, Room, Student
from campus.academics.selectors import term_starts
from campus.academics.series import with_usage
from campus.academics.signals import lecture_moved
from campus.audit.models import Action
from campus.audit.services import record_events
from campus.common.errors import UserError
from campus.common.keys import match_key

Row = TypeVar("Row", bound=models.Model)


def validate_and_save(row: Row, **changes: object) -> Row:
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


def delete_unprotected(*, row: models.Model) -> None:
    """Raises UserError where something else needs it."""
    try:
        row.delete()
    except ProtectedError as error:
        raise UserError("This is needed elsewhere, so it stays. Remove what needs it first.") from error


@transaction.atomic
def set_courses_taught(*, lecturer: User, courses: Iterable[Course]) -> None:
    """Make the user a lecturer of these classes and of no others."""
    lecturer.courses.set(courses)


def save_course(*, course: Course, lecturers: list[User] | None = None, **changes: object) -> Course:
    course = validate_and_save(course, **changes)
    if lecturers is not None:
        course.lecturers.set(lecturers)
    return course


def create_lecture(
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


def change_lecture(
    *, lecture: Lecture, starts_at: datetime, ends_at: datetime, title: str, room: Room | None, cancelled: bool = False
) -> Lecture:
    """Move, rename, cancel or bring back one lecture; its series leaves it alone from then on. Raises UserError."""
    if ends_at <= starts_at:
        raise UserError("The lecture ends before it starts. Set a later end.")
    new = {"starts_at": starts_at, "ends_at": ends_at, "title": title, "room": room, "cancelled": cancelled}
    if all(getattr(lecture, name) == value for name, value in new.items()):
        return lecture
    old_start, old_end = lecture.starts_at, lecture.ends_at
    for name, value in new.items():
        setattr(lecture, name, value)
    lecture.detached = bool(lecture.series_id or lecture.uid)
    try:
        with transaction.atomic():
            lecture.save(update_fields=[*new, "detached"])
            if (starts_at, ends_at) != (old_start, old_end):
                seconds = (starts_at - old_start).total_seconds()
                lecture_moved.send(sender=Lecture, lecture=lecture, seconds=seconds)
    except IntegrityError as error:
        raise UserError(
            "This class has a lecture at that time already. Open that one, or choose another time."
        ) from error
    return lecture


def delete_lecture(*, lecture: Lecture) -> None:
    """Only what never took place. Raises UserError where something was recorded or counted."""
    with transaction.atomic():
        held: models.QuerySet[Lecture] = Lecture.objects.select_for_update(of=("self",)).filter(pk=lecture.pk)
        if with_usage(held).get().used:  # type: ignore[attr-defined]
            raise UserError("This lecture has a recording or attendance, so it stays. You can mark it as cancelled.")
        held.delete()


def get_or_create_room(name: str) -> Room | None:
    """The room of that name, however it is typed; made where there is none yet. None without a name."""
    name = " ".join(name.split())
    if not match_key(name):
        return None
    return Room.objects.filter(key=name).first() or Room.objects.get_or_create(key=name, defaults={"name": name})[0]


def enrol_student(
    *, number: str, name: str, course: Course | None = None, start: date | None = None, section: str = ""
) -> Student:
    """The student with this number, made where there is none yet, and on the roster of `course` from `start`, by
    default the first day of its term. Raises UserError.
    """
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
            start = start or term_starts([course.pk])[course.pk]
            defaults = {"valid_from": start, "section": section}
            Enrolment.objects.get_or_create(course=course, student=student, defaults=defaults)
    return student


def next_guest_number() -> str:
    """A number for a guest, who has none."""
    taken = Student.objects.filter(number_key__startswith="guest-").values_list("number_key", flat=True)
    used = {int(number[6:]) for number in taken if number[6:].isdecimal()}
    return f"guest-{max(used, default=0) + 1}"


def set_enrolment_starts(*, enrolments: QuerySet[Enrolment], start: date | None, user: User) -> int:
    """Change the first day of enrolments, by default to that of each class's term. Returns how
    many changed. Raises UserError where one ends before.
    """
    rows = list(enrolments.select_related("course", "student"))
    starts = term_starts({row.course_id for row in rows})
    changed = []
    for row in rows:
        day = start or starts[row.course_id]
        if row.valid_to and row.valid_to < day:
            raise UserError("{enrolment} ends before {day}. Choose an earlier day.", enrolment=row, day=day)
        if row.valid_from != day:
            row.valid_from = day
            changed.append(row)
    Enrolment.objects.bulk_update(changed, ["valid_from"], batch_size=500)
    courses = {row.course_id for row in changed}
    mark_rosters_changed(courses=Course.objects.filter(pk__in=courses))
    for course in sorted(courses):
        students = [row.student_id for row in changed if row.course_id == course]
        record_events(
            user, Action.CHANGED_ROSTER, students, course=course, about=f"enrolled from {start or 'the term'}"
        )
    return len(changed)


def mark_rosters_changed(*, courses: QuerySet[Course]) -> None:
    """Other students on other days: these classes are due a training, and their lectures follow."""
    now = timezone.now()
    courses.order_by().update(gallery_outdated_at=now, roster_changed_at=now)


def mark_galleries_outdated(*, courses: QuerySet[Course]) -> None:
    """Other photos of the students: these classes are due a training once nothing changes any more."""
    courses.order_by().update(gallery_outdated_at=timezone.now())


def delete_enrolment(*, enrolment: Enrolment) -> None:
    """Made by mistake: as if the student had never been in the class. Who leaves gets a last day instead."""
    enrolment.delete()
