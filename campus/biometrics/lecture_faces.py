"""Faces from lectures that a person has confirmed: how a class's gallery gets to know its students as the camera in the
room shows them.

A class learns only from its own lectures. A face that looks unlike the student's photos waits until a person has looked
at it, so that a wrong confirmation of one lecture teaches nothing.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import numpy as np
from django.db import transaction
from django.db.models import QuerySet

from campus.academics.models import Course
from campus.academics.services import mark_galleries_outdated
from campus.biometrics.gallery_cuts import forget_photo_in_galleries
from campus.biometrics.models import LectureFace
from campus.biometrics.selectors import learnable_faces
from campus.common.encrypted_fields import encrypt_for
from campus.common.storage import read_media, write_media
from campus.consent.selectors import students_with_basis
from recognition.vectors import Floats, normalise

log = logging.getLogger(__name__)

MAX_LECTURE_FACES = 12  # of a student in a class: the best of the latest lectures


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedFace:
    """A face crop that a person has confirmed: whose it is, of which lecture, and where its file is."""

    student: int
    lecture: int
    starts_at: datetime
    crop: str
    quality: float


@transaction.atomic
def replace_lecture_faces(*, course: Course, confirmed: Iterable[ConfirmedFace]) -> None:
    """Keep copies of the latest of these faces, and nothing else of this class's lectures. Nothing is learnt of whoever
    may not be recognised, and lectures whose faces the retention rules have deleted are left alone.

    What a person has decided about a face that stays holds.
    """
    faces = LectureFace.objects.select_for_update(of=("self",)).filter(lecture__course=course)
    if since := Course.objects.values_list("lecture_faces_since", flat=True).get(pk=course.pk):
        faces = faces.filter(lecture__starts_at__gte=since)
        confirmed = [face for face in confirmed if face.starts_at >= since]
    known = {(face.student_id, face.lecture_id, face.sha256): face for face in faces}
    allowed = set(students_with_basis(course.students.all(), course).values_list("pk", flat=True))
    for face in _latest(face for face in confirmed if face.student in allowed):
        try:
            content = read_media(face.crop)
        except FileNotFoundError:
            continue  # a new vote has deleted it meanwhile
        sha256 = hashlib.sha256(content).hexdigest()
        if known.pop((face.student, face.lecture, sha256), None) is None:
            crop = f"crops/lectures/{uuid4()}.jpg"
            write_media(crop, content)
            LectureFace.objects.create(
                student_id=face.student, lecture_id=face.lecture, crop=crop, sha256=sha256, quality=face.quality
            )
    for row in known.values():
        row.delete()
    for student in {row.student_id for row in known.values()}:
        forget_photo_in_galleries(student)


def _latest(confirmed: Iterable[ConfirmedFace]) -> Iterator[ConfirmedFace]:
    counts: dict[int, int] = {}
    for face in sorted(confirmed, key=lambda face: (face.starts_at, face.quality), reverse=True):
        counts[face.student] = counts.get(face.student, 0) + 1
        if counts[face.student] <= MAX_LECTURE_FACES:
            yield face


@transaction.atomic
def forget_lecture_faces(*, faces: QuerySet[LectureFace], before: dict[int, datetime]) -> None:
    """Delete these faces; their classes are trained again. `before`: by the ids of classes, the time of lectures from
    which on the class learns.
    """
    courses = Course.objects.filter(lectures__faces__in=faces).distinct()
    mark_galleries_outdated(courses=courses)
    for course in courses:
        Course.objects.filter(pk=course.pk).update(lecture_faces_since=before[course.pk])
    students = set(faces.values_list("student", flat=True))
    faces.delete()
    for student in students:
        forget_photo_in_galleries(student)


def decide_lecture_face(*, face: LectureFace, is_learnt: bool) -> None:
    """A person says whether the class may learn from this face, whatever it looks like."""
    state = LectureFace.State.LEARNT if is_learnt else LectureFace.State.REFUSED
    LectureFace.objects.filter(pk=face.pk).update(state=state)
    mark_galleries_outdated(courses=Course.objects.filter(lectures=face.lecture_id))


def unembedded_faces(course: Course, embedder: str) -> list[LectureFace]:
    """The faces of which this embedder's vectors are not known yet."""
    return list(learnable_faces(course).exclude(embedder=embedder, vector__isnull=False).order_by("pk"))


def save_lecture_face(*, face: LectureFace, vector: Floats, embedder: str, fits: bool) -> None:
    """Store a face's unit vector (d,) and, where nothing is decided about it yet, whether it fits the student."""
    rows = LectureFace.objects.filter(pk=face.pk)
    rows.update(embedder=embedder, vector=encrypt_for(face, "vector", vector.astype("<f4").tobytes()))
    rows.filter(state=LectureFace.State.NEW).update(
        state=LectureFace.State.LEARNT if fits else LectureFace.State.UNLIKE
    )


def lecture_means(course: Course, embedder: str) -> dict[str, list[Floats]]:
    """Student id → the mean unit vector (d,) float32 of what the class has learnt from each lecture, latest first."""
    rows = learnable_faces(course).filter(embedder=embedder, vector__isnull=False, state=LectureFace.State.LEARNT)
    by_lecture: dict[tuple[str, int], list[Floats]] = {}
    for row in rows.order_by("student", "-lecture__starts_at", "pk"):
        vector = np.frombuffer(bytes(row.vector or b""), dtype="<f4")
        by_lecture.setdefault((str(row.student_id), row.lecture_id), []).append(vector)
    means: dict[str, list[Floats]] = {}
    for (student, _), vectors in by_lecture.items():
        means.setdefault(student, []).append(normalise(np.mean(vectors, axis=0)))
    return means
