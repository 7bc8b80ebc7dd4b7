"""What all tabs of a class show of it, and the lines of its students and of their photos."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone
from django.utils.safestring import SafeString

from campus.academics.models import Course, Enrolment, Lecture
from campus.accounts.names import display_name
from campus.accounts.roles import AnyUser, sees_everything
from campus.attendance.register import RegisterRow, build_register
from campus.biometrics.models import FacePhoto
from campus.biometrics.selectors import PhotoCounts, photo_counts, photos_for
from campus.consent.selectors import consent_state, current_consents
from campus.web.faces import enrolment_face_urls
from campus.web.register_table import render_sparkline

MAX_PHOTOS_SHOWN = 12  # of one student


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassHead:
    lecturers: list[str]
    student_count: int
    next_lecture: Lecture | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentLine:
    """A student of the class; `row` is None, and `sparkline` empty, where no lecture counts yet."""

    enrolment: Enrolment
    face_url: str
    photos: PhotoCounts
    consent_state: str
    row: RegisterRow | None
    sparkline: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoLine:
    """A student of the class, with the latest photos; `hidden` counts those that are not shown."""

    enrolment: Enrolment
    counts: PhotoCounts
    photos: list[FacePhoto]

    @property
    def hidden(self) -> int:
        return self.counts.total - len(self.photos)


def build_class_head(course: Course) -> ClassHead:
    """Who teaches the class, how many students it has, and what comes next."""
    coming = course.lectures.filter(ends_at__gt=timezone.now(), cancelled=False).select_related("room")
    return ClassHead(
        lecturers=[display_name(user) for user in course.lecturers.order_by("last_name", "first_name", "username")],
        student_count=course.enrolments.count(),
        next_lecture=coming.order_by("starts_at", "pk").first(),
    )


def build_student_lines(user: AnyUser, course: Course, enrolments: Sequence[Enrolment]) -> list[StudentLine]:
    """The lines of these enrolments, in their order."""
    students = [enrolment.student_id for enrolment in enrolments]
    register = build_register(course, only=students)
    rows = {row.student.pk: row for row in register.rows}
    faces = enrolment_face_urls(user, students)
    counts = photo_counts(user, students)
    answers = current_consents(students) if sees_everything(user) else {}
    return [
        StudentLine(
            enrolment=enrolment,
            face_url=next(iter(faces.get(enrolment.student_id, [])), ""),
            photos=counts.get(enrolment.student_id, PhotoCounts()),
            consent_state=consent_state(answers.get(enrolment.student_id)).value,
            row=(row := rows.get(enrolment.student_id)),
            sparkline=render_sparkline(register, row) if row else SafeString(),
        )
        for enrolment in enrolments
    ]


def build_photo_lines(user: AnyUser, enrolments: Sequence[Enrolment]) -> list[PhotoLine]:
    """The lines of these enrolments, in their order."""
    students = [enrolment.student_id for enrolment in enrolments]
    counts = photo_counts(user, students)
    photos: dict[int, list[FacePhoto]] = {}
    for photo in photos_for(user).filter(student__in=students).order_by("-created_at", "pk"):
        if len(shown := photos.setdefault(photo.student_id, [])) < MAX_PHOTOS_SHOWN:
            shown.append(photo)
    return [
        PhotoLine(
            enrolment=enrolment,
            counts=counts.get(enrolment.student_id, PhotoCounts()),
            photos=photos.get(enrolment.student_id, []),
        )
        for enrolment in enrolments
    ]
