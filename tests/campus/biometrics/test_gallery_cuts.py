"""A face template is gone with the photos that it was made of: from the gallery in use and from those of before."""

import hashlib
from typing import Any

import numpy as np
import pytest

from campus.academics.models import Course, Student
from campus.biometrics import services
from campus.biometrics.gallery_cuts import forget_in_galleries
from campus.biometrics.gallery_files import load_gallery
from campus.biometrics.models import Gallery
from campus.biometrics.selectors import active_gallery, training_sources
from campus.common import jobs
from campus.common.errors import UserError
from campus.common.storage import media, read_media, write_media
from recognition.identification.gallery import train_gallery
from tests.campus import factories

pytestmark = pytest.mark.django_db(transaction=True)

EMBEDDER = "dlib-resnet-v1"


def vectors_of(student: Student, count: int = 2) -> list[np.ndarray]:
    vectors = (
        np.random.default_rng(student.pk).normal(size=128) + np.random.default_rng(1).normal(size=(count, 128)) / 4
    )
    return list((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))


def facts_of(course: Course, name: str, **report: Any) -> dict[str, Any]:
    """A real gallery of the class's students, as a training would finish it."""
    students = list(course.students.order_by("pk"))
    content = train_gallery({str(student.pk): vectors_of(student) for student in students}, EMBEDDER).to_bytes()
    write_media(name, content)
    return {
        "path": name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "embedder": EMBEDDER,
        "threshold": 0.9,
        "margin": 0.1,
        "students": len(students),
        "photos": len(students),
        "report": report,
        "members": [student.pk for student in students],
        "made_of": training_sources(course),
    }


def train(course: Course, **report: Any) -> Gallery:
    row = jobs.TRAIN.claim(services.request_training(course=course).pk, "me")
    assert services.finish_training(gallery=row, **facts_of(course, f"galleries/{row.pk}.npz", **report))
    row.refresh_from_db()
    return row


@pytest.fixture
def course() -> Course:
    course = factories.course(students=3)
    for student in course.students.all():
        for _ in range(2):
            factories.photo(student)
    return course


def nearest(gallery: Gallery, student: Student) -> float:
    """How near the student's face comes to any template in the gallery's file."""
    return float(load_gallery(gallery).scores(np.stack(vectors_of(student))).max())


def test_a_student_is_cut_out_of_the_gallery_in_use_and_the_others_are_destroyed(course: Course) -> None:
    ann, bob, _cid = course.students.order_by("pk")
    pairs = [[str(ann.pk), str(bob.pk), 0.9]]
    old = train(course)
    now = train(course, few_photos=[str(ann.pk), str(bob.pk)], suspect_photos={str(ann.pk): [{}]}, too_alike=pairs)
    path = now.path
    assert nearest(now, ann) > 0.9
    assert forget_in_galleries([ann.pk]) == 2
    now.refresh_from_db()
    assert now.active
    assert nearest(now, ann) < 0.5 < 0.9 < nearest(now, bob)
    assert (now.students, now.report) == (2, {"few_photos": [str(bob.pk)], "suspect_photos": {}, "too_alike": []})
    assert {file.name for file in media().walk("galleries")} == {now.path} != {path}
    old.refresh_from_db()
    with pytest.raises(UserError, match="no file any more"):
        services.activate_gallery(gallery=old, user=factories.registrar())
    course.refresh_from_db()
    assert course.gallery_outdated_at, "the others are trained again, without this student's photos"


def test_nothing_is_left_of_a_class_of_one(course: Course) -> None:
    ann, *_others = course.students.order_by("pk")
    course.enrolments.exclude(student=ann).delete()
    train(course)
    for photo in ann.photos.all():
        services.delete_photo(photo=photo)
    assert active_gallery(course) is None
    assert not list(media().walk("galleries"))


def test_a_deleted_photo_is_in_no_gallery_once_the_class_is_trained_again(course: Course) -> None:
    ann = course.students.order_by("pk").first()
    train(course)
    train(course)
    services.delete_photo(photo=ann.photos.first())
    [left] = media().walk("galleries")
    assert active_gallery(course).path == left.name, "a class is not without a gallery while it waits for the next one"
    after = train(course)
    assert [file.name for file in media().walk("galleries")] == [after.path]


def test_the_last_photo_takes_the_template_with_it(course: Course) -> None:
    ann = course.students.order_by("pk").first()
    now = train(course)
    for photo in ann.photos.all():
        services.delete_photo(photo=photo)
    now.refresh_from_db()
    assert nearest(now, ann) < 0.5


def test_a_training_that_has_read_a_photo_which_is_gone_starts_again(course: Course) -> None:
    ann = course.students.order_by("pk").first()
    row = jobs.TRAIN.claim(services.request_training(course=course).pk, "me")
    facts = facts_of(course, f"galleries/{row.pk}.npz")
    services.delete_photo(photo=ann.photos.first())
    with pytest.raises(jobs.Postponed):
        services.finish_training(gallery=row, **facts)
    assert active_gallery(course) is None


def test_a_gallery_that_can_not_be_read_is_destroyed(course: Course) -> None:
    ann = course.students.order_by("pk").first()
    now = train(course)
    write_media(now.path, read_media(now.path)[:100])
    forget_in_galleries([ann.pk])
    assert active_gallery(course) is None
    assert not list(media().walk("galleries"))
