"""Classes with trained galleries: the training is real, the faces are those of `tests.faults.fake_vision`."""

import json
from typing import Any

from django.core.files.base import ContentFile

from campus.biometrics.models import Gallery
from campus.biometrics.services import add_photo, request_training, save_photo_verdict
from campus.common import jobs
from campus.common.storage import MediaFile
from tests.campus import factories
from tests.faults import fake_vision
from workers.leased_task import run_attempt
from workers.training import train


def add_photos(student: Any, person: int) -> None:
    for variation in range(4):
        content = fake_vision.JPEG_HEAD + json.dumps({"person": person, "variation": 1000 + variation}).encode()
        photo = add_photo(student=student, file=ContentFile(content, "photo.jpg"), name="photo.jpg")
        save_photo_verdict(
            photo=photo,
            result=fake_vision.check_enrolment_photo(MediaFile(photo.file.name), fake_vision.Embedder()),
            embedder="dlib-resnet-v1",
        )


def train_gallery(course: Any) -> Gallery:
    row = jobs.TRAIN.claim(request_training(course=course).pk, "trainer")
    run_attempt(jobs.TRAIN, train, row)
    row.refresh_from_db()
    return row


def create_class(people: int) -> Any:
    course = factories.course()
    for person in range(people):
        student = factories.student(name=f"Student {person}")
        factories.enrol(course, student)
        add_photos(student, person)
    return course
