"""Footage files are fetched completely or not at all, resumed after interruptions, and within their source's limits."""

import errno
import hashlib
import os
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from campus.cctv.fetching import delete_expired_partial_files, partial_file_path
from campus.cctv.models import FootageFile, Source
from campus.common import jobs, upload_limits
from tests.campus import factories
from tests.recognition.video_files import video
from tests.servers.scripted_http import scripted_http_server
from workers import fetch
from workers.leased_task import run_attempt

pytestmark = pytest.mark.django_db

STARTS = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PATH = "cam1/090000.mp4"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video of a minute, padded to the length of a few chunks."""
    content = video(tmp_path_factory.mktemp("film") / "film.mp4", seconds=60, rate=2, gop=4).read_bytes()
    return content + (700_000).to_bytes(4, "big") + b"free" + bytes(700_000 - 8)


@pytest.fixture
def nvr(tmp_path: Path, settings: Any) -> Path:
    """A folder of recordings."""
    folder = tmp_path / "nvr"
    (folder / "cam1").mkdir(parents=True)
    settings.SOURCE_FOLDERS = [str(folder)]
    settings.SOURCE_NETWORKS = ["127.0.0.0/8"]
    return folder


def create_wanted_file(folder: Path, content: bytes, path: str = PATH, **fields: Any) -> FootageFile:
    """A file in the folder that is waiting to be fetched."""
    (folder / path).write_bytes(content)
    source = fields.pop("source", None) or factories.source(address=str(folder))
    camera = source.cameras.first() or factories.camera(source_=source)
    modified = datetime.fromtimestamp(int((folder / path).stat().st_mtime), UTC)
    facts = {
        "source": source,
        "camera": camera,
        "path": path,
        "size": len(content),
        "modified_at": modified,
        "starts_at": STARTS,
    }
    return FootageFile.objects.create(
        **facts | {"ends_at": STARTS + timedelta(minutes=1), "state": FootageFile.State.FETCHING} | fields
    )


def run_fetch(footage_file: FootageFile) -> FootageFile:
    """Run one attempt; returns the footage file as it is afterwards."""
    row = jobs.FETCH.claim(footage_file.pk, owner=f"worker {time.monotonic()}")
    assert row
    run_attempt(jobs.FETCH, fetch.fetch, row)
    footage_file.refresh_from_db()
    return footage_file


def retry_fetch(footage_file: FootageFile) -> FootageFile:
    """Run the next attempt, as when the delay of the retry is over."""
    assert footage_file.state == FootageFile.State.RETRY
    assert footage_file.retry_at > timezone.now()
    FootageFile.objects.filter(pk=footage_file.pk).update(state=FootageFile.State.FETCHING, **jobs.RESET_FIELDS)
    return run_fetch(footage_file)


class TestComplete:
    def test_a_file_is_stored_with_its_facts(self, nvr: Path, film: bytes) -> None:
        footage_file = run_fetch(create_wanted_file(nvr, film))
        assert (footage_file.state, str(footage_file.error), str(footage_file.note)) == (
            FootageFile.State.STORED,
            "",
            "",
        )
        assert Path(footage_file.file.path).read_bytes() == film
        assert re.fullmatch(rf"footage/{footage_file.pk}-.+\.mp4", footage_file.file.name)
        assert footage_file.sha256 == hashlib.sha256(film).hexdigest()
        assert footage_file.info["codec"] == "h264"
        assert abs(footage_file.ends_at - STARTS - timedelta(minutes=1)) < timedelta(seconds=1)
        assert footage_file.fetched_at
        assert not partial_file_path(footage_file).exists()
        assert (nvr / PATH).read_bytes() == film

    def test_its_lecture_gets_a_recording(self, nvr: Path, film: bytes) -> None:
        footage_file = create_wanted_file(nvr, film)
        lecture = factories.lecture(
            room=footage_file.camera.room.name, starts_at=STARTS, ends_at=STARTS + timedelta(minutes=1)
        )
        run_fetch(footage_file)
        assert [recording.camera for recording in lecture.recordings.all()] == [footage_file.camera]

    def test_the_same_bytes_are_stored_once_a_room(self, nvr: Path, film: bytes) -> None:
        first = run_fetch(create_wanted_file(nvr, film))
        second = run_fetch(create_wanted_file(nvr, film, "cam1/copy.mp4", source=first.source))
        by_other_source = run_fetch(
            create_wanted_file(
                nvr, film, "cam1/again.mp4", source=factories.camera(source_=factories.source(address=str(nvr))).source
            )
        )
        assert (first.state, second.state, by_other_source.state) == (
            FootageFile.State.STORED,
            FootageFile.State.DUPLICATE,
            FootageFile.State.DUPLICATE,
        )
        assert PATH in str(second.note)
        assert not second.file
        assert not partial_file_path(second).exists()

    def test_another_room_stores_its_own_copy(self, nvr: Path, film: bytes) -> None:
        run_fetch(create_wanted_file(nvr, film))
        elsewhere = factories.camera("Another room", factories.source(address=str(nvr))).source
        assert (
            run_fetch(create_wanted_file(nvr, film, "cam1/other.mp4", source=elsewhere)).state
            == FootageFile.State.STORED
        )

    def test_a_changed_file_replaces_the_old_one(self, nvr: Path, film: bytes) -> None:
        footage_file = run_fetch(create_wanted_file(nvr, film + (8).to_bytes(4, "big") + b"free"))
        (nvr / PATH).write_bytes(film)
        FootageFile.objects.filter(pk=footage_file.pk).update(
            state=FootageFile.State.FETCHING, size=len(film), modified_at=None, fetched_bytes=0, **jobs.RESET_FIELDS
        )
        assert run_fetch(footage_file).state == FootageFile.State.STORED
        assert Path(footage_file.file.path).read_bytes() == film


class TestSlices:
    def test_a_long_fetch_continues_in_further_tasks(
        self, nvr: Path, film: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fetch, "SLICE_SECONDS", 0)
        monkeypatch.setattr(fetch, "PROGRESS_INTERVAL_SECONDS", 0)
        published: list[Any] = []
        monkeypatch.setattr(jobs.Job, "publish", lambda job, pks: published.extend(pks))
        footage_file = create_wanted_file(nvr, film)
        offsets = []
        for _slice in range(-(-len(film) // (256 * 1024)) - 1):
            row = jobs.FETCH.claim(footage_file.pk, owner="worker")
            run_attempt(jobs.FETCH, fetch.fetch, row)
            fetch.continue_or_fetch_next(row)
            footage_file.refresh_from_db()
            assert (footage_file.state, footage_file.attempts, footage_file.lease_owner) == (
                FootageFile.State.FETCHING,
                0,
                "",
            )
            offsets.append(footage_file.fetched_bytes)
        assert offsets == sorted(set(offsets))
        assert published == [footage_file.pk] * len(offsets)
        assert run_fetch(footage_file).state == FootageFile.State.STORED
        assert Path(footage_file.file.path).read_bytes() == film

    def test_bytes_that_the_row_does_not_know_are_fetched_again(self, nvr: Path, film: bytes) -> None:
        """After a worker was killed, the part file may be longer or shorter than the row says."""
        for part, offset in ((film[:1000] + b"garbage", 1000), (film[:500], 1000), (b"", 1000)):
            footage_file = create_wanted_file(
                nvr, film, source=factories.camera(f"{offset} {len(part)}").source, fetched_bytes=offset
            )
            Source.objects.filter(pk=footage_file.source_id).update(address=str(nvr))
            partial_file_path(footage_file).parent.mkdir(exist_ok=True)
            partial_file_path(footage_file).write_bytes(part)
            assert run_fetch(footage_file).state == FootageFile.State.STORED
            assert footage_file.sha256 == hashlib.sha256(film).hexdigest()

    def test_one_attempt_writes_at_a_time(self, nvr: Path, film: bytes) -> None:
        footage_file = create_wanted_file(nvr, film)
        with fetch.open_partial_file(footage_file, partial_file_path(footage_file)), pytest.raises(jobs.Postponed):
            fetch.fetch(footage_file)

    def test_an_attempt_without_lease_changes_nothing(self, nvr: Path, film: bytes) -> None:
        footage_file = create_wanted_file(nvr, film)
        zombie = jobs.FETCH.claim(footage_file.pk, owner="zombie")
        FootageFile.objects.filter(pk=footage_file.pk).update(lease_owner="another")
        run_attempt(jobs.FETCH, fetch.fetch, zombie)
        footage_file.refresh_from_db()
        assert (footage_file.state, footage_file.lease_owner, footage_file.fetched_bytes) == (
            FootageFile.State.FETCHING,
            "another",
            0,
        )

    def test_a_discarded_file_is_not_fetched(self, nvr: Path, film: bytes) -> None:
        footage_file = create_wanted_file(nvr, film)
        row = jobs.FETCH.claim(footage_file.pk, owner="worker")
        FootageFile.objects.filter(pk=footage_file.pk).update(state=FootageFile.State.DISCARDED)
        run_attempt(jobs.FETCH, fetch.fetch, row)
        footage_file.refresh_from_db()
        assert (footage_file.state, bool(footage_file.file)) == (FootageFile.State.DISCARDED, False)

    def test_expired_part_files_are_deleted(self, nvr: Path, film: bytes) -> None:
        kept, gone, fresh = (
            create_wanted_file(nvr, film, f"cam1/{n}.mp4", source=factories.camera(str(n)).source) for n in range(3)
        )
        FootageFile.objects.filter(pk__in=(gone.pk, fresh.pk)).update(state=FootageFile.State.DISCARDED)
        partial_file_path(kept).parent.mkdir(exist_ok=True)
        for footage_file in (kept, gone, fresh):
            partial_file_path(footage_file).touch()
        for footage_file in (kept, gone):
            os.utime(partial_file_path(footage_file), (0, 0))
        delete_expired_partial_files()
        assert [partial_file_path(footage_file).exists() for footage_file in (kept, gone, fresh)] == [True, False, True]


class TestUnusable:
    def test_a_file_that_is_still_being_written_waits(self, nvr: Path, film: bytes) -> None:
        footage_file = create_wanted_file(nvr, film)
        with (nvr / PATH).open("ab") as writer:
            assert "still being written" in str(run_fetch(footage_file).error)
            writer.write(b"more")
        assert "still being written" in str(retry_fetch(footage_file).error)  # it has changed since it was discovered
        assert footage_file.size == len(film) + 4
        assert retry_fetch(footage_file).state == FootageFile.State.STORED

    def test_a_file_that_grows_during_the_fetch_waits(
        self, nvr: Path, film: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        footage_file = create_wanted_file(nvr, film)
        pause = fetch.RateLimiter.pause_after

        def grow(pace: fetch.RateLimiter, count: int) -> float:
            with (nvr / PATH).open("ab") as writer:
                writer.write(b"x")
            return pause(pace, count)

        with monkeypatch.context() as patch:
            patch.setattr(fetch.RateLimiter, "pause_after", grow)
            assert run_fetch(footage_file).state == FootageFile.State.RETRY
        assert "still being written" in str(retry_fetch(footage_file).error)
        assert footage_file.fetched_bytes == 0
        assert retry_fetch(footage_file).state == FootageFile.State.STORED

    def test_a_truncated_file_fails_with_a_message(self, nvr: Path, film: bytes) -> None:
        footage_file = run_fetch(create_wanted_file(nvr, film[:10_000]))
        assert footage_file.state == FootageFile.State.FAILED
        assert footage_file.error
        assert not partial_file_path(footage_file).exists()

    def test_a_file_shorter_than_its_name_says_is_stored_with_a_note(self, nvr: Path, film: bytes) -> None:
        source = factories.source(address=str(nvr), pattern="cam1/{date:%Y%m%d}-{start:%H%M%S}-{end:%H%M%S}.mp4")
        footage_file = run_fetch(create_wanted_file(nvr, film, "cam1/20261123-090000-091500.mp4", source=source))
        assert footage_file.state == FootageFile.State.STORED
        assert "1 of 15 minutes" in str(footage_file.note)
        assert footage_file.ends_at < STARTS + timedelta(minutes=2)

    def test_a_deleted_file_fails(self, nvr: Path, film: bytes) -> None:
        footage_file = create_wanted_file(nvr, film)
        (nvr / PATH).unlink()
        assert run_fetch(footage_file).state == FootageFile.State.FAILED
        assert "does not have the file any more" in str(footage_file.error)

    def test_a_picture_is_refused(self, nvr: Path, shared_data: Path) -> None:
        picture = next(path for path in shared_data.rglob("*.jpg"))
        assert (
            run_fetch(create_wanted_file(nvr, picture.read_bytes(), "cam1/picture.mp4")).state
            == FootageFile.State.FAILED
        )

    def test_the_delay_doubles_with_each_retry(self, nvr: Path, film: bytes) -> None:
        footage_file = create_wanted_file(nvr, film)
        Source.objects.update(enabled=False)
        delays = []
        run_fetch(footage_file)
        for _ in range(8):
            delays.append(footage_file.retry_at - timezone.now())
            retry_fetch(footage_file)
        minutes = [round(delay.total_seconds() / 60) for delay in delays]
        assert minutes == [1, 2, 4, 8, 16, 32, 60, 60]
        assert footage_file.retry_count == 9


class TestLimits:
    def test_a_file_that_is_too_large_is_not_fetched(self, nvr: Path, film: bytes) -> None:
        source = factories.source(address=str(nvr), max_file_gib=0)
        assert run_fetch(create_wanted_file(nvr, film, source=source)).state == FootageFile.State.FAILED
        assert "at most" in str(FootageFile.objects.get().error)

    def test_the_limit_of_bytes_a_day(self, nvr: Path, film: bytes) -> None:
        source = factories.source(address=str(nvr), max_gib_per_day=1)
        FootageFile.objects.create(
            source=source,
            path="earlier",
            size=1024**3 - len(film) + 1,
            fetched_at=timezone.now(),
            state=FootageFile.State.STORED,
        )
        footage_file = run_fetch(create_wanted_file(nvr, film, source=source))
        assert "bytes a day" in str(footage_file.error)
        FootageFile.objects.filter(path="earlier").update(fetched_at=timezone.now() - timedelta(days=2))
        assert retry_fetch(footage_file).state == FootageFile.State.STORED

    def test_a_full_disk_waits(self, nvr: Path, film: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(upload_limits, "RESERVED_DISK_BYTES", 1024**6)
        footage_file = run_fetch(create_wanted_file(nvr, film))
        assert footage_file.state == FootageFile.State.RETRY
        assert "disk is full" in str(footage_file.error)

    def test_a_disk_that_fills_up_waits(self, nvr: Path, film: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(_file: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        footage_file = create_wanted_file(nvr, film)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", full)
            assert "disk is full" in str(run_fetch(footage_file).error)
        assert retry_fetch(footage_file).state == FootageFile.State.STORED

    def test_active_fetches_share_the_rate_limit(self, nvr: Path) -> None:
        source = factories.source(address=str(nvr), max_kib_per_second=1024)
        limiter = fetch.RateLimiter(source)
        assert 9.9 < limiter.pause_after(10 * 1024**2) <= 10
        for number in range(2):
            footage_file = create_wanted_file(nvr, b"x", f"cam1/{number}.mp4", source=source)
            jobs.FETCH.claim(footage_file.pk, owner=str(number))
        assert 19.9 < fetch.RateLimiter(source).pause_after(10 * 1024**2) <= 20
        assert fetch.RateLimiter(factories.source()).pause_after(10**12) == 0

    def test_a_tag_that_looks_like_an_md5_is_checked_once(self, tmp_path: Path) -> None:
        footage_file = factories.footage_file(
            factories.camera(source_=factories.source(kind="s3")), STARTS, state=FootageFile.State.FETCHING, sha256=""
        )
        path = tmp_path / "part"
        path.write_bytes(b"film")
        with path.open("r+b") as part:
            right = hashlib.md5(b"film", usedforsecurity=False).hexdigest()
            sha256 = hashlib.sha256(b"film").hexdigest()
            assert (
                fetch.verify_download(footage_file, part, right)
                == fetch.verify_download(footage_file, part, f"{'0' * 32}-2")
                == sha256
            )
            with pytest.raises(fetch.RetryLater, match="damaged"):
                fetch.verify_download(footage_file, part, "0" * 32)
            footage_file.refresh_from_db()
            assert fetch.verify_download(footage_file, part, "0" * 32) == sha256  # the same bytes a second time


class TestHostileServer:
    """A web server whose responses contradict each other, or never end."""

    def footage_file(self, port: int, size: int) -> FootageFile:
        source = factories.source(kind="http", address=f"http://127.0.0.1:{port}/cctv")
        return FootageFile.objects.create(
            source=source, path="film.mp4", size=size, state=FootageFile.State.FETCHING, starts_at=STARTS
        )

    @staticmethod
    def head(request: Any, **headers: Any) -> bool:
        """Send the headers. Returns whether the request asked for nothing else."""
        request.send_response(206 if "Range" in request.headers and "content_range" in headers else 200)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), str(value))
        request.end_headers()
        return request.command == "HEAD"

    def test_endless_bytes_are_cut_off(self, nvr: Path) -> None:
        def answer(request: Any) -> None:
            if request.command == "HEAD":
                self.head(request, content_length=1000)
            elif not self.head(request):
                while True:
                    request.wfile.write(bytes(65536))

        with scripted_http_server(answer) as port:
            footage_file = run_fetch(self.footage_file(port, 1000))
        assert footage_file.state == FootageFile.State.RETRY
        assert "more bytes than it announced" in str(footage_file.error)
        assert partial_file_path(footage_file).stat().st_size <= 1000

    def send_film(self, request: Any) -> None:
        if not self.head(request):
            request.wfile.write(b"film")

    def test_no_length(self, nvr: Path) -> None:
        with scripted_http_server(self.send_film) as port:
            footage_file = run_fetch(self.footage_file(port, 4))
        assert footage_file.state == FootageFile.State.FAILED
        assert "might never end" in str(footage_file.error)

    def test_bytes_that_arrive_too_slowly_are_cut_off(self, nvr: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fetch, "STALL_SECONDS", 0.3)
        over = threading.Event()

        def answer(request: Any) -> None:
            if not self.head(request, content_length=1000):
                while not over.wait(0.05):
                    request.wfile.write(b"x")

        try:
            with scripted_http_server(answer) as port:
                footage_file = run_fetch(self.footage_file(port, 1000))
        finally:
            over.set()
        assert footage_file.state == FootageFile.State.RETRY
        assert "too slowly" in str(footage_file.error)

    @pytest.mark.parametrize("parts", [True, False], ids=["with ranges", "without ranges"])
    def test_a_broken_connection_is_resumed(
        self, nvr: Path, film: bytes, parts: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ranges: list[str] = []
        some_arrived = threading.Event()
        monkeypatch.setattr(fetch.RateLimiter, "pause_after", lambda _pace, _count: some_arrived.set() or 0)
        half = len(film) // 2

        def answer(request: Any) -> None:
            if request.command == "HEAD":
                self.head(request, content_length=len(film))
                return
            ranges.append(request.headers.get("Range", ""))
            if len(ranges) == 1:
                self.head(request, content_length=len(film))
                request.wfile.write(film[:half])
                request.wfile.flush()
                some_arrived.wait(30)
            elif parts and ranges[-1]:
                start = int(ranges[-1].removeprefix("bytes=").rstrip("-"))
                self.head(
                    request,
                    content_length=len(film) - start,
                    content_range=f"bytes {start}-{len(film) - 1}/{len(film)}",
                )
                request.wfile.write(film[start:])
            else:
                self.head(request, content_length=len(film))
                request.wfile.write(film)

        with scripted_http_server(answer) as port:
            footage_file = run_fetch(self.footage_file(port, len(film)))
            assert "broke" in str(footage_file.error)
            kept = footage_file.fetched_bytes
            assert 0 < kept <= half
            assert retry_fetch(footage_file).state == FootageFile.State.STORED
        assert ranges == ["", f"bytes={kept}-"]
        assert Path(footage_file.file.path).read_bytes() == film

    def test_another_range_than_requested_is_refused(self, nvr: Path, film: bytes) -> None:
        def answer(request: Any) -> None:
            if request.command == "HEAD":
                self.head(request, content_length=len(film))
            else:
                self.head(request, content_length=4, content_range=f"bytes 0-3/{len(film)}")
                request.wfile.write(b"evil")

        with scripted_http_server(answer) as port:
            footage_file = self.footage_file(port, len(film))
            partial_file_path(footage_file).parent.mkdir(exist_ok=True)
            partial_file_path(footage_file).write_bytes(film[:1000])
            FootageFile.objects.update(fetched_bytes=1000)
            assert "another part" in str(run_fetch(footage_file).error)
        assert partial_file_path(footage_file).read_bytes() == film[:1000]
