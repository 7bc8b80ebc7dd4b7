"""Which enrolment photos and galleries a user may see, and which of them a class's recordings need."""

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
    """The gallery that attendance is taken with. It may be of another embedder than the class's next one will be."""
    return course.galleries.filter(active=True).first()


def embedder_in_use(course: Course) -> str:
    """The embedder that a class's next recording is recognised with: its active gallery's, so that the two can be compared."""
    gallery = active_gallery(course)
    return gallery.embedder if gallery else course.wanted_embedder


def gallery_of(course: Course, embedder: str) -> Gallery | None:
    """The latest ready gallery of that embedder: a recording that was begun before a change of embedders is compared with it."""
    return course.galleries.filter(state=Gallery.State.READY, embedder=embedder).order_by("-active", "-created_at").first()


def threshold(gallery: Gallery, sureness: str) -> float | None:
    """From which similarity on a face seen several times is taken for a student's."""
    return gallery.report.get("rates", {}).get(sureness, {}).get("threshold", gallery.threshold)


def queued_gallery(course: Course, embedder: str) -> Gallery | None:
    """The gallery of that embedder that is being made."""
    return course.galleries.filter(state=Gallery.State.QUEUED, embedder=embedder).first()


def gallery_is_due(course: Course) -> bool:
    """Whether the class needs a training: it has no gallery of the embedder that it wants, or photos came after it."""
    usable = Q(active=True) | Q(state=Gallery.State.QUEUED)
    newest = course.galleries.filter(usable, embedder=course.wanted_embedder).order_by("-created_at").first()
    return newest is None or course_photos(course).filter(created_at__gt=newest.created_at).exists()
