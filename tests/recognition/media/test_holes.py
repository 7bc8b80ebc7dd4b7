"""A recording that is elsewhere is read through a file with holes, which are filled as its reader comes to them."""

import mmap
import os
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recognition.errors import RecordingOutOfLimits
from recognition.media.decoder_requests import DECODER, PhotoRequest
from recognition.media.video import probe, sample_frames
from recognition.sandbox import client
from recognition.sandbox.protocol import Hole, encode
from recognition.types import Segment
from tests.recognition.video_files import video

BLOCK_BYTES = 4096
LONG: dict[str, Any] = {"codec": "mpeg4", "seconds": 100, "rate": 1, "gop": 1, "size": (1920, 1080)}


class Elsewhere:
    """A file with holes, and what has been filled of it from the one that is elsewhere."""

    def __init__(self, whole: Path) -> None:
        self.whole, self.path = whole, whole.with_name(f"holes{whole.suffix}")
        self.path.touch()
        os.truncate(self.path, whole.stat().st_size)
        self.blocks: set[int] = set()

    def fill(self, start: int, end: int) -> int:
        first, end_block = start // BLOCK_BYTES, -(-end // BLOCK_BYTES)
        with self.whole.open("rb") as source, self.path.open("r+b") as target:
            for block in range(first, end_block):
                source.seek(block * BLOCK_BYTES)
                target.seek(block * BLOCK_BYTES)
                target.write(source.read(BLOCK_BYTES))
                self.blocks.add(block)
        return end_block * BLOCK_BYTES

    @property
    def share(self) -> float:
        return len(self.blocks) * BLOCK_BYTES / self.whole.stat().st_size


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts", "avi"])
def test_a_segment_takes_its_own_part_of_the_file(kind: str, tmp_path: Path) -> None:
    container = {"mkv": "matroska", "ts": "mpegts"}.get(kind)
    whole = video(tmp_path / f"lecture.{kind}", container=container, **LONG)
    info, segment = probe(whole), Segment(5, 80.0, 90.0)
    expected = list(sample_frames(whole, info, segment))
    elsewhere = Elsewhere(whole)
    with DECODER.filling(elsewhere.path, elsewhere.fill):
        found = list(sample_frames(elsewhere.path, info, segment))
    assert [frame.time for frame in found] == [frame.time for frame in expected]
    assert all(np.array_equal(one.image, other.image) for one, other in zip(found, expected, strict=True))
    assert elsewhere.share < 0.5


def test_what_can_not_be_brought_is_the_error_of_who_brings_it(tmp_path: Path) -> None:
    whole = video(tmp_path / "lecture.mp4")
    elsewhere = Elsewhere(whole)

    def fail(start: int, end: int) -> int:
        raise ConnectionError("cut off")

    with pytest.raises(ConnectionError, match="cut off"), DECODER.filling(elsewhere.path, fail):
        probe(elsewhere.path)
    with DECODER.filling(elsewhere.path, elsewhere.fill):
        assert probe(elsewhere.path) == probe(whole)


def test_a_child_whose_file_has_no_holes_gets_nothing_filled() -> None:
    ours, theirs = Pipe()
    with ours, theirs, Connection(os.dup(ours.fileno())) as ended:
        theirs.send_bytes(encode(Hole(0, 1)))
        request = PhotoRequest(path="/photo.jpg", seconds=1, max_pixels=1, max_side=None)
        with pytest.raises(RecordingOutOfLimits, match="misbehave"):
            client._next_reply(client._Child(request, ours, mmap.mmap(-1, 1), ended, None))
