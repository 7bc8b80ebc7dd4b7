"""A folder of recordings, a worker that fetches from it, and a clock, all controlled by the test."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from campus.academics.models import Lecture
from campus.cctv.collection import collect_footage
from campus.cctv.fetching import finish_fetch, partial_file_path
from campus.cctv.file_discovery import RemoteFile, finish_scan
from campus.cctv.models import Collection, FootageFile, Source
from campus.common import jobs
from recognition.messages import Message
from recognition.types import VideoInfo
from tests.campus import factories
from tests.campus.factories import STARTS

State = Collection.State
MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)


class Clock:
    """The time that the program sees."""

    def __init__(self) -> None:
        self.now = STARTS

    def run(self, until: datetime, step: timedelta = MINUTE, each: Callable[[], None] = collect_footage) -> None:
        while self.now < until:
            self.now += step
            each()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timezone, "now", lambda: clock.now)
    return clock


class Store:
    """A folder of recordings, and a worker that scans it and fetches from it."""

    def __init__(self, source: Source, folder: Path) -> None:
        self.source, self.folder = source, folder

    def record(
        self,
        starts: datetime,
        *,
        camera: str = "cam1",
        size: int = 100,
        written: datetime | None = None,
        zone: str = "UTC",
    ) -> Path:
        """Write a file that begins at `starts` and lasts a quarter of an hour."""
        path = self.folder / camera / starts.astimezone(ZoneInfo(zone)).strftime("%Y%m%d/%H%M%S.mp4")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
        stamp = (written or starts + QUARTER).timestamp()
        os.utime(path, (stamp, stamp))
        return path

    def record_lecture(self, lecture: Lecture, **how: Any) -> None:
        moment = lecture.starts_at
        while moment < lecture.ends_at:
            self.record(moment, **how)
            moment += QUARTER

    def scan_if_requested(self) -> bool:
        """Scan the folder if a scan was requested; returns whether it was."""
        source = jobs.SCAN_SOURCE.claim(self.source.pk, "worker")
        if source is None:
            return False
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        found = [
            RemoteFile(
                str(path.relative_to(self.folder)),
                path.stat().st_size,
                datetime.fromtimestamp(path.stat().st_mtime, UTC),
            )
            for path in files
        ]
        return finish_scan(source=source, files=found)

    def fail_scan(self) -> None:
        source = jobs.SCAN_SOURCE.claim(self.source.pk, "worker")
        if source:
            jobs.SCAN_SOURCE.fail(source, Message("The server does not answer."), "")

    def fetching_paths(self) -> list[str]:
        return list(
            self.source.footage_files.filter(state=FootageFile.State.FETCHING)
            .order_by("starts_at")
            .values_list("path", flat=True)
        )

    def fetch_queued_files(self) -> int:
        """Fetch the queued files; returns how many there were."""
        n = 0
        for pk in self.source.footage_files.filter(state=FootageFile.State.FETCHING).values_list("pk", flat=True):
            footage_file = jobs.FETCH.claim(pk, "worker")
            data = (self.folder / footage_file.path).read_bytes()
            part = partial_file_path(footage_file)
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
            info = VideoInfo(
                container="mp4",
                codec="h264",
                width=640,
                height=480,
                rotation=0,
                fps=25.0,
                duration=QUARTER.total_seconds(),
            )
            assert finish_fetch(footage_file=footage_file, part=part, sha256=data.hex()[:64], info=info)
            n += 1
        return n

    def collect_scan_and_fetch(self) -> None:
        """Run each step once."""
        collect_footage()
        self.scan_if_requested()
        self.fetch_queued_files()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "nvr").mkdir()
    source = factories.source(pattern="{camera}/{date:%Y%m%d}/{start:%H%M%S}.mp4")
    Source.objects.update(created_at=STARTS - timedelta(days=60))
    source.cameras.create(label="cam1", room=factories.room("B 12"))
    return Store(source, tmp_path / "nvr")


@pytest.fixture
def lecture() -> Lecture:
    course = factories.course(
        lecturers=(factories.user(email="ada@example.org"),), coordinator_email="office@example.org", students=2
    )
    return factories.lecture(course, room="B 12")


def state_of(lecture: Lecture) -> str:
    return Collection.objects.get(lecture=lecture).state
