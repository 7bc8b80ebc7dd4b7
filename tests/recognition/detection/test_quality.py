from pathlib import Path

import cv2
import numpy as np
import pytest

from recognition.detection.quality import Quality, assess_face, judge_enrolment_photo
from recognition.types import Face

AHEAD = np.array([(30, 40), (70, 40), (50, 62), (35, 80), (65, 80)], np.float32)
GOOD = Quality(face_px=120, sharpness=300, light=120, yaw=5, pitch=5, roll=0, score=1.0)


def crop(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 200, (150, 150, 3), np.uint8)


def face(points: np.ndarray = AHEAD) -> Face:
    return Face(np.array([10, 10, 90, 110], np.float32), 0.99, points)


def test_a_face_ahead_is_not_turned_and_one_in_profile_is() -> None:
    profile = AHEAD.copy()
    profile[2, 0] = 75
    assert assess_face(face(), crop()).turned < 10
    assert assess_face(face(profile), crop()).turned > 40


def test_blur_darkness_size_and_turning_each_cost_quality() -> None:
    sharp = assess_face(face(), crop())
    profile = AHEAD.copy()
    profile[2, 0] = 75
    far = Face(np.array([0, 0, 20, 25], np.float32), 0.99, AHEAD)
    for worse in (
        assess_face(face(), cv2.GaussianBlur(crop(), (0, 0), 5)),
        assess_face(face(), crop() // 8),
        assess_face(face(profile), crop()),
        assess_face(far, crop()),
    ):
        assert 0 <= worse.value < sharp.value <= 1


@pytest.mark.parametrize(
    ("change", "verdict", "word"),
    [
        ({}, "accepted", ""),
        ({"face_px": 30}, "rejected", "pixels"),
        ({"face_px": 60}, "warning", "pixels"),
        ({"sharpness": 5}, "rejected", "blurred"),
        ({"light": 10}, "rejected", "dark"),
        ({"yaw": 75}, "rejected", "turned"),
        ({"yaw": 50}, "warning", "turned"),
    ],
)
def test_the_verdict_names_the_reason(change: dict[str, float], verdict: str, word: str) -> None:
    from dataclasses import replace

    got, fault, reason = judge_enrolment_photo(replace(GOOD, **change))
    assert got == verdict
    assert word in str(reason)
    assert bool(reason) == bool(fault) == (verdict != "accepted")


def test_ordinary_press_photos_pass(shared_data: Path) -> None:
    from recognition.embedding import load_embedder
    from recognition.pipeline import check_enrolment_photo

    embedder = load_embedder()
    verdicts = [
        check_enrolment_photo(path, embedder).verdict
        for path in sorted((shared_data / "people" / "Tony_Blair").glob("*.jpg"))
    ]
    assert verdicts.count("rejected") <= 1
