"""A day of the timetable with real scans and fetches: files that are late, missing, double, truncated, of the wrong
room.

Every message is delivered twice, and some are lost.
"""

import os
import shutil
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from campus.academics.models import Lecture
from campus.cctv.models import Collection, FootageFile, Source
from campus.common import jobs
from campus.outbox.models import Delivery
from tests.campus import factories
from tests.campus.factories import STARTS
from tests.recognition.video_files import video
from workers.celery import app
from workers.periodic import collect_footage

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)
RUN = (jobs.SCAN_SOURCE, jobs.FETCH, jobs.INGEST)


class Day:
    """A clock, the waiting messages, and the folder of a network video recorder."""

    def __init__(self, folder: Path, films: dict[int, Path]) -> None:
        self.now = STARTS
        self.folder, self.films = folder, films
        self.messages: list[tuple[jobs.Job, str]] = []
        self.lost_count = 0

    def publish(self, job: jobs.Job, pks: Iterable[object]) -> int:
        sent = list(pks)
        self.messages += [(job, str(pk)) for pk in sent]
        job.waiting().filter(pk__in=sent).update(published_at=self.now)
        return len(sent)

    def record(self, room: str, starts: datetime, *, seconds: int = 60, take: int = 0, name: str = "") -> None:
        """Write a footage file of a minute; a truncated one has fewer `seconds`. Each `take` has other bytes."""
        path = self.folder / room / (name or f"{starts:%Y%m%d-%H%M%S}.mp4")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(
            self.films[seconds].read_bytes()
            + (16).to_bytes(4, "big")
            + b"free"
            + (take or int(starts.timestamp())).to_bytes(8, "big")
        )
        stamp = (starts + MINUTE).timestamp()
        os.utime(path, (stamp, stamp))

    def pass_minute(self) -> None:
        """A minute passes: the periodic tasks run, then the workers, until no message waits."""
        self.now += MINUTE
        collect_footage()
        while self.messages:
            job, pk = self.messages.pop(0)
            if job in RUN:
                for _ in range(2):
                    app.tasks[job.task](jobs.MESSAGE_VERSION, pk)

    def lose_messages(self) -> None:
        """The broker restarts and loses its messages. The sweeper publishes them again."""
        self.now += MINUTE
        collect_footage()
        self.lost_count += len(self.messages)
        self.messages.clear()
        for job in RUN:
            self.publish(job, job.waiting().values_list("pk", flat=True))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("films")
    return {seconds: video(folder / f"{seconds}.mp4", seconds=seconds, rate=2, gop=4) for seconds in (60, 25)}


@pytest.fixture
def day(tmp_path: Path, films: dict[int, Path], settings: Any, monkeypatch: pytest.MonkeyPatch) -> Day:
    folder = tmp_path / "nvr"
    folder.mkdir()
    settings.SOURCE_FOLDERS = [str(folder)]
    app.loader.import_default_modules()
    day = Day(folder, films)
    monkeypatch.setattr(timezone, "now", lambda: day.now)
    monkeypatch.setattr(jobs.Job, "publish", lambda job, pks: day.publish(job, pks))
    source = factories.source(
        address=str(folder), pattern="{room}/{date:%Y%m%d}-{start:%H%M%S}.mp4", scan_interval_minutes=30
    )
    Source.objects.update(created_at=STARTS - timedelta(days=3))
    for name in ("A1", "B2", "C3"):
        source.cameras.create(label=name, room=factories.room(name))
    return day


def lecture(room: str, starts: datetime, minutes: int = 4) -> Lecture:
    course = factories.course(lecturers=(factories.user(email=f"{room}-{starts:%H}@example.org"),), students=1)
    factories.gallery(course)
    return factories.lecture(course, room=room, starts_at=starts, ends_at=starts + minutes * MINUTE)


