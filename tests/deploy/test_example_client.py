"""The example client against a running server, since people copy it."""

import importlib.util
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from campus.academics.selectors import lecture_roster
from campus.accounts.services import create_token
from campus.attendance.models import Sighting
from campus.attendance.proposals import recount_lecture
from campus.attendance.reports import write_recording_report
from campus.common import jobs
from campus.common.storage import media
from campus.recordings.models import Recording, Upload
from tests.campus.conftest import World, own_folders, video_bytes, world
from tests.conftest import REPOSITORY
from tests.servers.s3 import UncheckedMoto
from tests.workers.remote_stores import use_store

__all__ = ["own_folders", "video_bytes", "world"]

FILE = REPOSITORY / "deploy" / "examples" / "rollcall_client.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rollcall_client", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["rollcall_client"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server(transactional_db, live_server, settings):
    settings.BROKER_URL = "redis://127.0.0.1:1/0"  # nothing listens there: the tests do the workers' part
    jobs.producer.cache_clear()
    yield live_server.url
    jobs.producer.cache_clear()


def token(user: Any) -> str:
    return create_token(user=user, name="example", scope="write", days=1)[1]


@pytest.fixture
def rollcall(example: ModuleType, server: str, world: World) -> Any:
    return example.Rollcall(server, token(world.own))


def process_as_workers_would(recording: Recording) -> None:
    Recording.objects.filter(pk=recording.pk).update(state=Recording.State.DONE, coverage=1.0)
    for student in lecture_roster(recording.lecture):
        Sighting.objects.create(recording=recording, student=student, present=False)
    recording.refresh_from_db()
    recount_lecture(lecture=recording.lecture)
    write_recording_report(recording=recording)


def test_from_the_file_to_the_workbook(
    example, rollcall, world: World, video_bytes: bytes, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(example, "FOOTAGE_FILE", len(video_bytes) // 3)
    file = tmp_path / "lecture.mp4"
    file.write_bytes(video_bytes)
    starts = datetime.fromisoformat("2026-12-01T09:00+01:00")
    course = rollcall.course("CS101")
    lecture = rollcall.lecture(course, starts, timedelta(minutes=45))
    assert rollcall.lecture(course, starts) == lecture

    class Broken(Exception):
        pass

    def breaks(done: int, whole: int) -> None:
        raise Broken

    with pytest.raises(Broken):
        rollcall.upload(lecture, file, breaks)
    assert Upload.objects.get().offset == len(video_bytes) // 3
    steps: list[int] = []
    recording = rollcall.upload(lecture, file, lambda done, _whole: steps.append(done))
    assert steps[0] > len(video_bytes) // 3, "it went on where it stopped"
    row = Recording.objects.get(pk=recording.id)
    assert Path(row.file.path).read_bytes() == video_bytes
    assert rollcall.upload(lecture, file) == recording, "known by its content"

    news = rollcall.follow(recording)
    assert next(news).state == "uploaded"
    process_as_workers_would(row)
    assert [told.state for told in news] == ["done"]
    recording = rollcall.recording(recording.id)
    assert rollcall.workbook(recording, tmp_path).read_bytes()[:2] == b"PK"
    assert {record.status for record in rollcall.attendance(lecture)} == {"absent"}


def test_a_recording_goes_straight_to_the_storage(rollcall, world: World, tmp_path: Path, settings, monkeypatch):
    settings.DIRECT_UPLOADS = True
    file = tmp_path / "lecture.mp4"
    file.write_bytes(bytes(range(256)) * 40_000)
    monkeypatch.setattr(rollcall, "_append", None)
    lecture = rollcall.lecture(rollcall.course("CS101"), datetime.fromisoformat("2026-12-01T09:00+01:00"))
    steps: list[int] = []
    with UncheckedMoto(tmp_path) as moto:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto.username)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto.password)
        use_store(settings, monkeypatch, moto.storage_url("main"))
        recording = rollcall.upload(lecture, file, lambda done, _whole: steps.append(done))
        stored = media().read(Recording.objects.get(pk=recording.id).file.name)
    assert stored == file.read_bytes()
    assert steps == [0, len(stored)]


def test_an_override_of_a_changed_record_is_refused(example, rollcall, world: World):
    record = rollcall.record(world.record.pk)
    assert rollcall.decide(record, "excused", "Doctor's note").status == "excused"
    with pytest.raises(example.Problem, match="412"):
        rollcall.decide(record, "late")
    with pytest.raises(example.Problem) as refused:
        rollcall.decide(rollcall.record(world.record.pk), "asleep")
    assert "Choose one of" in refused.value.detail


def test_lists_are_read_to_their_end(rollcall, world: World):
    ids = [row["id"] for row in rollcall.each("attendance/", limit=1)]
    assert ids == sorted(ids)
    assert len(ids) == 2


def test_a_calendar_program_reads_the_lectures(rollcall, world: World):
    with rollcall.opener.open(rollcall.calendar(rollcall.course("CS101"))) as answer:
        assert answer.read().startswith(b"BEGIN:VCALENDAR")


def test_the_token_stays_with_its_server(rollcall):
    with pytest.raises(ValueError, match="is not on"):
        rollcall.open("GET", "https://elsewhere.example/api/v1/me/")


def test_the_command_reports_what_is_wrong(server: str, world: World, tmp_path: Path):
    command = [sys.executable, str(FILE), server, "MA202", "2026-12-01T09:00+01:00", "lecture.mp4"]
    run = subprocess.run(
        command, env={"ROLLCALL_TOKEN": token(world.own)}, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert run.stderr.strip() == "There is no class MA202 that you may see."
