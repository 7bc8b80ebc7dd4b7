"""What a training writes down, and how sure the vote with it is."""

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
from tests.workers.classroom import add_photos, class_of, trained
from tests.workers.test_aggregate import looked_at, vote
from workers import maintenance

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_broker(settings) -> None:
    settings.BROKER_URL = "memory://"


def test_a_mislabelled_photo_is_named_with_whom_it_looks_like() -> None:
    course = class_of(3)
    ann, bob, _ = course.students.order_by("pk")
    wrong = bob.photos.first()
    move_photo(photo=wrong, student=ann)
    gallery = trained(course)
    assert gallery.report["suspect_photos"] == {str(ann.pk): [{"photo": str(wrong.pk), "nearest": str(bob.pk)}]}


def test_a_training_knows_what_it_was_made_of_and_the_sweeper_asks_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    course = class_of(2)
    assert trained(course).photos_digest == photos_digest(course)
    assert not needs_training(course)
    monkeypatch.setattr(maintenance, "republish_lost_jobs", lambda connection: None)
    monkeypatch.setattr("campus.biometrics.services.TRAINING_DELAY", timedelta(0))
    maintenance.sweep()
    assert not course.galleries.filter(state="queued").exists(), "nothing is new"
    delete_photo(photo=FacePhoto.objects.filter(student__courses=course).first())
    maintenance.sweep()
    assert course.galleries.filter(state="queued").count() == 1


def test_students_of_other_classes_are_the_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    course, elsewhere = class_of(2), class_of(0)
    student = factories.student()
    factories.enrol(elsewhere, student)
    add_photos(student, 7)
    given: list[Any] = []
    real = galleries.train_gallery

    def train(*args: Any, **kwargs: Any) -> Any:
        given.append(kwargs["strangers"])
        return real(*args, **kwargs)

    monkeypatch.setattr("recognition.identification.gallery.train_gallery", train)
    gallery = trained(course)
    assert gallery.state == "ready"
    assert given[0].shape == (1, 128)
    assert gallery.students == 2


@pytest.mark.parametrize("strictness", ["strict", "lenient"])
def test_the_class_chooses_how_sure_the_vote_is(monkeypatch: pytest.MonkeyPatch, strictness: str) -> None:
    course = class_of(1)
    course.strictness = strictness
    course.save()
    trained(course)
    asked: list[str] = []
    monkeypatch.setattr(
        "recognition.identification.vote.VotePolicy",
        lambda **kwargs: asked.append(kwargs["strictness"]) or VotePolicy(**kwargs),
    )
    recording = vote(looked_at(course, [[0], [0]]))
    assert (recording.state, recording.strictness, asked) == ("done", strictness, [strictness])


def test_a_photo_whose_file_is_gone_does_not_stop_a_training() -> None:
    course = class_of(2)
    photo = factories.photo(course.students.first())
    Path(photo.file.path).unlink()
    gallery = trained(course)
    assert (gallery.state, gallery.photos) == ("ready", 8)
    assert FacePhoto.objects.get(pk=photo.pk).embeddings.get().vector is None
