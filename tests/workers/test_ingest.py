"""An uploaded recording is compared with its sender's SHA-256 before it is processed."""

import hashlib
import io
from pathlib import Path

import pytest

from campus.academics.models import Lecture
from campus.common import jobs
from campus.recordings.models import Recording
from campus.recordings.uploads import append_to_upload, create_upload, finish_upload
from tests.campus import factories
from tests.recognition import video_files
from workers.ingest import ingest
from workers.leased_task import run_attempt

pytestmark = pytest.mark.django_db


def upload_and_ingest(lecture: Lecture, content: bytes, sha256: str) -> Recording:
    upload = create_upload(lecture=lecture, user=factories.user(), name="lecture.mp4", size=len(content), sha256=sha256)
    append_to_upload(upload=upload, offset=0, body=io.BytesIO(content), length=len(content))
    recording = finish_upload(upload=upload)
    run_attempt(jobs.INGEST, ingest, jobs.INGEST.claim(recording.pk, "me"))
    recording.refresh_from_db()
    return recording


def test_an_upload_that_differs_from_its_sha256_fails(tmp_path: Path, settings) -> None:
    settings.BROKER_URL = "memory://"
    content = video_files.video(tmp_path / "lecture.mp4", seconds=2).read_bytes()
    sha256, lecture = hashlib.sha256(content).hexdigest(), factories.lecture(factories.course(students=1))
    factories.photo(lecture.course.students.get())
    damaged = upload_and_ingest(lecture, content[:-1] + b"?", sha256)
    assert (damaged.state, damaged.sha256, damaged.segments.count()) == ("failed", "", 0)
    assert "Upload it again" in str(damaged.error)
    again = upload_and_ingest(lecture, content, sha256)
    assert (again.state, again.sha256, str(again.error)) == ("processing", sha256, "")
    repeated = upload_and_ingest(lecture, content, "")
    assert repeated.state == "failed"
    assert "already here" in str(repeated.error)
