"""What becomes of faces when their students may be recognised from now on, or may not any more."""

import logging
from functools import reduce
from operator import or_
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from campus.academics.models import Course, Enrolment, Student
from campus.academics.services import mark_galleries_outdated
from campus.biometrics.gallery_cuts import destroy_gallery, forget_in_galleries
from campus.biometrics.models import Embedding, FacePhoto, Gallery, LectureFace, LookAlike, SentPhoto
from campus.biometrics.services import check_waiting_photos, delete_photo, put_photos_aside
from campus.consent.selectors import students_with_basis

log = logging.getLogger(__name__)


def follow_basis(students: QuerySet[Student], *, delete_photos: bool, **_: Any) -> None:
    """Have the photos checked of those who may be recognised now, and forget the others' faces. It is called in the
    transaction of what has changed.
    """
    allowed = students_with_basis(students)
    ended = list(students.exclude(pk__in=allowed.values("pk")).values_list("pk", flat=True))
    check_waiting_photos(students=students)
    withdraw_basis(students=ended, delete_photos=delete_photos)
    outdated = Course.objects.filter(pk__in=Enrolment.objects.filter(student__in=allowed.values("pk")).values("course"))
    mark_galleries_outdated(courses=outdated)
    _destroy_galleries_without_use()


@transaction.atomic
def withdraw_basis(*, students: list[int], delete_photos: bool) -> None:
    """Forget the faces of these students (ids): embeddings, templates in galleries, faces from lectures, and photos
    that were sent and not approved. Other photos wait, or are deleted too.
    """
    if not students:
        return
    LectureFace.objects.filter(student__in=students).delete()
    LookAlike.objects.filter(Q(first__in=students) | Q(second__in=students)).delete()
    SentPhoto.objects.filter(link__student__in=students).delete()
    photos = FacePhoto.objects.filter(student__in=students)
    if delete_photos:
        for photo in photos:
            delete_photo(photo=photo)
    else:
        put_photos_aside(photos=photos)
    forget_in_galleries(students)
    log.info("the faces of %d students were forgotten", len(students))


def forget_ended_bases() -> None:
    """Forget the faces of whoever may not be recognised any more without having said so: because a consent has run out,
    or faces are not recognised in the class or the institution now. The photos stay, and wait.
    """
    _destroy_galleries_without_use()
    known = (
        Embedding.objects.filter(photo__student=OuterRef("pk")),
        LectureFace.objects.filter(student=OuterRef("pk")),
        Gallery.members.through.objects.filter(student=OuterRef("pk")),
    )
    allowed = students_with_basis(Student.objects.all()).values("pk")
    rows = Student.objects.filter(reduce(or_, map(Exists, known))).exclude(pk__in=allowed)
    withdraw_basis(students=list(rows.values_list("pk", flat=True)), delete_photos=False)


def _destroy_galleries_without_use() -> None:
    """Those of classes in which faces are not recognised any more."""
    for gallery in Gallery.objects.filter(course__automatic_marking=False).exclude(path=""):
        destroy_gallery(gallery)
