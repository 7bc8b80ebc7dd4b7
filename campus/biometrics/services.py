"""Everything that writes enrolment photos and galleries."""

import hashlib
import logging
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from django.conf import settings
from django.core.files import File
from django.db import IntegrityError, transaction

from campus.academics.models import Course, Student
from campus.biometrics.models import FacePhoto, Gallery
from campus.biometrics.photo_import import ImportResult, folder_entries, import_photos, zip_entries
from campus.biometrics.selectors import course_photos
from campus.errors import DISK_FULL, UserError, disk_full
from campus.names import clean
from campus.work import finish, request
from recognition.files import replacing
from recognition.types import EnrolmentPhoto

log = logging.getLogger(__name__)


def photo_add(*, student: Student, file: "File[Any]", name: str) -> FacePhoto:
    """Keep an enrolment photo and ask for the verdict on it. Raises UserError: empty, too large, already here, disk full."""
    size = file.size or 0
    if not size:
        raise UserError(f"{clean(name)} is empty. Choose another photo.")
    if size > settings.MAX_PHOTO_BYTES:
        raise UserError(f"{clean(name)} is larger than {settings.MAX_PHOTO_BYTES // 1024**2} MB. Make it smaller, or choose another photo.")
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    photo = FacePhoto(student=student, original_name=clean(name), sha256=digest.hexdigest())
    already_here = UserError(f"This photo of {student.name} is already here: {clean(name)}.")
    if FacePhoto.objects.filter(student=student, sha256=photo.sha256).exists():
        raise already_here
    try:
        photo.file.save(clean(name), file, save=False)
        with transaction.atomic():
            photo.save(force_insert=True)
            request("rollcall.check_photo", photo.pk)
    except IntegrityError:
        photo.file.delete(save=False)
        raise already_here from None
    except OSError as error:
        if disk_full(error):
            raise UserError(DISK_FULL) from error
        raise
    return photo


def photo_delete(*, photo: FacePhoto) -> None:
    """Forget a photo: the row, the file, and the face cut out of it."""
    names = [file.name for file in (photo.file, photo.chip) if file.name]
    with transaction.atomic():
        photo.delete()
        for name in names:
            transaction.on_commit(partial(photo.file.storage.delete, name), robust=True)


def photos_import_zip(*, file: IO[bytes], course: Course | None = None) -> ImportResult:
    """Take the photos of a zip of `<student number or name>/*.jpg`. Raises UserError where the whole zip is refused."""
    return import_photos(zip_entries(file), course=course, add=_add)


def photos_import_folder(*, folder: Path, course: Course | None = None) -> ImportResult:
    """Take the photos of a folder of `<student number or name>/*.jpg`. Raises UserError where there are none."""
    return import_photos(folder_entries(folder), course=course, add=_add)


def _add(student: Student, file: "File[Any]", name: str) -> FacePhoto:
    return photo_add(student=student, file=file, name=name)


def photo_checked(*, photo: FacePhoto, result: EnrolmentPhoto, embedder: str) -> None:
    """Write down what a photo is worth. The verdict follows from the file alone, so whoever comes first writes the same."""
    chip = f"chips/photos/{photo.pk}.jpg" if result.chip else ""
    if result.chip:
        with replacing(Path(settings.MEDIA_ROOT, chip)) as beside:
            beside.write_bytes(result.chip)
    written = FacePhoto.objects.filter(pk=photo.pk).update(
        state=result.verdict,
        reason=result.reason[:300],
        face_px=result.face_px,
        quality=result.quality,
        chip=chip,
        embedder=embedder,
        embedding=None if result.embedding is None else result.embedding.astype("<f4").tobytes(),
        error="",
        error_detail="",
        lease_owner="",
        lease_until=None,
    )
    if chip and not written:  # the photo was deleted meanwhile
        Path(settings.MEDIA_ROOT, chip).unlink(missing_ok=True)


def gallery_request(*, course: Course) -> Gallery:
    """Ask for a training of the class; one that waits already does. Raises UserError for a class without photos."""
    with transaction.atomic():
        Course.objects.select_for_update().get(pk=course.pk)
        waiting = course.galleries.filter(state=Gallery.State.QUEUED, attempts=0).first()
        if waiting:
            return waiting
        if not course_photos(course).exists():
            raise UserError(no_photos(course))
        gallery = Gallery.objects.create(course=course, embedder=settings.EMBEDDER)
        request("rollcall.train", gallery.pk)
    return gallery


def no_photos(course: Course) -> str:
    return f"There are no usable photos of the students of {course}. Add some in their files, then take attendance again."


def course_embeddings(course: Course, embedder: str) -> dict[str, list[np.ndarray]]:
    """Student id → unit vectors (float32) of the usable photos; an empty list for who has none."""
    people: dict[str, list[np.ndarray]] = {str(pk): [] for pk in course.students.order_by("pk").values_list("pk", flat=True)}
    for photo in course_photos(course).filter(embedder=embedder, embedding__isnull=False).order_by("student_id", "created_at", "id"):
        people[str(photo.student_id)].append(np.frombuffer(bytes(photo.embedding or b""), dtype="<f4"))
    return people


def gallery_trained(
    *,
    gallery: Gallery,
    path: str,
    sha256: str,
    embedder: str,
    threshold: float,
    margin: float,
    students: int,
    photos: int,
    report: dict[str, Any],
) -> bool:
    """The training is done: from now on attendance of the class is taken with it. False: this attempt lost its lease."""
    with transaction.atomic():
        Course.objects.select_for_update().get(pk=gallery.course_id)
        Gallery.objects.filter(course=gallery.course_id, active=True).update(active=False)
        done = finish(
            gallery,
            Gallery.State.READY,
            active=True,
            path=path,
            sha256=sha256,
            embedder=embedder,
            threshold=threshold,
            margin=margin,
            students=students,
            photos=photos,
            report=report,
        )
        if not done:
            transaction.set_rollback(True)
    return done


def gallery_discard(*, gallery: Gallery, error: str) -> None:
    """Its file is damaged or gone: make another one."""
    Gallery.objects.filter(pk=gallery.pk).update(active=False, state=Gallery.State.FAILED, error=error)
