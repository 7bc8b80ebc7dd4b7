"""The demo's people are found by the detector and told apart by the default embedder."""

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from demo import lecture
from demo.people import ROSTER, STRANGER, Appearance, draw_person
from recognition.detection.alignment import align_face
from recognition.detection.detector import Detector, DetectorSettings
from recognition.embedding import load_embedder

PEOPLE = {**ROSTER, "a stranger": STRANGER}


def test_everybody_is_found_once_and_is_far_from_everybody_else() -> None:
    detector, embedder = Detector(DetectorSettings(min_face=40)), load_embedder("dlib-resnet-v1")
    pictures = [draw_person(person, Appearance(), 260)[0] for person in PEOPLE.values()]
    faces = detector.detect(pictures)
    assert [len(found) for found in faces] == [1] * len(PEOPLE)
    crops = [align_face(picture, found[0]) for picture, found in zip(pictures, faces, strict=True)]
    looks = np.stack(crops), np.stack(crops)[:, :, ::-1]
    raw = np.mean([embedder.network(np.ascontiguousarray(look))[0] for look in looks], axis=0)
    distances = {
        pair: float(np.linalg.norm(raw[pair[0]] - raw[pair[1]])) for pair in combinations(range(len(PEOPLE)), 2)
    }
    assert min(distances.values()) >= 0.55


def test_each_enrolment_photo_shows_one_face(tmp_path: Path) -> None:
    lecture.write_photos(tmp_path)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == sorted(ROSTER)
    photos = [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in sorted(tmp_path.glob("*/*.jpg"))]
    assert len(photos) == len(ROSTER) * lecture.PHOTOS_PER_STUDENT
    assert {len(found) for found in Detector(DetectorSettings(min_face=40)).detect(photos)} == {1}


def test_the_truth_names_everybody_once() -> None:
    truth = lecture.truth()
    assert sorted([*truth["absent"], *truth["present"]]) == truth["roster"] == sorted(ROSTER)
    assert len(truth["absent"]) == 2
    assert truth["strangers"] == ["a stranger"]
    assert sorted(truth["status"]) == truth["roster"]


def test_the_lecture_is_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lecture, "DURATION_SECONDS", 4)
    for name in ("one.mp4", "two.mp4"):
        lecture.write_video(tmp_path / name)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
