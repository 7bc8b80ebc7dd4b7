"""Which classes, lectures and students a user may see. Every other app filters through these."""

from collections.abc import Collection
from datetime import date, timedelta
from typing import TypeVar

from django.conf import settings
from django.db.models import Model, Prefetch, Q, QuerySet
from django.utils import timezone

from campus.academics.models import Course, Enrolment, FileImport, Lecture, Room, Student
from campus.accounts.roles import AnyUser, sees_everything

RowT = TypeVar("RowT", bound=Model)

MAX_BREAK_WITHIN_TERM = timedelta(weeks=6)
CURRENT = ~Q(archived=True) & ~Q(term__archived=True)  # of classes: neither they nor their term are archived


def courses_for(user: AnyUser) -> QuerySet[Course]:
    """The classes that a user may see: all for registrars, auditors and administrators, else those that he or she
    teaches.
    """
    if not user.is_active:
        return Course.objects.none()
    return Course.objects.all() if sees_everything(user) else Course.objects.filter(lecturers=user.pk)


def current_courses_for(user: AnyUser) -> QuerySet[Course]:
    """Of the classes that a user may see, those that are not archived, for lists and first pages."""
    return courses_for(user).filter(CURRENT)


def in_classes_of(user: AnyUser, rows: QuerySet[RowT], course: str) -> QuerySet[RowT]:
    """The rows whose class, which the path `course` leads to, the user may see."""
    if user.is_active and sees_everything(user):
        return rows  # nothing is looked up for years of rows
    return rows.filter(**{f"{course}__in": courses_for(user)})


def lectures_for(user: AnyUser) -> QuerySet[Lecture]:
    return in_classes_of(user, Lecture.objects.all(), "course")


def current_lectures_for(user: AnyUser) -> QuerySet[Lecture]:
    return Lecture.objects.filter(course__in=current_courses_for(user))


def students_for(user: AnyUser) -> QuerySet[Student]:
    """All students for who sees all classes; else those who are or were on the roster of a class that the user
    teaches.
    """
    if sees_everything(user):
        return Student.objects.all()
    return Student.objects.filter(pk__in=Student.objects.filter(enrolments__course__in=courses_for(user)).values("pk"))


def with_enrolments_for(user: AnyUser, students: QuerySet[Student]) -> QuerySet[Student]:
    """Each with `visible_enrolments`: those in classes that the user may see and that are not archived, by the class's
    code."""
    visible = (
        Enrolment.objects.filter(course__in=current_courses_for(user)).select_related("course").order_by("course__code")
    )
    return students.prefetch_related(Prefetch("enrolments", visible, to_attr="visible_enrolments"))


def rooms_for(user: AnyUser) -> QuerySet[Room]:
    """All rooms: only what happens in them is not for everybody."""
    return Room.objects.all() if user.is_active else Room.objects.none()


def file_imports_for(user: AnyUser) -> QuerySet[FileImport]:
    """The user's own imports: who is on a list that is not imported yet is nobody else's business."""
    return FileImport.objects.filter(user=user.pk).defer("content")


def roster(course: Course, day: date) -> QuerySet[Student]:
    """Who is enrolled in a class on a day."""
    open_or_later = Q(enrolments__valid_to=None) | Q(enrolments__valid_to__gte=day)
    return Student.objects.filter(open_or_later, enrolments__course=course, enrolments__valid_from__lte=day)


def lecture_roster(lecture: Lecture) -> QuerySet[Student]:
    """Who is enrolled on the lecture's day, in the institution's time zone."""
    return roster(lecture.course, timezone.localtime(lecture.starts_at).date())


def student_sections(course: Course) -> dict[int, str]:
    """The section of each student of the class who is in one, by the student's id."""
    return dict(course.enrolments.exclude(section="").order_by().values_list("student", "section"))


def embedders_in_use() -> set[str]:
    """The face models of all classes."""
    return {settings.EMBEDDER, *Course.objects.exclude(embedder="").values_list("embedder", flat=True)}


def term_starts(courses: Collection[int]) -> dict[int, date]:
    """The first day of the present term, by the class's id: that of the class's own term.

    For a class without one, it is the day of the first lecture after the last break of more than six weeks, or today.
    """
    terms = dict(Course.objects.filter(pk__in=courses, term__isnull=False).values_list("pk", "term__first_day"))
    without_term = set(courses) - terms.keys()
    starts = dict.fromkeys(without_term, timezone.localdate())
    held = Lecture.objects.filter(course__in=without_term, starts_at__lte=timezone.now(), cancelled=False)
    for course, starts_at in held.order_by("-starts_at").values_list("course", "starts_at"):
        day = timezone.localtime(starts_at).date()
        if starts[course] - day <= MAX_BREAK_WITHIN_TERM:
            starts[course] = day
    return starts | terms
