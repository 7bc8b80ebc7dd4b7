"""Everything that writes enrolment photos and galleries."""

import hashlib
import logging
import time
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files import File
from django.db import IntegrityError, transaction
from django.db.models import F, OuterRef, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from campus.academics.models import Course, Enrolment, Student
from campus.academics.services import mark_galleries_outdated
from campus.accounts.history import current_user
from campus.accounts.names import display_name
from campus.audit.models import Action
from campus.audit.services import record_event, record_events
from campus.biometrics.gallery_cuts import destroy_gallery, forget_in_galleries, forget_photo_in_galleries
from campus.biometrics.look_alikes import save_look_alikes
from campus.biometrics.models import Embedding, FacePhoto, Gallery, PhotoImport, SentPhoto
from campus.biometrics.photo_consistency import check_consistency
from campus.biometrics.photo_import import ImportResult, folder_entries, import_all
from campus.biometrics.selectors import (
    NO_SOURCES,
    TrainingSources,
    course_photos,
    needs_training,
    usable_embeddings,
)
from campus.common import jobs
from campus.common.errors import DISK_FULL, UserError, disk_full
from campus.common.file_names import sanitize_file_name
from campus.common.storage import delete_media, delete_media_after_commit, media, write_media
from campus.consent.selectors import has_basis, students_with_basis
from recognition.media.file_kind import HEAD_BYTES, is_photo
from recognition.messages import Message
from recognition.types import EnrolmentPhoto

log = logging.getLogger(__name__)

MAX_COHORT_PEOPLE = 2000
TRAINING_DELAY = timedelta(minutes=1)  # a class is trained automatically after this long without a change
MAX_KEPT_GALLERIES = 5  # for each class and embedder, to go back to
ORPHAN_RETENTION_SECONDS = 24 * 3600


def check_photo_file(file: "File[Any]", name: str) -> str:
    """The SHA-256 of a photo. Raises UserError for a file that is too large, empty, or by its first bytes no photo."""
    if (file.size or 0) > settings.MAX_PHOTO_BYTES:
        raise UserError(
            "{name} is larger than {n} MB. Make it smaller, or choose another photo.",
            name=sanitize_file_name(name),
            n=settings.MAX_PHOTO_BYTES // 1024**2,
        )
    head = next(iter(file.chunks(HEAD_BYTES)), b"")
    if not head:
        raise UserError("{name} is empty. Choose another photo.", name=sanitize_file_name(name))
    if not is_photo(head):
        raise UserError("{name} is no photo. Choose one, such as a JPEG or PNG file.", name=sanitize_file_name(name))
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return digest.hexdigest()


def add_photo(
    *,
    student: Student,
    file: "File[Any]",
    name: str,
    photo_import: PhotoImport | None = None,
) -> FacePhoto:
    """Store an enrolment photo and request a check of it. While its student may not be recognised, it waits.

    Raises UserError: too large, empty, no photo, already here, disk full.
    """
    photo = FacePhoto(
        student=student,
        original_name=sanitize_file_name(name),
        sha256=check_photo_file(file, name),
        photo_import=photo_import,
        state=_first_state(student),
    )
    already_here = UserError(
        "This photo of {name} is already here: {file}.", name=student.name, file=sanitize_file_name(name)
    )
    if FacePhoto.objects.filter(student=student, sha256=photo.sha256).exists():
        raise already_here
    try:
        photo.file.save(sanitize_file_name(name), file, save=False)
        with transaction.atomic():
            photo.save(force_insert=True)
            if photo.state == FacePhoto.Verdict.PENDING:
                jobs.CHECK_PHOTO.request(photo.pk)
    except IntegrityError:
        photo.file.delete(save=False)
        raise already_here from None
    except OSError as error:
        if disk_full(error):
            raise UserError(DISK_FULL) from error
        raise
    return photo


def move_photo(*, photo: FacePhoto, student: Student) -> None:
    """Assign a photo to another student, whom it really shows, and have it checked again: what the verdict says of the
    other photos and students was about the student before, and so was a confirmation.

    Raises UserError if that student has it already.
    """
    if FacePhoto.objects.filter(student=student, sha256=photo.sha256).exists():
        raise UserError("{student} has this photo already. Delete it here instead.", student=student)
    with transaction.atomic():
        _mark_galleries_outdated(photo.student_id, student.pk)
        FacePhoto.objects.filter(pk=photo.pk).update(
            student=student,
            created_at=timezone.now(),
            state=_first_state(student),
            reason="",
            confirmed_at=None,
            confirmed_by="",
            **jobs.RESET_FIELDS,
        )
        record_events(current_user(), Action.CHANGED_PHOTOS, [photo.student_id, student.pk], about=f"{photo.pk} moved")
        jobs.CHECK_PHOTO.request(photo.pk)


