"""Which cameras are recorded, by whom, and what becomes of a file."""

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


def lecture(begins: timedelta = timedelta(0), **fields):
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
def test_a_camera_is_due_while_a_lecture_is_in_its_room(camera: Camera, begins: timedelta, fields, due: bool) -> None:
    lecture(begins, **fields)
    assert [one.pk for one in cameras_to_record(NOW)] == [camera.pk] * due
    Source.objects.update(enabled=False)
    assert cameras_to_record(NOW) == []


def test_one_recorder_holds_a_source_until_it_is_not_heard_of(camera: Camera) -> None:
    assert claim_live_source(source_id=camera.source_id, owner="one")
    assert not claim_live_source(source_id=camera.source_id, owner="two")
    assert claim_live_source(source_id=camera.source_id, owner="one")
    Source.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert claim_live_source(source_id=camera.source_id, owner="two")
    assert not claim_live_source(source_id=camera.source_id, owner="one")
    release_live_source(source_id=camera.source_id, owner="one")  # it has nothing to give
    assert not claim_live_source(source_id=camera.source_id, owner="one")
    release_live_source(source_id=camera.source_id, owner="two")
    assert claim_live_source(source_id=camera.source_id, owner="one")


def test_a_file_becomes_one_footage_file_however_often_it_is_told(camera: Camera, tmp_path: Path) -> None:
    its = lecture(timedelta(minutes=-30))
    facts = {
        "camera": camera,
        "starts_at": its.starts_at,
        "ends_at": its.starts_at + timedelta(seconds=120),
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
    assert Recording.objects.get(camera=camera).lecture == its
    camera.source.refresh_from_db()
    assert camera.source.last_new_file_at


def test_a_gap_is_said_where_the_lecture_misses_something(camera: Camera, tmp_path: Path) -> None:
    its = lecture(timedelta(minutes=-30))

    def recorded(second: float) -> str:
        file = tmp_path / f"{second}.mp4"
        file.write_bytes(str(second).encode())
        starts = its.starts_at + timedelta(seconds=second)
        ends = starts + timedelta(seconds=120)
        footage_file = save_recorded_file(
            camera=camera, file=file, starts_at=starts, ends_at=ends, sha256=str(second).ljust(64, "0"), info=INFO
        )
        return str(footage_file.note)

    def clock(second: float) -> str:
        return f"{timezone.localtime(its.starts_at + timedelta(seconds=second)):%H:%M:%S}"

    assert recorded(-60) == ""
    assert recorded(60) == ""
    assert recorded(183) == ""  # shorter than a seam
    assert recorded(403) == f"Nothing could be recorded from {clock(303)} to {clock(403)}."
    assert recorded(3700) == ""  # the lecture is over


def test_a_camera_that_brings_nothing_of_a_lecture_is_noticed_while_it_runs(camera: Camera) -> None:
    Source.objects.update(created_at=NOW - timedelta(days=1))
    camera.source.refresh_from_db()
    assert unrecorded_since(camera.source, NOW) is None
    its = lecture(timedelta(minutes=-30))
    assert unrecorded_since(camera.source, NOW) == its.starts_at
    camera.source.last_new_file_at = NOW - timedelta(minutes=1)
    assert unrecorded_since(camera.source, NOW) is None
    camera.source.last_new_file_at = NOW - timedelta(minutes=10)
    assert unrecorded_since(camera.source, NOW) == camera.source.last_new_file_at


def test_no_sweeper_asks_for_a_source_that_is_recorded(camera: Camera) -> None:
    claim_live_source(source_id=camera.source_id, owner="one")
    assert not jobs.SCAN_SOURCE.waiting().exists()


@pytest.mark.parametrize(("recorded", "state"), [(1800, Collection.State.COMPLETE), (0, Collection.State.MISSING)])
def test_what_was_not_recorded_is_not_waited_for(camera: Camera, tmp_path: Path, recorded: int, state: str) -> None:
    its = lecture(timedelta(minutes=-70))
    facts = {"check_count": 1, "next_check_at": NOW + timedelta(minutes=5), "deadline_at": NOW + timedelta(days=1)}
    row = Collection.objects.create(lecture=its, state=Collection.State.COLLECTING, **facts)
    if recorded:
        file = tmp_path / "half.mp4"
        file.write_bytes(b"half")
        info = replace(INFO, duration=recorded)
        ends = its.starts_at + timedelta(seconds=recorded)
        save_recorded_file(camera=camera, file=file, starts_at=its.starts_at, ends_at=ends, sha256="a" * 64, info=info)
    close_collections(its.ends_at + timedelta(minutes=1))
    row.refresh_from_db()
    assert row.state == Collection.State.COLLECTING
    close_collections(its.ends_at + timedelta(minutes=4))
    row.refresh_from_db()
    assert row.state == state
    assert str(camera) in str(row.note)
