"""Pictures are stretched, turned and mirrored as the file says, and then as a person does."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from recognition.media import video
from recognition.media.orientation import MAX_PIXEL_ASPECT, adjust_picture, box_in_file, box_in_frame, stretch
from recognition.media.snapshot import read_preview
from recognition.types import Segment, VideoInfo
from tests.recognition import video_files

SIDES = st.integers(16, 4000)
ROTATIONS = st.sampled_from([0, 90, 180, 270])
INFO = VideoInfo(container="mov", codec="h264", width=1, height=1, rotation=0, fps=25.0, duration=10.0)


def shown(image: NDArray[np.uint8], info: VideoInfo) -> NDArray[np.uint8]:
    turned = np.rot90(image, -info.rotation // 90)
    return turned[:, ::-1] if info.is_mirrored else turned


@given(SIDES, SIDES, st.floats(1 / MAX_PIXEL_ASPECT, MAX_PIXEL_ASPECT))
def test_stretching_gives_square_pixels_and_loses_nothing(width: int, height: int, pixel_aspect: float) -> None:
    wide, high = stretch(width, height, pixel_aspect)
    assert wide >= width
    assert high >= height
    assert wide == width or high == height
    assert wide / high == pytest.approx(width * pixel_aspect / height, rel=1 / min(width, height))


@given(SIDES, SIDES, st.floats(0, 1e9).filter(lambda aspect: not 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT))
def test_an_absurd_shape_is_not_believed(width: int, height: int, pixel_aspect: float) -> None:
    assert stretch(width, height, pixel_aspect) == (width, height)


@given(ROTATIONS, st.booleans(), ROTATIONS, st.booleans())
def test_a_person_turns_and_mirrors_what_the_file_shows(
    rotation: int, is_mirrored: bool, turned_by: int, then_mirrored: bool
) -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    by_file = replace(INFO, rotation=rotation, is_mirrored=is_mirrored)
    by_person = replace(INFO, rotation=turned_by, is_mirrored=then_mirrored)
    adjusted = adjust_picture(by_file, rotation=turned_by, is_mirrored=then_mirrored)
    assert np.array_equal(shown(image, adjusted), shown(shown(image, by_file), by_person))


@given(SIDES, SIDES, ROTATIONS, ROTATIONS, st.sampled_from([16 / 9, 4 / 3, 5 / 4]))
def test_the_shape_is_that_before_all_turning(
    width: int, height: int, rotation: int, turned_by: int, ratio: float
) -> None:
    size = (height, width) if rotation in (90, 270) else (width, height)
    by_file = replace(INFO, rotation=rotation, width=size[0], height=size[1])
    adjusted = adjust_picture(by_file, aspect_ratio=ratio, rotation=turned_by)
    assert adjusted.size_before_turning == stretch(width, height, ratio * height / width)


@pytest.mark.parametrize("stored", [(80, 120), (160, 60)])
def test_a_squeezed_recording_that_declares_nothing_is_read_in_the_shape_that_was_set(
    tmp_path: Path, stored: tuple[int, int]
) -> None:
    path = video_files.video(tmp_path / "recorder.mp4", size=stored)
    info = adjust_picture(video.probe(path), aspect_ratio=4 / 3)
    frames = list(video.sample_frames(path, info, Segment(0, 0.0, info.duration), 1.0))
    assert {frame.image.shape for frame in frames} == {(120, 160, 3)}
    assert [video_files.number_of(frame.image) for frame in frames] == [0, 10, 20, 30, 40, 50]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("suffix", ["mp4", "png"])
def test_a_camera_that_hangs_askew_is_read_upright(
    tmp_path: Path, rotation: int, is_mirrored: bool, suffix: str
) -> None:
    picture = video_files.picture(5)
    stored = np.ascontiguousarray(np.rot90(picture[:, ::-1] if is_mirrored else picture, rotation // 90))
    path = tmp_path / f"camera.{suffix}"
    if suffix == "png":
        Image.fromarray(stored).save(path)
    else:
        video_files.video_of(path, [stored] * 20)
    info = adjust_picture(video.probe(path), rotation=rotation, is_mirrored=is_mirrored)
    frames = list(video.sample_frames(path, info, Segment(0, 0.0, info.duration), 1.0))
    assert (info.width, info.height) == (160, 120)
    assert {video_files.number_of(frame.image) for frame in frames} == {5}


def test_a_preview_is_a_picture_from_about_that_time(tmp_path: Path) -> None:
    path = video_files.video(tmp_path / "lecture.mp4", seconds=20)
    info = video.probe(path)
    for time, expected in ((10.0, 100), (1000.0, 50)):
        with Image.open(io.BytesIO(read_preview(path, info, time))) as preview:
            assert video_files.number_of(np.asarray(preview)) == pytest.approx(expected, abs=20)


@given(ROTATIONS, st.booleans(), ROTATIONS, st.booleans(), st.sampled_from([None, 16 / 9, 4 / 3]))
def test_a_box_stays_on_its_face_however_the_picture_is_turned(
    rotation: int, is_mirrored: bool, turned_by: int, then_mirrored: bool, ratio: float | None
) -> None:
    stored = np.zeros((24, 32), np.uint8)
    stored[3:9, 5:7] = 1  # the face
    size = (24, 32) if rotation in (90, 270) else (32, 24)
    before = replace(INFO, rotation=rotation, is_mirrored=is_mirrored, width=size[0], height=size[1])
    after = adjust_picture(before, aspect_ratio=ratio, rotation=turned_by, is_mirrored=then_mirrored)

    def face_box(info: VideoInfo) -> tuple[float, ...]:
        frame = shown(stored, info)
        rows, columns = np.nonzero(frame)
        wide, high = info.width / frame.shape[1], info.height / frame.shape[0]
        left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        return left * wide, top * high, right * wide, bottom * high

    old = tuple(map(float, face_box(before)))
    assert len(old) == 4
    assert box_in_frame(box_in_file(old, before), before) == pytest.approx(old, abs=0.1)
    assert box_in_frame(box_in_file(old, before), after) == pytest.approx(face_box(after), abs=0.1)
