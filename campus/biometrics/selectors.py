"""Which enrolment photos and galleries a user may see, and which of them a class's recordings need."""

from django.conf import settings
from django.db.models import Q, QuerySet

from campus.academics.models import Course
from campus.academics.selectors import AnyUser, courses_for, students_for
from campus.biometrics.models import FacePhoto, Gallery

USABLE = (FacePhoto.Verdict.ACCEPTED, FacePhoto.Verdict.WARNING)


def photos_for(user: AnyUser) -> QuerySet[FacePhoto]:
    return FacePhoto.objects.filter(student__in=students_for(user))


def galleries_for(user: AnyUser) -> QuerySet[Gallery]:
    return Gallery.objects.filter(course__in=courses_for(user))


def course_photos(course: Course) -> QuerySet[FacePhoto]:
    """The photos that a class's gallery may be made of: those of its students that are not rejected."""
    return FacePhoto.objects.filter(student__enrolments__course=course).exclude(state=FacePhoto.Verdict.REJECTED)


def active_gallery(course: Course) -> Gallery | None:
    """The gallery that attendance is taken with, when it was made by the embedder that is in use."""
    return course.galleries.filter(active=True, embedder=settings.EMBEDDER).first()


def queued_gallery(course: Course) -> Gallery | None:
    """The gallery that is being made."""
    return course.galleries.filter(state=Gallery.State.QUEUED).first()


def gallery_is_due(course: Course) -> bool:
    """Whether the class needs a training: it has no gallery of this embedder, or photos came after it."""
    usable = Q(active=True, embedder=settings.EMBEDDER) | Q(state=Gallery.State.QUEUED)
    newest = course.galleries.filter(usable).order_by("-created_at").first()
    return newest is None or course_photos(course).filter(created_at__gt=newest.created_at).exists()
