"""What a training saves, and which strictness the vote uses."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from campus.attendance.student_merge import merge_students
from campus.biometrics.models import FacePhoto, LookAlike
from campus.biometrics.selectors import needs_training, photos_digest
from campus.biometrics.services import confirm_photo, delete_photo, move_photo, withdraw_photo_confirmation
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
    [suspect] = gallery.report["suspect_photos"][str(ann.pk)]
    assert (suspect["photo"], suspect["nearest"]) == (str(wrong.pk), str(bob.pk))
    assert suspect["nearest_similarity"] > suspect["similarity"]
    confirm_photo(photo=wrong, user=factories.registrar())
    assert train_gallery(course).report["suspect_photos"] == {}, "a person said that it is Ann"
    withdraw_photo_confirmation(photo=wrong, user=factories.registrar())
    assert train_gallery(course).report["suspect_photos"] == gallery.report["suspect_photos"]


def test_the_sweeper_requests_a_training_when_photos_have_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    course = create_class(2)
    assert train_gallery(course).photos_digest == photos_digest(course)
    assert not needs_training(course)
    monkeypatch.setattr(maintenance, "publish_lost_jobs", lambda job: None)
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


def test_one_person_under_two_numbers_is_found_and_never_said_absent() -> None:
    course = create_class(2)
    other_number = factories.student()
    factories.enrol(course, other_number)
    add_photos(other_number, 0)  # the person of the first student
    present, absent = course.students.exclude(pk=other_number.pk).order_by("pk")
    train_gallery(course)
    pair = LookAlike.objects.get()
    assert {pair.first, pair.second} == {present, other_number}
    recording = run_vote(create_processed_recording(course, [[0], [0]]))
    statuses = dict(recording.lecture.records.values_list("student", "machine_status"))
    assert statuses[absent.pk] == "absent"
    assert {statuses[present.pk], statuses[other_number.pk]} <= {"to_confirm", "not_recognisable"}
    merge_students(duplicate=other_number, student=present, user=factories.registrar())
    train_gallery(course)
    recording = run_vote(create_processed_recording(course, [[0], [0]]))
    assert recording.lecture.records.get(student=present).machine_status == "present"
    assert recording.lecture.records.get(student=absent).machine_status == "absent"


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
