"""A class changes its face model: the old gallery stays in use until the new one is ready; no recording mixes them."""

import json
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
from tests.workers.classroom import create_class, train_gallery
from tests.workers.test_aggregate import create_processed_recording, run_vote
from workers import vision
from workers.leased_task import run_attempt
from workers.segments import recognise
from workers.training import check_photo, train

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = "dlib-resnet-v1", "facenet-20180402"


@pytest.fixture(autouse=True)
def two_embedders(settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The networks are stand-ins, since only one embedder has weights in the tests; everything else is real."""
    settings.BROKER_URL = "memory://"
    monkeypatch.setitem(sys.modules, "recognition.pipeline", fake_vision)
    monkeypatch.setattr("recognition.pipeline", fake_vision, raising=False)
    monkeypatch.setattr("recognition.embedding.load_embedder", fake_vision.load_embedder)
    vision.embedder.cache_clear()
    yield
    vision.embedder.cache_clear()


def change_embedder(course: Any, embedder: str = NEW) -> Gallery:
    course.embedder = embedder
    course.save()
    return request_training(course=course)


def run_training(gallery: Gallery) -> Gallery:
    run_attempt(jobs.TRAIN, train, jobs.TRAIN.claim(gallery.pk, f"trainer {gallery.pk}"))
    gallery.refresh_from_db()
    return gallery


def plan(recording: Recording, segment_count: int = 2) -> Recording:
    info = fake_vision.probe(Path(recording.file.path))
    segments = [types.Segment(i, 60.0 * i, 60.0 * (i + 1)) for i in range(segment_count)]
    assert plan_recording(recording=jobs.INGEST.claim(recording.pk, "planner"), info=info, segments=segments)
    recording.refresh_from_db()
    return recording


def recognise_segment(recording: Recording, index: int) -> None:
    segment = recording.segments.get(index=index)
    run_attempt(jobs.RECOGNISE, recognise, jobs.RECOGNISE.claim(segment.pk, f"worker {index}"))
    start_due_votes(recording_id=recording.pk)
    recording.refresh_from_db()


def upload_recording(course: Any) -> Recording:
    lecture = factories.lecture(course, minutes=2)
    script = {"segments": [[0, 9], [0, 9]], "lecture": lecture.pk}  # no file is the same as another lecture's
    return factories.recording(lecture, content=json.dumps(script).encode())


def statuses(recording: Recording) -> list[str]:
    return [
        record.status for record in AttendanceRecord.objects.filter(lecture=recording.lecture).order_by("student__name")
    ]


def test_the_old_gallery_stays_until_the_new_one_is_ready() -> None:
    course = create_class(2)
    old = train_gallery(course)
    new = change_embedder(course)
    assert (new.embedder, embedder_in_use(course), active_gallery(course)) == (NEW, OLD, old)
    verdicts = list(FacePhoto.objects.order_by("pk").values("state", "reason", "crop", "quality"))
    new = run_training(new)
    assert (new.state, new.active, embedder_in_use(course)) == ("ready", True, NEW)
    assert list(FacePhoto.objects.order_by("pk").values("state", "reason", "crop", "quality")) == verdicts
    assert Embedding.objects.filter(embedder=NEW).count() == Embedding.objects.filter(embedder=OLD).count() == 8
    assert run_vote(create_processed_recording(course, [[0], [0]])).state == "failed", (
        "tracks of another embedder are never compared"
    )


def test_a_failed_training_leaves_the_old_gallery_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    from recognition.errors import RecognitionError

    course = create_class(1)
    old = train_gallery(course)

    def missing(*_: Any) -> None:
        raise RecognitionError("The weights of FaceNet are damaged.")

    monkeypatch.setattr("recognition.embedding.load_embedder", missing)
    new = run_training(change_embedder(course))
    assert (new.state, str(new.error)) == ("failed", "The weights of FaceNet are damaged.")
    assert active_gallery(course) == old
    recording = plan(upload_recording(course))
    assert recording.embedder == OLD


def test_all_segments_use_the_embedder_of_the_plan() -> None:
    course = create_class(2)
    old = train_gallery(course)
    recording = plan(upload_recording(course))
    recognise_segment(recording, 0)
    run_training(change_embedder(course))
    recognise_segment(recording, 1)
    recording = run_vote(recording)
    assert (recording.state, recording.embedder, recording.gallery) == ("done", OLD, old), (
        "the older gallery of that embedder"
    )
    assert statuses(recording) == ["present", "absent"]
    after = plan(upload_recording(course))
    for index in (0, 1):
        recognise_segment(after, index)
    after = run_vote(after)
    assert (after.embedder, after.gallery.embedder, statuses(after)) == (NEW, NEW, ["present", "absent"])


def test_a_recording_whose_embedder_has_no_gallery_is_recognised_again() -> None:
    course = create_class(2)
    recording = plan(upload_recording(course))
    for index in (0, 1):
        recognise_segment(recording, index)
    assert (recording.state, recording.embedder) == ("aggregating", OLD)
    run_training(change_embedder(course))
    recording = run_vote(recording)
    assert (recording.state, recording.run, recording.segments.count()) == ("uploaded", 2, 0)
    recording = plan(recording)
    for index in (0, 1):
        recognise_segment(recording, index)
    recording = run_vote(recording, "again")
    assert (recording.state, recording.embedder, statuses(recording)) == ("done", NEW, ["present", "absent"])


def test_the_latest_requested_training_wins() -> None:
    course = create_class(1)
    slow = jobs.TRAIN.claim(request_training(course=course).pk, "slow")
    new = run_training(change_embedder(course))
    run_attempt(jobs.TRAIN, train, slow)
    slow.refresh_from_db()
    assert (slow.state, slow.active, active_gallery(course)) == ("ready", False, new)


def test_a_waiting_training_uses_the_current_embedder() -> None:
    course = create_class(1)
    waiting = request_training(course=course)
    assert change_embedder(course) == waiting
    assert run_training(waiting).embedder == NEW


def test_a_photo_is_judged_once_and_embedded_by_every_embedder() -> None:
    course = create_class(1)
    photo = factories.photo(course.students.get(), content=b'{"person": 0, "variation": 7}', state="pending")
    run_attempt(jobs.CHECK_PHOTO, check_photo, jobs.CHECK_PHOTO.claim(photo.pk, "checker"))
    run_training(change_embedder(course))
    photo.refresh_from_db()
    assert photo.state == "accepted"
    assert set(photo.embeddings.values_list("embedder", flat=True)) == {OLD, NEW}
