"""Enrolment photos and galleries: what is kept, what is refused, when a training is due."""

from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError

from campus.biometrics.models import FacePhoto, Gallery
from campus.biometrics.selectors import active_gallery, embedder_in_use, needs_training
from campus.biometrics.services import (
    add_photo,
    confirm_photo,
    course_embeddings,
    delete_photo,
    finish_training,
    move_photo,
    request_training,
    save_photo_verdict,
)
from campus.common import jobs
from campus.common.errors import UserError
from campus.common.storage import local_path
from recognition.media.file_kind import JPEG_START
from recognition.messages import Message
from recognition.types import EnrolmentPhoto
from tests.campus import factories

pytestmark = pytest.mark.django_db


def add(student, content: bytes = JPEG_START + b"photo", name: str = "me.jpg") -> FacePhoto:
    return add_photo(student=student, file=ContentFile(content, name), name=name)


def test_a_photo_waits_for_its_verdict_and_comes_once() -> None:
    student = factories.student()
    photo = add(student, name="../me.jpg")
    assert (photo.state, photo.original_name, photo.file.name) == ("pending", "me.jpg", f"photos/{photo.pk}.jpg")
    with pytest.raises(UserError, match="already here"):
        add(student)
    add(factories.student())
    assert FacePhoto.objects.count() == 2


def test_only_photos_are_stored() -> None:
    for content in (b"<html><script>alert(1)</script>", b"<svg onload=alert(1)>", b"GIF", b"%PDF-1.7"):
        with pytest.raises(UserError, match="no photo"):
            add(factories.student(), content, "me.jpg")
    assert not FacePhoto.objects.exists()


def test_empty_and_huge_photos_are_refused(settings) -> None:
    settings.MAX_PHOTO_BYTES = 4
    with pytest.raises(UserError, match="empty"):
        add(factories.student(), b"")
    with pytest.raises(UserError, match="larger than"):
        add(factories.student())
    assert not FacePhoto.objects.exists()


def test_the_verdict_is_kept_with_face_and_embedding() -> None:
    photo = add(factories.student())
    vector = np.eye(1, 128, dtype=np.float32)[0]
    result = EnrolmentPhoto(
        verdict="warning",
        reason=Message("A little dark."),
        face_px=80.0,
        sharpness=0.5,
        quality=0.6,
        embedding=vector,
        crop=b"face",
    )
    for _ in range(2):  # whoever comes second writes the same
        save_photo_verdict(photo=photo, result=result, embedder="dlib-resnet-v1")
        photo.refresh_from_db()
        assert (photo.state, str(photo.reason), photo.face_px) == ("warning", "A little dark.", 80.0)
        assert photo.crop.read() == b"face"
        assert np.array_equal(np.frombuffer(photo.embeddings.get().vector, "<f4"), vector)


@pytest.mark.django_db(transaction=True)
def test_a_photo_without_a_face_is_shown_small_and_nothing_is_left_of_it() -> None:
    photo = add(factories.student())
    result = EnrolmentPhoto(verdict="rejected", reason=Message("No face."), thumbnail=b"small")
    save_photo_verdict(photo=photo, result=result, embedder="dlib-resnet-v1")
    photo.refresh_from_db()
    assert (photo.thumbnail.read(), photo.crop) == (b"small", "")
    delete_photo(photo=photo)
    assert not list(local_path().rglob(f"*{photo.pk}*"))


def test_a_moved_photo_is_checked_anew_and_a_verdict_on_the_student_before_does_not_count() -> None:
    student, registrar = factories.student(), factories.registrar()
    photo = factories.photo(state="warning", reason=Message("The face is nearer to {other}.", other="Ann"))
    confirm_photo(photo=photo, user=registrar)
    FacePhoto.objects.filter(pk=photo.pk).update(state="pending")
    held = jobs.CHECK_PHOTO.claim(photo.pk, "slow")
    move_photo(photo=photo, student=student)
    save_photo_verdict(photo=held, result=EnrolmentPhoto(verdict="rejected", reason=Message("No.")), embedder="a")
    photo.refresh_from_db()
    assert (photo.student, photo.state, str(photo.reason), photo.confirmed_at) == (student, "pending", "", None)
    held = jobs.CHECK_PHOTO.claim(photo.pk, "worker")
    save_photo_verdict(photo=held, result=EnrolmentPhoto(verdict="accepted", reason=Message()), embedder="a")
    photo.refresh_from_db()
    assert photo.state == "accepted"


