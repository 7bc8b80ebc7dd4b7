"""Whatever somebody uploads or sends: little memory, little time, and a sentence that says what happened."""

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from recognition.errors import RecognitionError
from recognition.media.photo import read_photo
from recognition.media.video import plan_segments, probe, sample_frames
from tests.hostile import photos, videos
from tests.hostile.case import MAX_PEAK_BYTES, MAX_SECONDS, READ, Case, measured

MAX_FRAMES = 20


def judge(case: Case, read: Callable[[], str], record_property: Callable[[str, object], None]) -> None:
    with measured() as cost:
        said = read()
    for name, value in (("limit", case.limit), ("sentence", said), ("seconds", cost.seconds), ("peak", cost.peak)):
        record_property(name, value)
    assert re.search(case.says, said), said
    assert cost.peak < MAX_PEAK_BYTES
    assert cost.seconds < MAX_SECONDS


def read_as_photo(path: Path) -> str:
    try:
        image, _kind, _taken_at = read_photo(path)
    except RecognitionError as error:
        return str(error)
    assert image.shape[2] == 3
    return READ


def read_as_recording(path: Path) -> str:
    try:
        info = probe(path)
        for segment in plan_segments(path, info)[:2]:
            for frame in islice(sample_frames(path, info, segment), MAX_FRAMES):
                assert frame.image.shape == (info.height, info.width, 3)
    except RecognitionError as error:
        return str(error)
    return READ


MEDIA = [(case, read_as_photo) for case in photos.cases()] + [(case, read_as_recording) for case in videos.cases()]


@pytest.mark.parametrize(("case", "read"), [pytest.param(*row, id=row[0].name) for row in MEDIA])
def test_photos_and_recordings(
    case: Case, read: Callable[[Path], str], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    path = tmp_path / "upload"
    path.write_bytes(case.make())
    judge(case, lambda: read(path), record_property)
