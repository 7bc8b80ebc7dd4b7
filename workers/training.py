"""Enrolment photos come out of their zip and get their verdict, and a class its gallery."""

import logging
from pathlib import Path

import numpy as np
from django.conf import settings

from campus.biometrics.models import FacePhoto, Gallery, PhotoImport
from campus.biometrics.photo_zip import process_photo_import
from campus.biometrics.selectors import course_photos, photos_digest
from campus.biometrics.services import cohort, course_embeddings, finish_training, save_photo_verdict
from campus.common import jobs
from campus.recordings.services import request_waiting_votes
from recognition.errors import RecognitionError, WeightsMissing
from recognition.identification import gallery
from recognition.messages import Message
from recognition.types import EnrolmentPhoto
from workers import vision
from workers.leased_task import leased_task

log = logging.getLogger(__name__)


@leased_task(jobs.IMPORT_PHOTOS)
def import_photos(row: PhotoImport) -> None:
    if not process_photo_import(row=row):
        raise jobs.Postponed  # a large one: the next attempt goes on


@leased_task(jobs.CHECK_PHOTO)
def check_photo(photo: FacePhoto) -> None:
    try:
        result = look(photo, settings.EMBEDDER)
    except WeightsMissing as error:
        log.warning("Photos wait: %s", error)
        raise jobs.Postponed from error  # the photo can't help it, and keeps its chance
    save_photo_verdict(photo=photo, result=result, embedder=settings.EMBEDDER)


def look(photo: FacePhoto, embedder: str) -> EnrolmentPhoto:
    """What a photo is to an embedder. One that has its verdict already is taken as it is."""
    from recognition import pipeline

    loaded = vision.embedder(embedder)  # not of the photo's making when it fails
    try:
        return pipeline.check_enrolment_photo(
            Path(photo.file.path), loaded, vision.detector(), strict=photo.state == FacePhoto.Verdict.PENDING
        )
    except RecognitionError as error:
        return EnrolmentPhoto(verdict="rejected", reason=error.message)
    except FileNotFoundError:
        return EnrolmentPhoto(
            verdict="rejected", reason=Message("The photo's file is missing on the server. Add the photo again.")
        )


def settled(gallery: Gallery) -> None:
    request_waiting_votes(course=gallery.course)


@leased_task(jobs.TRAIN, after=settled)
def train(row: Gallery) -> None:
    """Photos that were not looked at with this embedder yet are, one by one: a next attempt goes on from there."""
    for photo in course_photos(row.course).exclude(embeddings__embedder=row.embedder):
        save_photo_verdict(photo=photo, result=look(photo, row.embedder), embedder=row.embedder)
    inputs = photos_digest(
        row.course
    )  # before the embeddings, so that a photo that comes in between makes another training due
    people = course_embeddings(row.course, row.embedder)
    known = {student: list(photos.values()) for student, photos in people.items()}
    trained = gallery.train_gallery(known, row.embedder, strangers=cohort(row.course, row.embedder))
    path = Path(settings.MEDIA_ROOT, "galleries", f"{row.pk}-{row.lease_owner}.npz")
    sha256 = trained.save(path)
    finish_training(
        gallery=row,
        path=str(path.relative_to(settings.MEDIA_ROOT)),
        sha256=sha256,
        embedder=trained.embedder,
        threshold=trained.threshold,
        margin=trained.margin,
        students=len(trained.labels),
        photos=sum(len(embeddings) for embeddings in people.values()),
        report=trained.report | {"suspect_photos": suspects(trained, people)},
        inputs=inputs,
    )


def suspects(trained: gallery.Gallery, people: dict[str, dict[str, np.ndarray]]) -> dict[str, list[dict[str, str]]]:
    """The photos that look mislabelled: student id → for each its id, and the id of the other student who is nearest to it."""
    found = {}
    for student, rows in trained.report["suspect_photos"].items():
        photos = list(people[student])
        scores = trained.scores(np.stack([people[student][photos[row]] for row in rows]))
        scores[:, trained.labels.index(student)] = -1
        found[student] = [
            {"photo": photos[row], "nearest": trained.labels[k]}
            for row, k in zip(rows, scores.argmax(axis=1), strict=True)
        ]
    return found
