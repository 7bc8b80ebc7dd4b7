"""The whole picture at a moment is the one that was looked at."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recognition.errors import UnreadableRecording
from recognition.media.snapshot import MAX_SIDE_PX, read_snapshot
from recognition.media.video import probe, sample_frames
from recognition.types import Segment
from tests.recognition import video_files


def shown(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))


@pytest.mark.parametrize("codec", ["h264", "mjpeg"])
def test_it_is_the_frame_of_that_time(tmp_path: Path, codec: str) -> None:
    path = video_files.video(tmp_path / "lecture.mp4", codec=codec, seconds=6)
    info = probe(path)
    for frame in sample_frames(path, info, Segment(0, 0.0, info.duration), 2.0):
        assert video_files.number_of(shown(read_snapshot(path, info, frame.time))) == video_files.number_of(frame.image)


def test_a_large_photo_is_made_smaller(tmp_path: Path) -> None:
    path = tmp_path / "room.jpg"
    Image.new("RGB", (3000, 1500), "teal").save(path)
    assert shown(read_snapshot(path, probe(path), 0.0)).shape == (MAX_SIDE_PX // 2, MAX_SIDE_PX, 3)


def test_beyond_the_end_there_is_nothing(tmp_path: Path) -> None:
    path = video_files.video(tmp_path / "lecture.mp4", seconds=2)
    with pytest.raises(UnreadableRecording):
        read_snapshot(path, probe(path), 60.0)