def _first_state(student: Student) -> FacePhoto.Verdict:
    return FacePhoto.Verdict.PENDING if has_basis(student) else FacePhoto.Verdict.WAITING


def delete_photo(*, photo: FacePhoto) -> None:
    """Delete a photo: the row, the file, what is shown in its place, and what galleries have of it."""
    names = [file.name for file in (photo.file, photo.crop, photo.thumbnail) if file.name]
    student = photo.student_id
    with transaction.atomic():
        _mark_galleries_outdated(student)
        photo.delete()
        SentPhoto.objects.filter(link__student=student, sha256=photo.sha256).delete()
        for name in names:
            delete_media_after_commit(name)
        if FacePhoto.objects.filter(student=student).exists():
            forget_photo_in_galleries(student)
        else:
            forget_in_galleries([student])


def confirm_photo(*, photo: FacePhoto, user: User) -> None:
    """A person says that the photo shows its student: from the next training on it counts, however it looks."""
    unconfirmed = FacePhoto.objects.filter(pk=photo.pk, confirmed_at=None)
    if unconfirmed.update(confirmed_at=timezone.now(), confirmed_by=display_name(user)):
        record_event(user, Action.CHANGED_PHOTOS, student=photo.student_id, about=f"facephoto {photo.pk} confirmed")
        _mark_galleries_outdated(photo.student_id)


def withdraw_photo_confirmation(*, photo: FacePhoto, user: User) -> None:
    """Take back that the photo shows its student: trainings leave it out again where it looks mislabelled."""
    if FacePhoto.objects.filter(pk=photo.pk).exclude(confirmed_at=None).update(confirmed_at=None, confirmed_by=""):
        about = f"facephoto {photo.pk} not confirmed any more"
        record_event(user, Action.CHANGED_PHOTOS, student=photo.student_id, about=about)
        _mark_galleries_outdated(photo.student_id)


def import_photo_folder(*, folder: Path, course: Course | None = None) -> ImportResult:
    """Add the photos of a folder of `<student number or name>/*.jpg`. Raises UserError if there are none."""
    return import_all(folder_entries(folder), course=course, add=add_photo)


def save_photo_verdict(*, photo: FacePhoto, result: EnrolmentPhoto, embedder: str) -> None:
    """Store a photo's embedding and, if the photo still waits for its verdict, the verdict: from its quality, and from
    a comparison with the student's other photos and with those of the class.
    """
    vector = None if result.embedding is None else result.embedding.astype("<f4").tobytes()
    with transaction.atomic():
        if not FacePhoto.objects.select_for_update().filter(pk=photo.pk, student=photo.student_id).exists():
            return  # deleted or moved meanwhile
        if not has_basis(photo.student):
            put_photos_aside(photos=FacePhoto.objects.filter(pk=photo.pk))
            return
        Embedding.objects.update_or_create(photo_id=photo.pk, embedder=embedder, defaults={"vector": vector})
    if photo.state != FacePhoto.Verdict.PENDING:
        return
    crop = f"crops/photos/{photo.pk}.jpg" if result.crop else ""
    if result.crop:
        write_media(crop, result.crop)
    thumbnail = f"thumbnails/{photo.pk}.jpg" if result.thumbnail else ""
    if result.thumbnail:
        write_media(thumbnail, result.thumbnail)
    verdict, reason = result.verdict, result.reason
    if result.crop and verdict != FacePhoto.Verdict.REJECTED:
        doubt, why = check_consistency(photo, result, result.crop, embedder)
        verdict, reason = doubt or verdict, why or reason
    rows = FacePhoto.objects.filter(pk=photo.pk)
    written = rows.filter(student=photo.student_id).update(  # one that was moved meanwhile is checked again
        state=verdict,
        reason=reason,
        face_px=result.face_px,
        quality=result.quality,
        crop=crop,
        thumbnail=thumbnail,
        error="",
        error_detail="",
        lease_owner="",
        lease_until=None,
    )
    if written:
        _mark_galleries_outdated(photo.student_id)
    elif not rows.exists():  # the photo was deleted meanwhile
        for name in filter(None, (crop, thumbnail)):
            delete_media(name)


