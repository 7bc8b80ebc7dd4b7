"""A class changes its face model: the old gallery serves until the new one is there, and no recording mixes the two."""

import sys
from pathlib import Path
from typing import Any

import pytest

from campus.attendance.models import AttendanceRecord
from campus.biometrics.models import Embedding, FacePhoto, Gallery
from campus.biometrics.selectors import active_gallery, embedder_in_use
from campus.biometrics.services import request_training
from campus.common import jobs
from campus.recordings.models import Recording
from campus.recordings.services import plan_recording, start_due_votes
from recognition import types
from tests.campus import factories
from tests.faults import fake_vision
from tests.workers.classroom import class_of, trained
from tests.workers.test_aggregate import looked_at, vote
from workers import vision
from workers.leased_task import run_attempt
from workers.segments import recognise
from workers.training import check_photo, train

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = "dlib-resnet-v1", "facenet-20180402"


@pytest.fixture(autouse=True)
def two_embedders(settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Only one embedder has weights here, so that the networks are stand-ins; everything else is real."""
    settings.BROKER_URL = "memory://"
    monkeypatch.setitem(sys.modules, "recognition.pipeline", fake_vision)
    monkeypatch.setattr("recognition.pipeline", fake_vision, raising=False)
    monkeypatch.setattr("recognition.embedding.load_embedder", fake_vision.load_embedder)
    vision.embedder.cache_clear()
    yield
    vision.embedder.cache_clear()


def change(course: Any, embedder: str = NEW) -> Gallery:
    course.embedder = embedder
    course.save()
    return request_training(course=course)


def train_now(gallery: Gallery) -> Gallery:
    run_attempt(jobs.TRAIN, train, jobs.TRAIN.claim(gallery.pk, f"trainer {gallery.pk}"))
    gallery.refresh_from_db()
    return gallery


def plan(recording: Recording, parts: int = 2) -> Recording:
    info = fake_vision.probe(Path(recording.file.path))
    segments = [types.Segment(i, 60.0 * i, 60.0 * (i + 1)) for i in range(parts)]
    assert plan_recording(recording=jobs.INGEST.claim(recording.pk, "planner"), info=info, segments=segments)
    recording.refresh_from_db()
    return recording


def recognise_one(recording: Recording, index: int) -> None:
    segment = recording.segments.get(index=index)
    run_attempt(jobs.RECOGNISE, recognise, jobs.RECOGNISE.claim(segment.pk, f"worker {index}"))
    start_due_votes(recording_id=recording.pk)
    recording.refresh_from_db()


def uploaded(course: Any) -> Recording:
    return factories.recording(factories.lecture(course), content=b'{"segments": [[0, 9], [0, 9]]}')


def statuses(recording: Recording) -> list[str]:
    return [
        record.status for record in AttendanceRecord.objects.filter(lecture=recording.lecture).order_by("student__name")
    ]


def test_the_old_gallery_stays_until_the_new_one_is_ready() -> None:
    course = class_of(2)
    old = trained(course)
    new = change(course)
    assert (new.embedder, embedder_in_use(course), active_gallery(course)) == (NEW, OLD, old)
    verdicts = list(FacePhoto.objects.order_by("pk").values("state", "reason", "crop", "quality"))
    new = train_now(new)
    assert (new.state, new.active, embedder_in_use(course)) == ("ready", True, NEW)
    assert list(FacePhoto.objects.order_by("pk").values("state", "reason", "crop", "quality")) == verdicts
    assert Embedding.objects.filter(embedder=NEW).count() == Embedding.objects.filter(embedder=OLD).count() == 8
    assert vote(looked_at(course, [[0], [0]])).state == "failed", (
        "tracks that are another embedder's are never compared"
    )


def test_a_training_that_fails_leaves_the_old_gallery_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    from recognition.errors import WeightsMissing

    course = class_of(1)
    old = trained(course)

    def missing(*_: Any) -> None:
        raise WeightsMissing("The weights of FaceNet are not here.")

    monkeypatch.setattr("recognition.embedding.load_embedder", missing)
    new = train_now(change(course))
    assert (new.state, str(new.error)) == ("failed", "The weights of FaceNet are not here.")
    assert active_gallery(course) == old
    recording = plan(uploaded(course))
    assert recording.embedder == OLD


def test_all_parts_of_a_recording_have_the_embedder_that_it_was_planned_with() -> None:
    course = class_of(2)
    old = trained(course)
    recording = plan(uploaded(course))
    recognise_one(recording, 0)
    train_now(change(course))
    recognise_one(recording, 1)
    recording = vote(recording)
    assert (recording.state, recording.embedder, recording.gallery) == ("done", OLD, old), (
        "the older gallery of that embedder"
    )
    assert statuses(recording) == ["present", "absent"]
    after = plan(uploaded(course))
    for index in (0, 1):
        recognise_one(after, index)
    after = vote(after)
    assert (after.embedder, after.gallery.embedder, statuses(after)) == (NEW, NEW, ["present", "absent"])


def test_a_recording_that_began_with_an_embedder_without_gallery_is_recognised_again() -> None:
    course = class_of(2)
    recording = plan(uploaded(course))
    for index in (0, 1):
        recognise_one(recording, index)
    assert (recording.state, recording.embedder) == ("aggregating", OLD)
    train_now(change(course))
    recording = vote(recording)
    assert (recording.state, recording.run, recording.segments.count()) == ("uploaded", 2, 0)
    recording = plan(recording)
    for index in (0, 1):
        recognise_one(recording, index)
    recording = vote(recording, "again")
    assert (recording.state, recording.embedder, statuses(recording)) == ("done", NEW, ["present", "absent"])


def test_the_training_that_was_asked_for_last_wins_however_slow_the_first_is() -> None:
    course = class_of(1)
    slow = jobs.TRAIN.claim(request_training(course=course).pk, "slow")
    new = train_now(change(course))
    run_attempt(jobs.TRAIN, train, slow)
    slow.refresh_from_db()
    assert (slow.state, slow.active, active_gallery(course)) == ("ready", False, new)


def test_a_training_that_waits_takes_the_embedder_that_is_wanted_now() -> None:
    course = class_of(1)
    waiting = request_training(course=course)
    assert change(course) == waiting
    assert train_now(waiting).embedder == NEW


def test_a_verdict_is_given_once_and_every_embedder_gets_its_vector() -> None:
    course = class_of(1)
    photo = factories.photo(course.students.get(), content=b'{"person": 0, "look": 7}', state="pending")
    run_attempt(jobs.CHECK_PHOTO, check_photo, jobs.CHECK_PHOTO.claim(photo.pk, "checker"))
    train_now(change(course))
    photo.refresh_from_db()
    assert photo.state == "accepted"
    assert set(photo.embeddings.values_list("embedder", flat=True)) == {OLD, NEW}
