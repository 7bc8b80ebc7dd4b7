"""Snapshots are taken from the recording when somebody requests them."""

import io
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.utils import timezone
from PIL import Image

from campus.attendance.models import Snapshot
from campus.attendance.snapshots import finish_snapshot, request_footage_snapshot, request_snapshot
from campus.common import jobs
from campus.common.storage import read_media
from campus.privacy.retention import apply_retention
from campus.recordings.models import Recording
from recognition.media.video import probe
from tests.campus import factories
from tests.recognition import video_files
from workers.leased_task import run_attempt
from workers.snapshots import take_snapshot

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def recording(tmp_path: Path, settings) -> Recording:
    settings.BROKER_URL = "memory://"
    path = video_files.video(tmp_path / "lecture.mp4", seconds=4)
    info = probe(path)
    facts = {name: getattr(info, name) for name in factories.INFO}
    row = factories.planned(segments=1, info=facts, duration=info.duration, state=Recording.State.DONE)
    row.file.save("lecture.mp4", ContentFile(path.read_bytes()))
    return row


def run_snapshot(snapshot: Snapshot) -> Snapshot:
    run_attempt(jobs.SNAPSHOT, take_snapshot, jobs.SNAPSHOT.claim(snapshot.pk, "me"))
    snapshot.refresh_from_db()
    return snapshot


def test_a_snapshot_shows_its_moment(recording: Recording, settings) -> None:
    snapshot = run_snapshot(request_snapshot(recording=recording, time=2.0))
    assert (snapshot.state, str(snapshot.error)) == ("ready", "")
    picture = np.asarray(Image.open(io.BytesIO(read_media(snapshot.file))))
    assert video_files.number_of(picture) == 20
    assert request_snapshot(recording=recording, time=2.0).pk == snapshot.pk


def test_a_moment_without_a_picture_fails(recording: Recording) -> None:
    snapshot = run_snapshot(request_snapshot(recording=recording, time=100.0))
    assert snapshot.state == "failed"
    assert snapshot.error


def test_snapshots_expire(recording: Recording, settings) -> None:
    old, new = (run_snapshot(request_snapshot(recording=recording, time=time)) for time in (1.0, 2.0))
    Snapshot.objects.filter(pk=old.pk).update(published_at=timezone.now() - timedelta(days=7))
    apply_retention()
    assert [Path(settings.MEDIA_ROOT, snapshot.file).exists() for snapshot in (old, new)] == [False, True]
    assert list(Snapshot.objects.all()) == [new]
    assert run_snapshot(request_snapshot(recording=recording, time=1.0)).state == "ready"


def test_no_picture_is_left_of_a_source_that_is_deleted(settings, tmp_path: Path) -> None:
    settings.BROKER_URL, settings.MEDIA_ROOT = "memory://", tmp_path
    camera = factories.camera()
    footage_file = factories.footage_file(camera, factories.STARTS, 2)
    snapshot = request_footage_snapshot(footage_file=footage_file, time=1.0, stream=1)
    snapshot = jobs.SNAPSHOT.claim(snapshot.pk, "me")
    finish_snapshot(snapshot=snapshot, jpeg=b"a picture")
    (picture,) = tmp_path.glob("snapshots/**/*.jpg")
    camera.source.delete()
    assert not picture.exists()