def put_photos_aside(*, photos: QuerySet[FacePhoto]) -> None:
    """Let photos wait until their students may be recognised, and forget what was made of them."""
    for photo in photos:
        for name in filter(None, (photo.crop.name, photo.thumbnail.name)):
            delete_media_after_commit(name)
    Embedding.objects.filter(photo__in=photos).delete()
    photos.exclude(state=FacePhoto.Verdict.WAITING).update(
        state=FacePhoto.Verdict.WAITING,
        **{"reason": "", "face_px": 0, "quality": 0, "crop": "", "thumbnail": "", "error": "", "error_detail": ""},
        **jobs.RESET_FIELDS,
    )


def photos_to_check(*, students: QuerySet[Student] | None = None) -> QuerySet[FacePhoto]:
    """Those that waited for their students (any, or these) to agree, who have."""
    allowed = students_with_basis(Student.objects.all() if students is None else students).values("pk")
    return FacePhoto.objects.filter(state=FacePhoto.Verdict.WAITING, student__in=allowed)


def check_waiting_photos(*, students: QuerySet[Student] | None = None) -> int:
    """Have those photos checked that waited for their students (any, or these) to agree; returns how many."""
    pks = list(photos_to_check(students=students).values_list("pk", flat=True))
    if pks:
        FacePhoto.objects.filter(pk__in=pks).update(state=FacePhoto.Verdict.PENDING)
        jobs.CHECK_PHOTO.request(*pks)
    return len(pks)


def _mark_galleries_outdated(*students: int) -> None:
    mark_galleries_outdated(
        courses=Course.objects.filter(pk__in=Enrolment.objects.filter(student__in=students).values("course"))
    )


def courses_with_changed_faces() -> QuerySet[Course]:
    """The classes whose faces have changed, and then stayed the same for a minute."""
    return Course.objects.filter(gallery_outdated_at__lt=timezone.now() - TRAINING_DELAY)


def request_due_trainings() -> int:
    """Request a training of each class whose faces have changed and then stayed the same for a minute.

    Returns how many were requested. A class with unchecked photos waits for their verdicts.
    """
    asked = 0
    for course in courses_with_changed_faces():
        if course_photos(course).filter(state=FacePhoto.Verdict.PENDING).exists():
            continue
        unchanged = Course.objects.filter(pk=course.pk, gallery_outdated_at=course.gallery_outdated_at)
        if unchanged.update(gallery_outdated_at=None) and course_photos(course).exists() and needs_training(course):
            request_training(course=course)
            asked += 1
    return asked


def request_training(*, course: Course) -> Gallery:
    """Request a training of the class with its embedder; one that is queued already serves.

    Raises UserError for a class without photos.
    """
    with transaction.atomic():
        course = Course.objects.select_for_update().get(pk=course.pk)
        waiting = course.galleries.filter(state=Gallery.State.QUEUED, attempts=0)
        if waiting.update(embedder=course.wanted_embedder):
            return waiting.latest("created_at")
        if not students_with_basis(course.students.all(), course).exists() and course.students.exists():
            raise UserError(
                "The face of no student of {course} may be recognised now. Take the roll by hand.", course=course
            )
        if not course_photos(course).exists():
            raise UserError(
                "There are no usable photos of the students of {course}. Add some in their files, then take "
                "attendance again.",
                course=course,
            )
        gallery = Gallery.objects.create(course=course, embedder=course.wanted_embedder)
        record_event(current_user(), Action.TRAINED, course=course.pk, about=f"gallery {gallery.pk}")
        jobs.TRAIN.request(gallery.pk)
    return gallery


def set_embedder(*, course: Course, embedder: str) -> Gallery | None:
    """Choose what compares the faces of a class ("" is the server's default), and request the training that this needs.

    The present gallery stays in use until that is done. None if there are no photos to train with yet.
    """
    Course.objects.filter(pk=course.pk).update(embedder=embedder)
    return request_training(course=course) if course_photos(course).exists() else None


def course_embeddings(course: Course, embedder: str) -> dict[str, dict[str, np.ndarray]]:
    """Student id → photo id → unit vector (float32) of the usable photos; an empty one for who has none."""
    people: dict[str, dict[str, np.ndarray]] = {
        str(pk): {} for pk in course.students.order_by("pk").values_list("pk", flat=True)
    }
    rows = usable_embeddings(embedder).filter(photo__in=course_photos(course)).select_related("photo")
    for row in rows.order_by("photo__student_id", "photo__created_at", "photo_id"):
        people[str(row.photo.student_id)][str(row.photo_id)] = _vector(row)
    return people


