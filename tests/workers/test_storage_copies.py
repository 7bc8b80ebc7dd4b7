"""Copies of stored files on a machine's own disk, whole or in parts."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from campus.common import storage_copies
from campus.common.storage import local_path, media
from recognition.media.video import probe, sample_frames
from recognition.types import Segment
from tests.campus.conftest import video_bytes
from tests.recognition.media.test_holes import LONG
from tests.recognition.video_files import video
from tests.workers.remote_stores import Server, server, store
from workers import vision

__all__ = ["server", "store", "video_bytes"]


def test_the_confined_decoder_reads_the_copy(video_bytes: bytes) -> None:
    media().write("recordings/a.mp4", video_bytes)
    with media().local_copy("recordings/a.mp4") as path:
        assert probe(path).duration == 2.0


def test_processes_of_a_machine_share_a_copy(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    content = os.urandom(2_000_000)
    media().write("recordings/a.mp4", content)
    downloads, found = [], []
    download = server.kind.download

    def note(self: Any, file: Any, target: Any) -> int:
        downloads.append(file)
        return download(self, file, target)

    monkeypatch.setattr(server.kind, "download", note)

    def read() -> None:
        with media().local_copy("recordings/a.mp4") as path:
            found.append(path.read_bytes() == content)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, len(downloads)) == ([True] * 4, 1)
    media().write("recordings/a.mp4", content[::-1])
    with media().local_copy("recordings/a.mp4") as path:
        assert path.read_bytes() == content[::-1], "the copy of another version is not taken for it"


def test_copies_take_no_more_space_than_they_may(settings: Any) -> None:
    settings.STORAGE_CACHE_BYTES = 2500
    for name in "abc":
        media().write(f"recordings/{name}.mp4", name.encode() * 1000)
    with media().local_copy("recordings/a.mp4") as held:
        for name in "bc":
            with media().local_copy(f"recordings/{name}.mp4") as path:
                assert path.read_bytes() == name.encode() * 1000
        assert held.read_bytes() == b"a" * 1000, "nobody's copy is deleted while it is read"
    assert sum(path.stat().st_size for path in local_path("cache").iterdir()) == 2000


def test_a_copy_that_was_cut_off_is_made_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    media().write("recordings/a.mp4", b"1234567890")
    complete = server.kind.download

    def broken(_self: Any, file: Any, target: Any) -> None:
        target.write(b"123")
        raise OSError("cut off")

    monkeypatch.setattr(server.kind, "download", broken)
    with pytest.raises(OSError, match="cut off"), media().local_copy("recordings/a.mp4"):
        pass
    monkeypatch.setattr(server.kind, "download", complete)
    with media().local_copy("recordings/a.mp4") as path:
        assert path.read_bytes() == b"1234567890"
    assert len(list(local_path("cache").iterdir())) == 1


def test_a_segment_fetches_only_its_part_of_a_recording(
    server: Server, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    monkeypatch.setattr(storage_copies, "BLOCK_BYTES", 4096)
    film = video(tmp_path / "film.mp4", **LONG)
    media().store(film, "recordings/a.mp4")
    fetched = count_fetched_bytes(server, monkeypatch)
    info = probe(film)

    def times_of(segment: Segment) -> list[float]:
        with vision.open_recording("recordings/a.mp4", info) as path:
            return [frame.time for frame in sample_frames(path, info, segment)]

    first, last = Segment(0, 0.0, 10.0), Segment(9, 90.0, 100.0)
    assert times_of(last) == [frame.time for frame in sample_frames(film, info, last)]
    assert sum(fetched) < 0.5 * film.stat().st_size
    fetched.clear()
    assert times_of(last)
    assert fetched == [], "another process of the machine has what this one has fetched"
    assert times_of(first)
    with media().local_copy("recordings/a.mp4"):
        fetched.clear()
        assert times_of(Segment(4, 40.0, 50.0))
        assert fetched == [], "a complete copy is used"


def count_fetched_bytes(server: Server, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    read_range, fetched = server.kind.read_range, list[int]()

    def note(self: Any, file: Any, start: int, end: int) -> bytes:
        content = read_range(self, file, start, end)
        fetched.append(len(content))
        return content

    monkeypatch.setattr(server.kind, "read_range", note)
    return fetched


def test_parts_of_a_copy_stay_right_whatever_happens(
    server: Server, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(storage_copies, "BLOCK_BYTES", 8192)
    content = os.urandom(50_000)
    media().write("recordings/a.mp4", content)
    pwrite = os.pwrite
    with media().local_parts("recordings/a.mp4") as (path, fill):
        with monkeypatch.context() as full:
            full.setattr("os.pwrite", lambda fd, block, at: pwrite(fd, block[:4096], at))
            with pytest.raises(OSError, match="No space left"):
                fill(0, 100)
        assert fill(0, 100) == 8192, "what was cut off in the middle is fetched again"
        assert path.read_bytes()[:8192] == content[:8192]
        assert fill(-5, 2**62) == len(content)
        assert path.read_bytes() == content
    settings.STORAGE_CACHE_BYTES = 1
    media().write("recordings/b.mp4", content[::-1])
    with media().local_parts("recordings/b.mp4") as (path, fill):
        assert fill(len(content) - 1, len(content)) == len(content)
        assert path.read_bytes()[-1:] == content[:1]
        assert [file.name for file in local_path("cache").iterdir()] == [path.name], "it made room for itself"
