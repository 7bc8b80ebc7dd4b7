import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognition.detection.alignment import CROP_POINTS, align_face, crop_box, crop_with_margin, estimate_similarity
from recognition.types import Face


@given(
    angle=st.floats(-3.1, 3.1),
    scale=st.floats(0.05, 20),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_a_turned_scaled_and_shifted_face_is_put_back_in_place(
    angle: float, scale: float, shift: tuple[float, float]
) -> None:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    seen = CROP_POINTS @ turn.T + shift
    matrix = estimate_similarity(seen.astype(np.float32), CROP_POINTS)
    assert seen @ matrix[:, :2].T + matrix[:, 2] == pytest.approx(CROP_POINTS, abs=1e-2)


def face_at(points: np.ndarray) -> Face:
    low, high = points.min(axis=0), points.max(axis=0)
    return Face(np.concatenate([low - 30, high + 30]).astype(np.float32), 1.0, points.astype(np.float32))


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0, 7.3])
def test_the_crop_shows_the_points_at_their_targets_at_any_size(scale: float) -> None:
    points = CROP_POINTS * scale + 40
    image = np.zeros((int(200 * scale) + 80, int(200 * scale) + 80, 3), np.uint8)
    for i, (x, y) in enumerate(points):
        cv2.circle(image, (round(float(x)), round(float(y))), max(2, round(4 * scale)), (50 + 50 * i,) * 3, -1)
    crop = align_face(image, face_at(points))
    assert crop.shape == (150, 150, 3)
    for i, (x, y) in enumerate(CROP_POINTS):
        assert int(crop[round(float(y)), round(float(x)), 0]) == pytest.approx(50 + 50 * i, abs=25)


def test_a_large_face_is_shrunk_without_aliasing() -> None:
    stripes = np.zeros((1500, 1500, 3), np.uint8)
    stripes[::2] = 255
    crop = align_face(stripes, face_at(CROP_POINTS * 10))
    assert crop[20:130, 20:130].std() < 15  # of 127 when the stripes alias
    assert crop[75, 75, 0] == pytest.approx(127, abs=15)


def test_a_face_over_the_border_gives_a_whole_crop() -> None:
    image = np.full((120, 120, 3), 200, np.uint8)
    for offset in (-80, 80):
        assert align_face(image, face_at(CROP_POINTS + offset)).shape == (150, 150, 3)


@given(
    box=st.tuples(*[st.floats(-300, 500)] * 2, *[st.floats(0.1, 400)] * 2),
    size=st.integers(1, 160),
    scale=st.floats(1, 2),
)
def test_any_box_gives_a_whole_crop(box: tuple[float, float, float, float], size: int, scale: float) -> None:
    x, y, width, height = box
    face = Face(np.array([x, y, x + width, y + height], np.float32), 1.0, CROP_POINTS)
    assert crop_box(np.zeros((200, 220, 3), np.uint8), face, size, scale).shape == (size, size, 3)


def test_the_margin_crop_takes_pixels_of_the_image_on_each_side_and_stops_at_its_border() -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    image[150:250, 150:230] = 255
    crop, box = crop_with_margin(
        image, Face(np.array([150.6, 150.6, 229.9, 249.9], np.float32), 1.0, CROP_POINTS), 160, 32
    )
    assert box == [134, 134, 245, 265]
    assert crop.shape == (160, 160, 3)
    white = np.flatnonzero(crop[80, :, 0] > 127)
    assert (white[0], white[-1]) == pytest.approx((16 / 111 * 160, 96 / 111 * 160), abs=1.5)
    assert crop_with_margin(image, Face(np.array([-20, 380, 30, 430], np.float32), 1.0, CROP_POINTS), 160, 32)[1] == [
        0,
        364,
        46,
        400,
    ]
    assert crop_with_margin(image, Face(np.array([-90, 10, -40, 60], np.float32), 1.0, CROP_POINTS), 160, 32) is None
