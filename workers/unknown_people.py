"""Compares a class's unknown people over its lectures, by their pictures."""

import logging

import numpy as np

from campus.attendance.models import UnknownComparison, UnknownPerson
from campus.attendance.recurring_people import finish_comparison, people_to_compare
from campus.biometrics.gallery_files import load_gallery
from campus.biometrics.selectors import active_gallery
from campus.common import jobs
from campus.common.storage import read_media_or_nothing
from recognition.embedding.stored_crops import embed_stored_crops
from recognition.errors import WeightsMissing
from recognition.tracking.linking import cluster_faces
from recognition.vectors import normalise
from workers import vision
from workers.leased_task import leased_task

log = logging.getLogger(__name__)


@leased_task(jobs.COMPARE_UNKNOWN)
def compare(row: UnknownComparison) -> None:
    gallery = active_gallery(row.course)
    if gallery is None:
        raise jobs.Postponed
    pictures = {person: _read_crops(person) for person in people_to_compare(row.course)}
    people = [person for person, crops in pictures.items() if crops]
    try:
        embedder = vision.embedder(gallery.embedder)
    except WeightsMissing as error:
        log.warning("Unknown people are not compared: %s", error)
        raise jobs.Postponed from error
    vectors = embed_stored_crops([crop for person in people for crop in pictures[person]], embedder)
    ends = np.cumsum([len(pictures[person]) for person in people], dtype=int)
    means = normalise(np.array([part.sum(axis=0) for part in np.split(vectors, ends[:-1])])) if people else vectors
    lectures = np.array([person.recording.lecture_id for person in people])
    numbers = cluster_faces(means, lectures[:, None] == lectures, load_gallery(gallery).clustering_threshold)
    numbers_of = dict(zip((person.pk for person in people), numbers.tolist(), strict=True))
    # Whoever has no picture is nobody else.
    finish_comparison(comparison=row, numbers={person.pk: numbers_of.get(person.pk, -person.pk) for person in pictures})


def _read_crops(person: UnknownPerson) -> list[bytes]:
    crops = [read_media_or_nothing(crop["file"]) for crop in person.crops]
    return [crop for crop in crops if crop]
