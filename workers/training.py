"""Imports enrolment photos from a zip, checks photos, and trains the gallery of a class."""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
from django.conf import settings

from campus.academics.models import Course
from campus.attendance.student_merge import recount_students_in_doubt
from campus.biometrics.lecture_faces import lecture_means, save_lecture_face, unembedded_faces
from campus.biometrics.models import FacePhoto, Gallery, PhotoImport, SentPhoto
from campus.biometrics.photo_zip import process_photo_import
from campus.biometrics.selectors import course_photos, photos_digest, training_sources
from campus.biometrics.sent_photos import finish_sent_photo
from campus.biometrics.services import (
    cohort,
    course_embeddings,
    finish_training,
    put_photos_aside,
    save_photo_verdict,
)
from campus.common import jobs
from campus.common.storage import MediaFile, read_media, write_media
from campus.consent.selectors import has_basis
from campus.recordings.services import request_waiting_votes
from recognition.embedding.stored_crops import embed_stored_crops
from recognition.errors import WeightsMissing
from recognition.identification import gallery
from recognition.identification.lecture_faces import NO_PHOTO, fit_students
from recognition.types import EnrolmentPhoto
from recognition.vectors import normalise
from workers import vision
from workers.leased_task import leased_task

log = logging.getLogger(__name__)


@leased_task(jobs.IMPORT_PHOTOS)
def import_photos(row: PhotoImport) -> None:
    if not process_photo_import(row=row):
        raise jobs.Postponed  # a large zip: the next attempt continues


@leased_task(jobs.CHECK_PHOTO)
def check_photo(photo: FacePhoto) -> None:
    if not has_basis(photo.student):
        put_photos_aside(photos=FacePhoto.objects.filter(pk=photo.pk))
        return
    with photos_wait_for_weights():
        [(_, result)] = embed_photos([photo], settings.EMBEDDER)
    save_photo_verdict(photo=photo, result=result, embedder=settings.EMBEDDER)


@leased_task(jobs.CHECK_SENT_PHOTO)
def check_sent_photo(photo: SentPhoto) -> None:
    """Nothing is kept of the face but the verdict: it is embedded when the photo is approved."""
    from recognition import pipeline

    if not has_basis(photo.link.student):
        photo.delete()  # what is not looked at can't be approved
        return
    with photos_wait_for_weights():
        file = MediaFile(str(photo.file.name))
        [result] = pipeline.check_enrolment_photos([file], vision.embedder(settings.EMBEDDER), vision.detector())
    finish_sent_photo(photo=photo, result=result)


@contextmanager
def photos_wait_for_weights() -> Iterator[None]:
    """Missing weights are not the photo's fault: it is checked when they are there."""
    try:
        yield
    except WeightsMissing as error:
        log.warning("Photos wait: %s", error)
        raise jobs.Postponed from error


def embed_photos(photos: Iterable[FacePhoto], embedder: str) -> Iterator[tuple[FacePhoto, EnrolmentPhoto]]:
    """Check photos and embed their faces.

    A photo that was accepted before, with another embedder, is not judged again.
    """
    from recognition import pipeline

    by_judged: dict[bool, list[FacePhoto]] = {False: [], True: []}
    for photo in photos:
        by_judged[photo.state != FacePhoto.Verdict.PENDING].append(photo)
    for is_judged, group in by_judged.items():
        files = (MediaFile(str(photo.file.name)) for photo in group)
        results = pipeline.check_enrolment_photos(
            files, vision.embedder(embedder), vision.detector(), strict=not is_judged
        )
        yield from zip(group, results, strict=True)


def update_results(gallery: Gallery) -> None:
    recount_students_in_doubt(course=gallery.course)
    request_waiting_votes(course=gallery.course)


def embed_new_lecture_faces(course: Course, embedder: str) -> None:
    """Embed the confirmed faces from lectures that this embedder has not seen. Those that look unlike their student's
    photos wait for a person.
    """
    pictures = []
    for face in unembedded_faces(course, embedder):
        with suppress(FileNotFoundError):  # deleted meanwhile
            pictures.append((face, read_media(face.crop)))
    known = {student: list(photos.values()) for student, photos in course_embeddings(course, embedder).items()}
    rows = {student: row for row, student in enumerate(student for student, photos in known.items() if photos)}
    if not (pictures and rows):
        return
    vectors = embed_stored_crops([picture for _, picture in pictures], vision.embedder(embedder))
    templates = np.stack([normalise(np.mean(known[student], axis=0)) for student in rows])
    students = np.array([rows.get(str(face.student_id), NO_PHOTO) for face, _ in pictures])
    fits = fit_students(vectors, students, templates, embedder)
    for (face, _), vector, is_fit in zip(pictures, vectors, fits, strict=True):
        save_lecture_face(face=face, vector=vector, embedder=embedder, fits=bool(is_fit))


@leased_task(jobs.TRAIN, after=update_results)
def train(row: Gallery) -> None:
    """Embed the photos and the faces from lectures that this embedder has not seen, and train the gallery from all.

    Embeddings are saved as they are made, so that another attempt continues from there.
    """
    unseen = course_photos(row.course).exclude(embeddings__embedder=row.embedder)
    for photo, result in embed_photos(unseen, row.embedder):
        save_photo_verdict(photo=photo, result=result, embedder=row.embedder)
    embed_new_lecture_faces(row.course, row.embedder)
    # Before the embeddings are read, so that a photo that is added in between makes another training due.
    digest, made_of = photos_digest(row.course), training_sources(row.course)
    people = course_embeddings(row.course, row.embedder)
    known = {student: list(photos.values()) for student, photos in people.items()}
    lectures = lecture_means(row.course, row.embedder)
    is_confirmed = set(map(str, course_photos(row.course).exclude(confirmed_at=None).values_list("pk", flat=True)))
    trained = gallery.train_gallery(
        known,
        row.embedder,
        strangers=cohort(row.course, row.embedder),
        confirmed={
            student: [i for i, photo in enumerate(photos) if photo in is_confirmed]
            for student, photos in people.items()
        },
        lectures=lectures,
    )
    suspects = {
        student: [suspect | {"photo": list(people[student])[suspect["photo"]]} for suspect in found]
        for student, found in trained.report["suspect_photos"].items()
    }
    name, content = f"galleries/{row.pk}-{row.lease_owner}.npz", trained.to_bytes()
    write_media(name, content)
    finish_training(
        gallery=row,
        path=name,
        sha256=hashlib.sha256(content).hexdigest(),
        embedder=trained.embedder,
        threshold=trained.threshold,
        margin=trained.margin,
        students=len(trained.labels),
        photos=sum(len(embeddings) for embeddings in people.values()),
        report=trained.report | {"suspect_photos": suspects},
        photos_digest=digest,
        members=[int(label) for label in trained.labels],
        made_of=made_of,
    )
