"""Which enrolment photos and galleries a user may see, and which of them a class's recordings need."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from campus.academics.models import Course, Enrolment, Student
from campus.academics.selectors import in_classes_of, lectures_for, students_for
from campus.accounts.roles import AnyUser, sees_everything
from campus.biometrics.models import Embedding, FacePhoto, Gallery, LectureFace, LookAlike, PhotoImport
from campus.consent.selectors import students_with_basis, without_refusal

USABLE_VERDICTS = (FacePhoto.Verdict.ACCEPTED, FacePhoto.Verdict.WARNING)
HAS_FILE = Q(state=Gallery.State.READY) & ~Q(path="")  # of galleries that attendance can be taken with


def photos_for(user: AnyUser) -> QuerySet[FacePhoto]:
    return FacePhoto.objects.filter(student__in=students_for(user))


def photo_imports_for(user: AnyUser) -> QuerySet[PhotoImport]:
    """The user's own imports: whose names are in a zip is nobody else's business."""
    return PhotoImport.objects.filter(user=user.pk)


def lecture_faces_for(user: AnyUser) -> QuerySet[LectureFace]:
    return LectureFace.objects.filter(lecture__in=lectures_for(user))


def galleries_for(user: AnyUser) -> QuerySet[Gallery]:
    return in_classes_of(user, Gallery.objects.all(), "course")


def look_alikes_for(user: AnyUser) -> QuerySet[LookAlike]:
    """The pairs of students whom the user may see, also those of whom a person said that they are two people."""
    pairs = LookAlike.objects.select_related("first", "second")
    if sees_everything(user):
        return pairs  # SQLite would look for every pair of all students
    students = students_for(user)
    return pairs.filter(first__in=students, second__in=students)


def count_verdicts(photos: QuerySet[FacePhoto]) -> dict[str, int]:
    """How many of the photos are usable, how many are not, and how many are not checked yet."""
    return photos.order_by().aggregate(
        usable=Count("pk", filter=Q(state__in=USABLE_VERDICTS)),
        rejected=Count("pk", filter=Q(state=FacePhoto.Verdict.REJECTED)),
        pending=Count("pk", filter=Q(state=FacePhoto.Verdict.PENDING)),
    )


def course_photos(course: Course) -> QuerySet[FacePhoto]:
    """The photos that a class's gallery may be made of: those, not rejected, of its students who may be recognised."""
    students = students_with_basis(course.students.all(), course)
    return FacePhoto.objects.filter(student__in=students.values("pk")).exclude(state=FacePhoto.Verdict.REJECTED)


def learnable_faces(course: Course) -> QuerySet[LectureFace]:
    """The faces from the class's own lectures that its gallery is made of, beside the photos."""
    usable = LectureFace.objects.filter(state__in=(LectureFace.State.NEW, LectureFace.State.LEARNT))
    return usable.filter(
        lecture__course=course, student__in=students_with_basis(course.students.all(), course).values("pk")
    )


def usable_embeddings(embedder: str) -> QuerySet[Embedding]:
    """What this embedder made of the photos of all students who may be recognised."""
    students = students_with_basis(Student.objects.all()).values("pk")
    return Embedding.objects.filter(embedder=embedder, vector__isnull=False, photo__student__in=students)


def active_gallery(course: Course) -> Gallery | None:
    """The gallery that attendance is taken with. It may be of another embedder than the class's next one will be."""
    return course.galleries.filter(active=True).first()


def embedder_in_use(course: Course) -> str:
    """The embedder for a class's next recording: that of its active gallery, so that the two can be compared."""
    gallery = active_gallery(course)
    return gallery.embedder if gallery else course.wanted_embedder


def gallery_for(course: Course, embedder: str) -> Gallery | None:
    """The latest ready gallery of this embedder, for a recording that began before the class changed its embedder."""
    return (
        course.galleries.filter(state=Gallery.State.READY, embedder=embedder).order_by("-active", "-created_at").first()
    )


def acceptance_threshold(gallery: Gallery, strictness: str) -> float | None:
    """The similarity from which a face that was seen several times is accepted as a student's."""
    return gallery.report.get("rates", {}).get(strictness, {}).get("threshold", gallery.threshold)


def queued_gallery(course: Course, embedder: str) -> Gallery | None:
    """The gallery of this embedder that is being made."""
    return course.galleries.filter(state=Gallery.State.QUEUED, embedder=embedder).first()