def test_a_gallery_is_of_one_embedder_and_of_usable_photos() -> None:
    course = factories.course(students=2)
    first, second = course.students.all()
    vector = np.eye(1, 128, dtype=np.float32)[0]
    for verdict, embedder in [("accepted", "a"), ("warning", "a"), ("accepted", "b"), ("rejected", "a")]:
        save_photo_verdict(
            photo=factories.photo(first, state="pending"),
            result=EnrolmentPhoto(verdict=verdict, reason=Message(), embedding=vector),
            embedder=embedder,
        )
    people = course_embeddings(course, "a")
    assert {label: len(vectors) for label, vectors in people.items()} == {str(first.pk): 2, str(second.pk): 0}


def test_a_class_without_photos_cannot_be_trained() -> None:
    course = factories.course(students=1)
    factories.photo(course.students.get(), state="rejected")
    with pytest.raises(UserError, match="no usable photos"):
        request_training(course=course)


def test_one_training_waits_at_a_time() -> None:
    course = factories.course(students=1)
    factories.photo(course.students.get())
    waiting = request_training(course=course)
    assert request_training(course=course) == waiting
    jobs.TRAIN.claim(waiting.pk, "me")
    assert request_training(course=course) != waiting, "one at work may have missed what is new"


def test_the_newest_training_counts() -> None:
    course = factories.course(students=1)
    factories.photo(course.students.get())
    old = factories.gallery(course)
    row = jobs.TRAIN.claim(request_training(course=course).pk, "me")
    facts: dict[str, Any] = {
        "path": "galleries/x.npz",
        "sha256": "0" * 64,
        "embedder": "dlib-resnet-v1",
        "threshold": 0.9,
        "margin": 0.1,
        "students": 1,
        "photos": 1,
        "report": {},
    }
    assert finish_training(gallery=row, **facts)
    assert active_gallery(course) == row
    assert not finish_training(gallery=row, **facts), "a zombie"
    old.refresh_from_db()
    assert not old.active
    assert Gallery.objects.filter(course=course, active=True).count() == 1
    with pytest.raises(IntegrityError):
        factories.gallery(course)


def test_a_zombie_does_not_switch_the_gallery_off() -> None:
    course = factories.course(students=1)
    factories.photo(course.students.get())
    old = factories.gallery(course)
    row = jobs.TRAIN.claim(request_training(course=course).pk, "me")
    Gallery.objects.filter(pk=row.pk).update(lease_owner="somebody else")
    facts: dict[str, Any] = {
        "path": "x",
        "sha256": "0",
        "embedder": "e",
        "threshold": 0.9,
        "margin": 0.1,
        "students": 1,
        "photos": 1,
        "report": {},
    }
    assert not finish_training(gallery=row, **facts)
    old.refresh_from_db()
    assert old.active


def test_when_a_training_is_due(settings) -> None:
    course = factories.course(students=1)
    factories.photo(course.students.get())
    assert needs_training(course)
    factories.gallery(course)
    assert not needs_training(course)
    factories.photo(course.students.get())
    assert needs_training(course), "a photo came after it"
    request_training(course=course)
    assert not needs_training(course), "it is asked for"
    settings.EMBEDDER = "facenet-20180402"
    Gallery.objects.filter(state="queued").delete()
    assert needs_training(course), "another embedder is wanted"
    assert embedder_in_use(course) == "dlib-resnet-v1", "until that one is trained"
