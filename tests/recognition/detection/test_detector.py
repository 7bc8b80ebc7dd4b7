import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognition.boxes import iou
from recognition.detection.detector import (
    Detector,
    DetectorSettings,
    _crops,
    _nms,
    _nms_min,
    _to_square,
    pyramid_scales,
)
from recognition.types import Face


def read(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


@pytest.fixture(scope="module")
def group(shared_data: Path) -> np.ndarray:
    return read(shared_data / "photos" / "group_lab_indoor.jpg")


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(DetectorSettings(min_face=20))


def boxes(faces: list[Face]) -> np.ndarray:
    return np.array([face.box for face in faces], np.float32).reshape(-1, 4)


def test_every_person_of_a_group_photo_is_found(detector: Detector, group: np.ndarray) -> None:
    assert len(detector.detect([group])[0]) == pytest.approx(19, abs=1)


def test_it_finds_what_the_mtcnn_package_finds(detector: Detector, shared_data: Path) -> None:
    from mtcnn import MTCNN

    package = MTCNN(device="CPU:0")
    hits = total = 0
    for name in ("group_lab_indoor.jpg", "group_staff_close.jpg", "meeting_room.jpg"):
        image = read(shared_data / "photos" / name)
        theirs = np.array(
            [[x, y, x + w, y + h] for x, y, w, h in (f["box"] for f in package.detect_faces(image))], np.float32
        )
        total += len(theirs)
        hits += int((iou(theirs, boxes(detector.detect([image])[0])).max(axis=1) >= 0.5).sum())
    assert hits / total >= 0.95


def test_near_where_faces_were_they_are_found_again_and_nowhere_else(detector: Detector, group: np.ndarray) -> None:
    there = boxes(detector.detect([group])[0])
    moved = np.roll(group, (6, -6), axis=(0, 1))
    empty = np.zeros_like(group)
    again, nothing, none = detector.detect_near([moved, empty, moved], [there, there, there[:0]])
    assert len(again) >= len(there) - 1
    assert iou(boxes(again), there + np.array([-6, 6, -6, 6], np.float32)).max(axis=1).min() > 0.6
    assert nothing == []
    assert none == []
    one = detector.detect_near([moved], [there[:1]])[0]
    assert len(one) == 1
    assert iou(boxes(one), there[:1]).item() > 0.4
    assert detector.detect_near([], []) == []


def test_a_head_that_moved_by_a_third_of_its_height_is_found_again(detector: Detector, group: np.ndarray) -> None:
    for box in boxes(detector.detect([group])[0])[:5]:
        step = int((box[3] - box[1]) / 3)
        (found,) = detector.detect_near([np.roll(group, step, axis=1)], [box[None]])
        assert iou(boxes(found), box[None] + np.array([step, 0, step, 0], np.float32)).max() > 0.8


def test_points_lie_in_the_face_in_their_order(detector: Detector, group: np.ndarray) -> None:
    for face in detector.detect([group])[0]:
        left, right, nose, mouth_left, mouth_right = face.points
        assert left[0] < right[0]
        assert mouth_left[0] < mouth_right[0]
        assert max(left[1], right[1]) < min(mouth_left[1], mouth_right[1])
        assert face.box[0] < nose[0] < face.box[2]
        assert face.box[1] < nose[1] < face.box[3]


def test_frames_of_one_call_don_t_mix(detector: Detector, group: np.ndarray) -> None:
    empty, mirrored = np.zeros_like(group), np.ascontiguousarray(group[:, ::-1])
    together = detector.detect([group, empty, mirrored])
    assert together[1] == []
    for image, found in zip((group, mirrored), (together[0], together[2]), strict=True):
        alone = detector.detect([image])[0]
        assert boxes(found) == pytest.approx(boxes(alone), abs=0.05)


def test_a_face_over_the_border_is_found_and_stops_nobody_else(detector: Detector, shared_data: Path) -> None:
    photo = read(shared_data / "people" / "Tony_Blair" / "1.jpg")
    face = detector.detect([photo])[0][0]
    cut = photo[:, int(face.box[0] + 0.15 * (face.box[2] - face.box[0])) :]
    both = np.zeros((250, cut.shape[1] + 300, 3), np.uint8)
    both[:, : cut.shape[1]] = cut
    both[:, -photo.shape[1] :] = photo
    found = boxes(detector.detect([both])[0])
    assert found[:, 0].min() < 5
    assert found[:, 0].max() > cut.shape[1]


@pytest.mark.parametrize("shape", [(11, 400), (13, 17), (251, 333)])
def test_odd_and_tiny_frames_are_fine(detector: Detector, shape: tuple[int, int]) -> None:
    assert detector.detect([np.zeros((*shape, 3), np.uint8)]) == [[]]


def test_no_frames_no_faces(detector: Detector) -> None:
    assert detector.detect([]) == []


@pytest.mark.parametrize("least", [12, 20, 40, 90])
def test_the_pyramid_reaches_from_the_least_face_to_the_whole_frame(least: int) -> None:
    levels = pyramid_scales(1080, 1920, DetectorSettings(min_face=least))
    assert levels[0] == pytest.approx(12 / least)
    assert 1080 * levels[-1] >= 12 > 1080 * levels[-1] * 0.709


def test_a_larger_least_face_never_empties_the_result(group: np.ndarray) -> None:
    assert Detector(DetectorSettings(min_face=48)).detect([group])[0]


def test_suppression_is_greedy_from_the_best() -> None:
    chain = np.array([[0, 0, 99, 99], [25, 0, 124, 99], [50, 0, 149, 99]], np.float32)
    scores = np.array([0.9, 0.8, 0.7], np.float32)
    assert _nms(chain, scores, 0.5).tolist() == [0, 2]
    nested = np.array([[0, 0, 99, 99], [30, 30, 59, 59], [200, 0, 299, 99]], np.float32)
    assert sorted(_nms_min(nested, scores, 0.7).tolist()) == [0, 2]


def test_squares_keep_the_centre() -> None:
    assert _to_square(np.array([[10, 20, 30, 60]], np.float32)).tolist() == [[0, 20, 40, 60]]


def test_crops_are_what_cutting_and_resizing_gives_and_black_outside() -> None:
    smooth = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8), (0, 0), 6)
    smooth = cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)
    squares = np.array([[41, 51, 136, 146], [-19, -19, 76, 76]], np.float32)
    got = _crops([[smooth]], np.array([1.0]), squares, np.zeros(2, np.intp), 48)
    wanted = cv2.resize(smooth[50:146, 40:136], (48, 48), interpolation=cv2.INTER_AREA)
    assert np.abs(got[0].astype(int) - wanted).mean() < 3
    inside = math.ceil(48 * 20 / 96)
    assert not got[1][: inside - 1].any()
    assert got[1][inside + 1 :, inside + 1 :].any()