@dataclass(frozen=True, slots=True)
class TrainingSources:
    """What a gallery is made of: photos and faces from lectures, by their ids."""

    photos: frozenset[UUID]
    faces: frozenset[UUID]

    def may_be_used(self) -> bool:
        """Whether none of it was deleted meanwhile, nor may a student not be recognised any more."""
        students = students_with_basis(Student.objects.all()).values("pk")
        photos = FacePhoto.objects.filter(pk__in=self.photos, student__in=students).count() if self.photos else 0
        faces = LectureFace.objects.filter(pk__in=self.faces, student__in=students).count() if self.faces else 0
        return (photos, faces) == (len(self.photos), len(self.faces))


NO_SOURCES = TrainingSources(frozenset(), frozenset())


def training_sources(course: Course) -> TrainingSources:
    """What a gallery of the class would be made of now."""
    photos, faces = (rows.values_list("pk", flat=True) for rows in (course_photos(course), learnable_faces(course)))
    return TrainingSources(frozenset(photos), frozenset(faces))


def photos_digest(course: Course) -> str:
    """A digest of which photos and faces from lectures of whom a gallery of the class would be made of now, and which
    of the photos are confirmed.
    """
    rows = course_photos(course).order_by("student", "pk").values_list("student", "pk", "confirmed_at")
    lines = [f"{student} {photo} {'confirmed' if confirmed_at else ''}" for student, photo, confirmed_at in rows]
    faces = learnable_faces(course).order_by("student", "pk").values_list("student", "pk")
    lines += [f"{student} {face}" for student, face in faces]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def needs_training(course: Course) -> bool:
    """Whether the class has no gallery of its embedder, or one that was made of other photos.

    A training that is queued or running counts, with the photos that there were when it was requested.
    """
    usable = course.galleries.filter(Q(state=Gallery.State.QUEUED) | HAS_FILE)
    newest = usable.filter(embedder=course.wanted_embedder).order_by("-created_at").first()
    if newest is None:
        return True
    if newest.photos_digest:
        return newest.photos_digest != photos_digest(course)
    sources = (course_photos(course), learnable_faces(course))
    return any(rows.filter(created_at__gt=newest.created_at).exists() for rows in sources)


def enrolments_lacking_photos(courses: QuerySet[Course]) -> QuerySet[Enrolment]:
    """The current enrolments, in these classes, of students with fewer usable photos than wanted; not of those who
    have refused.
    """
    today = timezone.localdate()
    usable = FacePhoto.objects.filter(state__in=USABLE_VERDICTS).order_by().values("student").annotate(n=Count("pk"))
    enough = usable.filter(n__gte=settings.PHOTOS_PER_STUDENT).values("student")
    asked = without_refusal(Student.objects.all()).values("pk")
    here = Enrolment.objects.filter(Q(valid_to=None) | Q(valid_to__gte=today), course__in=courses, student__in=asked)
    return here.exclude(student__in=enough)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoCounts:
    """How many photos a student has, how many of them can be used, and how many wait for their verdict."""

    total: int = 0
    usable: int = 0
    pending: int = 0

    @property
    def is_enough(self) -> bool:
        return self.usable >= int(settings.PHOTOS_PER_STUDENT)


def photo_counts(user: AnyUser, students: Collection[int]) -> dict[int, PhotoCounts]:
    """By the ids of the students who have photos that the user may see."""
    rows = photos_for(user).filter(student__in=students).order_by().values("student")
    rows = rows.annotate(
        total=Count("pk"),
        usable=Count("pk", filter=Q(state__in=USABLE_VERDICTS)),
        pending=Count("pk", filter=Q(state=FacePhoto.Verdict.PENDING)),
    )
    return {
        student: PhotoCounts(total=total, usable=usable, pending=pending)
        for student, total, usable, pending in rows.values_list("student", "total", "usable", "pending")
    }


def photo_coverage(courses: QuerySet[Course]) -> dict[str, int]:
    """Of the students who are enrolled in these classes now: how many there are, and how many have a usable photo."""
    today = timezone.localdate()
    enrolled = Enrolment.objects.filter(Q(valid_to=None) | Q(valid_to__gte=today), course__in=courses)
    usable = FacePhoto.objects.filter(state__in=USABLE_VERDICTS, student=OuterRef("pk"))
    students = Student.objects.filter(pk__in=enrolled.values("student")).annotate(usable=Exists(usable))
    return students.aggregate(students=Count("pk"), with_photo=Count("pk", filter=Q(usable=True)))
