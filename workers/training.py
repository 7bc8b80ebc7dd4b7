"""Enrolment photos get their verdict, and a class its gallery."""

import logging
from pathlib import Path

from django.conf import settings

from campus.biometrics.models import FacePhoto, Gallery
from campus.biometrics.selectors import course_photos
from campus.biometrics.services import course_embeddings, gallery_trained, photo_checked
from campus.footage.services import gallery_settled
from recognition.errors import RecognitionError, WeightsMissing
from recognition.types import EnrolmentPhoto
from workers.attempt import Postponed, work
from workers.vision import models

log = logging.getLogger(__name__)


@work("rollcall.check_photo")
def check_photo(photo: FacePhoto) -> None:
    try:
        result = look(photo)
    except WeightsMissing as error:
        log.warning("Photos wait: %s", error)
        raise Postponed from error  # the photo can't help it, and keeps its chance
    photo_checked(photo=photo, result=result, embedder=settings.EMBEDDER)


def look(photo: FacePhoto) -> EnrolmentPhoto:
    from recognition import pipeline

    loaded = models()  # not of the photo's making when it fails
    try:
        return pipeline.check_photo(Path(photo.file.path), loaded)
    except RecognitionError as error:
        return EnrolmentPhoto("rejected", str(error))
    except FileNotFoundError:
        return EnrolmentPhoto("rejected", "The photo's file is missing on the server. Add the photo again.")


def settled(gallery: Gallery) -> None:
    gallery_settled(course=gallery.course)


@work("rollcall.train", after=settled)
def train(row: Gallery) -> None:
    """Photos that were not looked at with this embedder yet are, one by one: a next attempt goes on from there."""
    from recognition import gallery

    for photo in course_photos(row.course).exclude(embedder=settings.EMBEDDER):
        photo_checked(photo=photo, result=look(photo), embedder=settings.EMBEDDER)
    people = course_embeddings(row.course, settings.EMBEDDER)
    trained = gallery.train(people, settings.EMBEDDER)
    path = Path(settings.MEDIA_ROOT, "galleries", f"{row.pk}-{row.lease_owner}.npz")
    sha256 = trained.save(path)
    gallery_trained(
        gallery=row,
        path=str(path.relative_to(settings.MEDIA_ROOT)),
        sha256=sha256,
        embedder=trained.embedder,
        threshold=trained.threshold,
        margin=trained.margin,
        students=len(trained.labels),
        photos=sum(len(embeddings) for embeddings in people.values()),
        report=trained.report,
    )
