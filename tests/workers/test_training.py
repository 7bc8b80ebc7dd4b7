"""What a training saves, and which strictness the vote uses."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from campus.biometrics.models import FacePhoto
from campus.biometrics.selectors import needs_training, photos_digest
from campus.biometrics.services import delete_photo, move_photo
from recognition.identification import gallery as galleries
from recognition.identification.vote import VotePolicy
from tests.campus import factories
from tests.workers.classroom import add_photos, create_class, train_gallery
from tests.workers.test_aggregate import create_processed_recording, run_vote
from workers import maintenance

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_broker(settings) -> None:
    settings.BROKER_URL = "memory://"


def test_a_mislabelled_photo_is_reported_with_the_student_it_resembles() -> None:
    course = create_class(3)
    ann, bob, _ = course.students.order_by("pk")
    wrong = bob.photos.first()
    move_photo(photo=wrong, student=ann)
    gallery = train_gallery(course)
    assert gallery.report["suspect_photos"] == {str(ann.pk): [{"photo": str(wrong.pk), "nearest": str(bob.pk)}]}


def test_the_sweeper_requests_a_training_when_photos_have_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    course = create_class(2)
    assert train_gallery(course).photos_digest == photos_digest(course)
    assert not needs_training(course)
    monkeypatch.setattr(maintenance, "republish_lost_jobs", lambda connection: None)
    monkeypatch.setattr("campus.biometrics.services.TRAINING_DELAY", timedelta(0))
    maintenance.sweep()
    assert not course.galleries.filter(state="queued").exists(), "nothing has changed"
    delete_photo(photo=FacePhoto.objects.filter(student__courses=course).first())
    maintenance.sweep()
    assert course.galleries.filter(state="queued").count() == 1


def test_students_of_other_classes_serve_as_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    course, elsewhere = create_class(2), create_class(0)
    student = factories.student()
    factories.enrol(elsewhere, student)
    add_photos(student, 7)
    given: list[Any] = []
    real = galleries.train_gallery

    def train(*args: Any, **kwargs: Any) -> Any:
        given.append(kwargs["strangers"])
        return real(*args, **kwargs)

    monkeypatch.setattr("recognition.identification.gallery.train_gallery", train)
    gallery = train_gallery(course)
    assert gallery.state == "ready"
    assert given[0].shape == (1, 128)
    assert gallery.students == 2


@pytest.mark.parametrize("strictness", ["strict", "lenient"])
def test_the_vote_uses_the_strictness_of_the_class(monkeypatch: pytest.MonkeyPatch, strictness: str) -> None:
    course = create_class(1)
    course.strictness = strictness
    course.save()
    train_gallery(course)
    used: list[str] = []
    monkeypatch.setattr(
        "recognition.identification.vote.VotePolicy",
        lambda **kwargs: used.append(kwargs["strictness"]) or VotePolicy(**kwargs),
    )
    recording = run_vote(create_processed_recording(course, [[0], [0]]))
    assert (recording.state, recording.strictness, used) == ("done", strictness, [strictness])


def test_a_photo_without_file_does_not_stop_a_training() -> None:
    course = create_class(2)
    photo = factories.photo(course.students.first())
    Path(photo.file.path).unlink()
    gallery = train_gallery(course)
    assert (gallery.state, gallery.photos) == ("ready", 8)
    assert FacePhoto.objects.get(pk=photo.pk).embeddings.get().vector is None