def cohort(course: Course, embedder: str) -> np.ndarray | None:
    """Unit vectors (n, d) float32 of students of other classes, who are strangers to this one.

    One vector each, always the same; None if there is nobody.
    """
    elsewhere = FacePhoto.objects.filter(student__enrolments__isnull=False).exclude(student__enrolments__course=course)
    usable = (
        usable_embeddings(embedder)
        .filter(photo__in=elsewhere.exclude(state=FacePhoto.Verdict.REJECTED))
        .order_by("photo_id")
    )
    first = usable.filter(photo__student=OuterRef("photo__student")).values("pk")[:1]
    # The photos' ids are random, so that the first of them are a fair sample.
    vectors = [_vector(row) for row in usable.filter(pk=Subquery(first))[:MAX_COHORT_PEOPLE]]
    return np.stack(vectors) if vectors else None


def _vector(row: Embedding) -> np.ndarray:
    return np.frombuffer(bytes(row.vector or b""), dtype="<f4")


def finish_training(
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
    photos_digest: str = "",
    members: Collection[int] = (),
    made_of: TrainingSources = NO_SOURCES,
) -> bool:
    """The training is done: from now on attendance of the class is taken with it, unless one that was asked for later
    was quicker.

    False: this attempt lost its lease. Raises Postponed where something that it was `made_of` is gone meanwhile.
    """
    with transaction.atomic():
        Course.objects.select_for_update().get(pk=gallery.course_id)
        if not made_of.may_be_used():
            raise jobs.Postponed
        others = Gallery.objects.filter(course=gallery.course_id, active=True)
        others.filter(created_at__lte=gallery.created_at).update(active=False)
        done = jobs.finish(
            gallery,
            Gallery.State.READY,
            active=not others.exists(),
            path=path,
            sha256=sha256,
            embedder=embedder,
            threshold=threshold,
            margin=margin,
            students=students,
            photos=photos,
            report=report,
            photos_digest=photos_digest,
        )
        if done:
            pairs = [(int(a), int(b), similarity) for a, b, similarity in report.get("same_person", [])]
            save_look_alikes(course=gallery.course, pairs=pairs)
            gallery.members.set(members)
            _destroy_unused_galleries(gallery.course_id)
        else:
            transaction.set_rollback(True)
    return done


def discard_gallery(*, gallery: Gallery, error: Message) -> None:
    """Mark a gallery whose file is damaged or gone as failed, so that another one is made."""
    Gallery.objects.filter(pk=gallery.pk).update(active=False, state=Gallery.State.FAILED, error=error)


def activate_gallery(*, gallery: Gallery, user: User) -> None:
    """Take attendance with this gallery until the next training. Raises UserError if it has no file."""
    with transaction.atomic():
        Course.objects.select_for_update().get(pk=gallery.course_id)
        gallery.refresh_from_db()
        if gallery.state != Gallery.State.READY or not (gallery.path and media().exists(gallery.path)):
            raise UserError("This gallery has no file any more. Use another one, or train the class's gallery again.")
        Gallery.objects.filter(course=gallery.course_id, active=True).update(active=False)
        Gallery.objects.filter(pk=gallery.pk).update(active=True)
        _destroy_unused_galleries(gallery.course_id)
        record_event(user, Action.TRAINED, course=gallery.course_id, about=f"gallery {gallery.pk} in use")


def _destroy_unused_galleries(course: int) -> None:
    """Those of the class that were in use when a photo in them was deleted, and are no longer."""
    for row in Gallery.objects.filter(course=course, active=False, photos_deleted=True).exclude(path=""):
        destroy_gallery(row)


def delete_expired_galleries() -> None:
    """Delete the files of galleries that nobody returns to, and those that a lost attempt left; the rows stay."""
    rank = Window(RowNumber(), partition_by=[F("course"), F("embedder")], order_by=F("created_at").desc())
    ready = Gallery.objects.filter(state=Gallery.State.READY).exclude(path="")
    old = [row for row in ready.annotate(rank=rank) if row.rank > MAX_KEPT_GALLERIES and not row.active]
    for row in old:
        if Gallery.objects.filter(pk=row.pk, active=False).update(path=""):
            row.members.clear()
            delete_media(row.path)
    known = set(Gallery.objects.exclude(path="").values_list("path", flat=True))
    before = time.time() - ORPHAN_RETENTION_SECONDS
    for file in media().walk("galleries"):
        if file.name not in known and file.modified < before:
            delete_media(file.name)
