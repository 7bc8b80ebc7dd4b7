"""Which cameras are recorded live, which recorder leases them, and how recorded files are saved."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from campus.cctv.collection import close_collections
from campus.cctv.live_recording import (
    RECORDING_MARGIN,
    cameras_to_record,
    claim_live_source,
    release_live_source,
    save_recorded_file,
    unrecorded_since,
)
from campus.cctv.models import Camera, Collection, FootageFile, Source
from campus.common import jobs
from campus.recordings.models import Recording
from recognition.types import VideoInfo
from tests.campus import factories

pytestmark = pytest.mark.django_db

NOW = timezone.now().replace(microsecond=0)
INFO = VideoInfo(container="mov", codec="h264", width=1280, height=720, rotation=0, fps=25.0, duration=120.0)


@pytest.fixture
def camera() -> Camera:
    return factories.camera(
        "B 12", factories.source(kind=Source.Kind.RTSP, address="rtsp://127.0.0.1:8554", pattern="")
    )


def make_lecture(begins: timedelta = timedelta(0), **fields):
    return factories.lecture(
        **dict[str, Any](room="b 12", starts_at=NOW + begins, ends_at=NOW + begins + timedelta(hours=1)) | fields
    )


@pytest.mark.parametrize(
    ("begins", "fields", "due"),
    [
        (timedelta(minutes=-30), {}, True),
        (RECORDING_MARGIN / 2, {}, True),
        (RECORDING_MARGIN * 2, {}, False),
        (-timedelta(hours=1) - RECORDING_MARGIN / 2, {}, True),
        (-timedelta(hours=1) - RECORDING_MARGIN * 2, {}, False),
        (timedelta(minutes=-30), {"cancelled": True}, False),
        (timedelta(minutes=-30), {"room": "C 3"}, False),
    ],
)
def test_a_camera_is_recorded_while_a_lecture_is_in_its_room(
    camera: Camera, begins: timedelta, fields, due: bool
) -> None:
    make_lecture(begins, **fields)
    assert [due_camera.pk for due_camera in cameras_to_record(NOW)] == [camera.pk] * due
    Source.objects.update(enabled=False)
    assert cameras_to_record(NOW) == []


def test_one_recorder_holds_a_source_until_its_lease_expires(camera: Camera) -> None:
    assert claim_live_source(source_id=camera.source_id, owner="one")
    assert not claim_live_source(source_id=camera.source_id, owner="two")
    assert claim_live_source(source_id=camera.source_id, owner="one")
    Source.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert claim_live_source(source_id=camera.source_id, owner="two")
    assert not claim_live_source(source_id=camera.source_id, owner="one")
    release_live_source(source_id=camera.source_id, owner="one")  # the lease is not its own
    assert not claim_live_source(source_id=camera.source_id, owner="one")
    release_live_source(source_id=camera.source_id, owner="two")
    assert claim_live_source(source_id=camera.source_id, owner="one")


def test_a_file_saved_twice_is_one_footage_file(camera: Camera, tmp_path: Path) -> None:
    lecture = make_lecture(timedelta(minutes=-30))
    facts = {
        "camera": camera,
        "starts_at": lecture.starts_at,
        "ends_at": lecture.starts_at + timedelta(seconds=120),
        "sha256": "a" * 64,
        "info": INFO,
    }
    file = tmp_path / "1-2-3.mp4"
    for _ in range(2):
        file.write_bytes(b"film")
        save_recorded_file(file=file, **facts)
        assert not file.exists()
    footage_file = FootageFile.objects.get()
    assert (footage_file.state, str(footage_file.note), footage_file.size) == (FootageFile.State.STORED, "", 4)
    assert Path(footage_file.file.path).read_bytes() == b"film"
    assert Recording.objects.get(camera=camera).lecture == lecture
    camera.source.refresh_from_db()
    assert camera.source.last_new_file_at


def test_a_gap_in_the_lecture_is_noted(camera: Camera, tmp_path: Path) -> None:
    lecture = make_lecture(timedelta(minutes=-30))

    def save_recording(second: float) -> str:
        file = tmp_path / f"{second}.mp4"
        file.write_bytes(str(second).encode())
        starts = lecture.starts_at + timedelta(seconds=second)
        ends = starts + timedelta(seconds=120)
        footage_file = save_recorded_file(
            camera=camera, file=file, starts_at=starts, ends_at=ends, sha256=str(second).ljust(64, "0"), info=INFO
        )
        return str(footage_file.note)

    def clock(second: float) -> str:
        return f"{timezone.localtime(lecture.starts_at + timedelta(seconds=second)):%H:%M:%S}"

    assert save_recording(-60) == ""
    assert save_recording(60) == ""
    assert save_recording(183) == ""  # a seam, not a gap
    assert save_recording(403) == f"Nothing could be recorded from {clock(303)} to {clock(403)}."
    assert save_recording(3700) == ""  # the lecture is over


def test_an_unrecorded_lecture_is_noticed_while_it_runs(camera: Camera) -> None:
    Source.objects.update(created_at=NOW - timedelta(days=1))
    camera.source.refresh_from_db()
    assert unrecorded_since(camera.source, NOW) is None
    lecture = make_lecture(timedelta(minutes=-30))
    assert unrecorded_since(camera.source, NOW) == lecture.starts_at
    camera.source.last_new_file_at = NOW - timedelta(minutes=1)
    assert unrecorded_since(camera.source, NOW) is None
    camera.source.last_new_file_at = NOW - timedelta(minutes=10)
    assert unrecorded_since(camera.source, NOW) == camera.source.last_new_file_at


def test_a_live_source_is_never_swept(camera: Camera) -> None:
    claim_live_source(source_id=camera.source_id, owner="one")
    assert not jobs.SCAN_SOURCE.waiting().exists()


@pytest.mark.parametrize(("recorded", "state"), [(1800, Collection.State.COMPLETE), (0, Collection.State.MISSING)])
def test_live_footage_that_was_not_recorded_is_not_awaited(
    camera: Camera, tmp_path: Path, recorded: int, state: str
) -> None:
    lecture = make_lecture(timedelta(minutes=-70))
    facts = {"check_count": 1, "next_check_at": NOW + timedelta(minutes=5), "deadline_at": NOW + timedelta(days=1)}
    row = Collection.objects.create(lecture=lecture, state=Collection.State.COLLECTING, **facts)
    if recorded:
        file = tmp_path / "half.mp4"
        file.write_bytes(b"half")
        info = replace(INFO, duration=recorded)
        ends = lecture.starts_at + timedelta(seconds=recorded)
        save_recorded_file(
            camera=camera, file=file, starts_at=lecture.starts_at, ends_at=ends, sha256="a" * 64, info=info
        )
    close_collections(lecture.ends_at + timedelta(minutes=1))
    row.refresh_from_db()
    assert row.state == Collection.State.COLLECTING
    close_collections(lecture.ends_at + timedelta(minutes=4))
    row.refresh_from_db()
    assert row.state == state
    assert str(camera) in str(row.note)
