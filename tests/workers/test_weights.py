"""Missing weights are reported to everybody concerned, and cost nothing but time."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from campus.biometrics.models import FacePhoto, Gallery
from campus.biometrics.services import request_training
from campus.common import jobs
from campus.recordings.progress import progress_of
from recognition.messages import Message
from recognition.types import EnrolmentPhoto
from tests.campus import factories
from workers import training, vision
from workers.leased_task import run_attempt
from workers.segments import recognise
from workers.training import check_photo, train

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_weights(settings, tmp_path: Path) -> Iterator[None]:
    settings.BROKER_URL = "memory://"
    settings.EMBEDDER = "facenet-20180402"
    settings.WEIGHTS_DIR = tmp_path
    vision.embedder.cache_clear()
    yield
    vision.embedder.cache_clear()


def run_job(job: jobs.Job, work: Callable[[Any], None], pk: object) -> None:
    run_attempt(job, work, job.claim(str(pk), "owner"))


def test_a_photo_is_checked_once_the_weights_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = factories.photo(state=FacePhoto.Verdict.PENDING)
    run_job(jobs.CHECK_PHOTO, check_photo, photo.pk)
    photo.refresh_from_db()
    assert (photo.state, photo.attempts, photo.is_running) == (FacePhoto.Verdict.PENDING, 0, False)
    monkeypatch.setattr(
        training,
        "embed_photos",
        lambda photos, embedder: [
            (photo, EnrolmentPhoto(verdict="rejected", reason=Message("No face was found."))) for photo in photos
        ],
    )
    run_job(jobs.CHECK_PHOTO, check_photo, photo.pk)
    photo.refresh_from_db()
    assert str(photo.reason) == "No face was found."


def test_a_training_waits_with_instructions_and_keeps_the_photos() -> None:
    student = factories.student()
    course = factories.course()
    factories.enrol(course, student)
    photo = factories.photo(student)
    gallery = request_training(course=course)
    run_job(jobs.TRAIN, train, gallery.pk)
    gallery.refresh_from_db()
    photo.refresh_from_db()
    assert (gallery.state, gallery.attempts) == (Gallery.State.QUEUED, 0)
    assert "weights" in str(gallery.error).lower()
    assert photo.state == FacePhoto.Verdict.ACCEPTED


def test_a_recording_waits_with_instructions() -> None:
    recording = factories.planned(segments=1)
    Image.new("RGB", (64, 64)).save(recording.file.path, "JPEG")
    run_job(jobs.RECOGNISE, recognise, recording.segments.get().pk)
    segment = recording.segments.get()
    assert (segment.state, segment.attempts, segment.interruptions) == ("pending", 0, 1)
    step = progress_of(recording)["step"]
    assert step.startswith("The work is interrupted and goes on by itself. ")
    assert "weights" in step.lower()