def test_every_lecture_gets_its_footage_once_and_missing_footage_is_reported(day: Day) -> None:
    whole, late, missing = (lecture(room, STARTS) for room in ("A1", "B2", "C3"))
    next_one = lecture("A1", whole.ends_at)  # no pause between them
    day.now = STARTS - timedelta(hours=1)
    day.pass_minute()
    for minute in range(9):
        # Footage files begin at half minutes: the middle one shows both lectures. The last but one is cut off.
        day.record("A1", STARTS + (minute - 0.5) * MINUTE, seconds=25 if minute == 7 else 60)
    day.record(
        "A1",
        STARTS + 1.5 * MINUTE,
        name=f"{STARTS + timedelta(seconds=91):%Y%m%d-%H%M%S}.mp4",
        take=int((STARTS + 1.5 * MINUTE).timestamp()),
    )
    for minute in (0, 1, 3):
        day.record("B2", STARTS + minute * MINUTE)
    day.record("C3", STARTS + timedelta(hours=3))
    day.now = next_one.ends_at + 3 * MINUTE
    day.lose_messages()
    for _ in range(4):
        day.pass_minute()
    assert day.lost_count, "messages were lost"
    states = {row.lecture_id: row.state for row in Collection.objects.all()}
    assert states[whole.pk] == Collection.State.COMPLETE
    assert {states[late.pk], states[missing.pk]} == {Collection.State.COLLECTING}
    clips = whole.recordings.get().clips.order_by("recording_start")
    assert [(clip.recording_start, clip.recording_start + clip.end - clip.start) for clip in clips] == [
        (0, 30),
        (30, 90),
        (90, 150),
        (150, 210),
        (210, 240),
    ]
    shared = clips.last().footage_file
    assert shared in {clip.footage_file for clip in next_one.recordings.get().clips.all()}, (
        "one footage file, two lectures"
    )
    assert FootageFile.objects.filter(state=FootageFile.State.DUPLICATE).count() == 1
    assert str(FootageFile.objects.get(path__startswith="C3").note) == "No lecture is in C3 then."
    assert late.recordings.get().provisional

    day.record("B2", STARTS + 2 * MINUTE)
    for _ in range(6):
        day.now += 10 * MINUTE
        day.pass_minute()
    assert Collection.objects.get(lecture=late).state == Collection.State.COMPLETE
    assert late.recordings.get().clips.count() == 4
    assert not Delivery.objects.filter(event="footage.missing").exists()

    day.now = STARTS + timedelta(hours=26)
    for _ in range(3):
        day.pass_minute()
    assert Collection.objects.get(lecture=missing).state == Collection.State.MISSING
    assert Collection.objects.get(lecture=next_one).state == Collection.State.COMPLETE
    emails = Delivery.objects.filter(event="footage.missing")
    assert sorted(emails.values_list("to", flat=True)) == ["A1-09@example.org", "C3-09@example.org"]
    assert "09:06:55 to 09:07:30" in str(Collection.objects.get(lecture=next_one).note)
    assert Lecture.objects.filter(recordings__isnull=False).distinct().count() == 3
    assert not {recording.provisional for one in (whole, late, next_one) for recording in one.recordings.all()} - {
        False
    }
    kept = list((day.folder.parent / "media" / "footage").glob("*"))
    assert len(kept) == FootageFile.objects.filter(state=FootageFile.State.STORED).count(), (
        "no file is left that belongs to nothing"
    )


def test_an_unreachable_store_is_reported_and_its_files_are_fetched_later(day: Day) -> None:
    one = lecture("A1", STARTS)
    for minute in range(4):
        day.record("A1", STARTS + minute * MINUTE)
    away = day.folder.with_name("away")
    shutil.move(day.folder, away)
    day.now = one.ends_at + 4 * MINUTE
    for _ in range(5):
        day.pass_minute()
    source = Source.objects.get()
    assert source.error
    assert source.failed_scans > 1
    shutil.move(away, day.folder)
    for _ in range(8):
        day.now += 10 * MINUTE
        day.pass_minute()
    assert Collection.objects.get(lecture=one).state == Collection.State.COMPLETE
    assert str(Source.objects.get().error) == ""
