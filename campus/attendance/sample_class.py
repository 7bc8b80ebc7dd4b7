"""A sample class that shows what Rollcall's pages look like in use: people who do not exist, a timetable, and rolls
that were taken by hand. It can be made while there is no class, and removed whole.
"""

from datetime import time, timedelta

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from campus.academics.models import Course, Enrolment, LectureSeries, Student
from campus.academics.series import apply_series, plan_fingerprint, plan_series
from campus.accounts.roles import is_registrar
from campus.attendance.excuses import create_excuse
from campus.attendance.roll import mark_students
from campus.attendance.services import delete_recording
from campus.attendance.statuses import Status
from campus.biometrics.services import delete_photo
from campus.common.errors import UserError
from campus.common.storage import reports
from campus.recordings.models import Recording

CODE = "DEMO-101"
STUDENTS = (
    "Ada Abel",
    "Bruno Castelli",
    "Chiara Dahl",
    "David Engström",
    "Elif Fidan",
    "Farid Ghani",
    "Grace Hughes",
    "Henrik Iversen",
    "Ines Jordão",
    "Jonas Keller",
    "Kofi Lartey",
    "Lena Moreau",
)
PAST_WEEKS, COMING_WEEKS = 4, 8
OFTEN_ABSENT, EXCUSED = 3, 7  # their places in STUDENTS
LEFT_UNMARKED = 2  # of the last roll, so that there is something to do


def create_sample_class(*, user: User) -> Course:
    """The sample class, with its students, timetable and rolls. No roll is signed off: that would send messages.

    Raises PermissionDenied for all but registrars, and UserError where there is a class already.
    """
    if not is_registrar(user):
        raise PermissionDenied
    if Course.objects.exists():
        raise UserError("There is a class already. A sample can be made only while there is none.")
    try:
        with transaction.atomic():
            course = Course.objects.create(code=CODE, name=_("Sample class"), is_sample=True)
            _create_lectures(course)
            students = _enrol_students(course)
            _take_rolls(course, students, user)
    except IntegrityError as error:
        raise UserError(
            "The sample uses the class code {code} and student numbers that begin with it. One of them is taken.",
            code=CODE,
        ) from error
    return course


def _create_lectures(course: Course) -> None:
    """Twice a week, today included."""
    today = timezone.localdate()
    series = LectureSeries.objects.create(
        course=course,
        weekdays=sorted({today.weekday(), (today.weekday() + 3) % 7}),
        starts=time(10),
        ends=time(11, 30),
        first_day=today - timedelta(weeks=PAST_WEEKS),
        last_day=today + timedelta(weeks=COMING_WEEKS),
    )
    apply_series(series=series, fingerprint=plan_fingerprint(plan_series(series)))


def _enrol_students(course: Course) -> list[Student]:
    first_day = timezone.localdate() - timedelta(weeks=PAST_WEEKS)
    students = [
        Student.objects.create(number=f"{CODE}-{number:02}", name=name, is_sample=True)
        for number, name in enumerate(STUDENTS, start=1)
    ]
    Enrolment.objects.bulk_create(
        Enrolment(course=course, student=student, valid_from=first_day) for student in students
    )
    return students


def _take_rolls(course: Course, students: list[Student], user: User) -> None:
    over = list(course.lectures.filter(ends_at__lte=timezone.now()).order_by("starts_at"))
    if not over:  # only holidays until now
        return
    day = timezone.localtime(over[0].starts_at).date()
    excused = students[EXCUSED]
    create_excuse(student=excused, course=course, first_day=day, last_day=day, reason=_("Conference"), user=user)
    for n, lecture in enumerate(over):
        statuses = {student.pk: _status(n, place) for place, student in enumerate(students)}
        if n == 0:
            del statuses[excused.pk]
        if lecture == over[-1]:
            for student in students[-LEFT_UNMARKED:]:
                del statuses[student.pk]
        mark_students(lecture=lecture, statuses=statuses, user=user)


def _status(lecture: int, student: int) -> str:
    """Most are present, a few late or absent, one often absent: the same each time."""
    if student == OFTEN_ABSENT:
        return Status.ABSENT if lecture % 3 else Status.PRESENT
    others = {0: Status.ABSENT, 5: Status.LATE, 9: Status.LEFT_EARLY}
    return others.get((5 * lecture + 3 * student) % 13, Status.PRESENT)


@transaction.atomic
def delete_sample_class(*, user: User) -> None:
    """Delete the sample class with all that was done in it, and its students, unless they are in another class.

    Raises PermissionDenied for all but registrars.
    """
    if not is_registrar(user):
        raise PermissionDenied
    workbooks: list[str] = []
    for course in Course.objects.filter(is_sample=True):
        for recording in Recording.objects.filter(lecture__course=course):
            delete_recording(recording=recording)
        workbooks += course.reports.values_list("file_name", flat=True)
        course.delete()

    def delete_workbooks() -> None:
        for name in workbooks:
            reports().delete(name)

    transaction.on_commit(delete_workbooks, robust=True)
    for student in sample_students_left():
        for photo in student.photos.all():
            delete_photo(photo=photo)
        student.delete()


def sample_students_left() -> QuerySet[Student]:
    """The sample's students who are in no class."""
    return Student.objects.filter(is_sample=True, enrolments=None)
