"""The library as a researcher uses it: a few lines, cheap to import, the examples of its documentation true."""

import doctest
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest

import recognition
from demo import lecture
from demo.people import ROSTER
from recognition import AttendanceResult, Gallery, StudentAttendance, take_attendance
from recognition.errors import GalleryMismatch, NoEnrolment, RecognitionError, UnreadableRecording
from recognition.types import UnknownPerson, VideoInfo
from tests.recognition.people import gallery_of_class


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """lecture.mp4 with somebody of photos/ and a stranger, eight seconds long; somebody else of photos/ is absent."""
    folder = tmp_path_factory.mktemp("library")
    roster = {name: ROSTER[name] for name in ("Amara Obi", "Bo Lindqvist")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lecture, "DURATION_SECONDS", 8)
        patch.setattr(lecture, "SEATS", {name: lecture.SEATS[name] for name in ("Amara Obi", "a stranger")})
        patch.setattr(lecture, "ROSTER", roster)
        lecture.write_video(folder / "lecture.mp4")
        lecture.write_photos(folder / "photos")
    return folder


@pytest.fixture(scope="module")
def gallery(folder: Path) -> Gallery:
    return recognition.enrol_people(folder / "photos")


@pytest.mark.parametrize("module", ["attendance", "embedding", "detection.detector", "messages"])
def test_examples_in_the_documentation_are_true(folder: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.chdir(folder)
    result = doctest.testmod(importlib.import_module(f"recognition.{module}"))
    assert result.attempted > 0
    assert result.failed == 0


def test_a_gallery_is_made_once_and_used_again(folder: Path, gallery: Gallery, tmp_path: Path) -> None:
    gallery.save(tmp_path / "class.gallery")
    shares: list[float] = []
    result = take_attendance(
        folder / "lecture.mp4", gallery=tmp_path / "class.gallery", every=1.0, progress=shares.append
    )
    assert {student.label: student.status for student in result.students} == {
        "Amara Obi": "present",
        "Bo Lindqvist": "absent",
    }
    assert shares == sorted(shares)
    assert 0.5 < shares[-1] <= 1
    assert json.loads(result.to_json()) == result.to_dict()
    result.to_excel(tmp_path / "lecture.xlsx")
    rows = openpyxl.load_workbook(tmp_path / "lecture.xlsx")["Attendance"].iter_rows(min_row=2, values_only=True)
    assert [(row[1], row[2]) for row in rows] == [("Amara Obi", "Present"), ("Bo Lindqvist", "Absent")]


def test_who_has_no_usable_photo_is_not_recognisable(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(folder / "photos" / "Amara Obi", tmp_path / "photos" / "Amara Obi")
    (tmp_path / "photos" / "Zoe").mkdir()
    (tmp_path / "photos" / "Zoe" / "1.jpg").write_bytes(b"no photo")
    result = take_attendance(folder / "lecture.mp4", people=tmp_path / "photos", every=1.0)
    assert [(student.label, student.status) for student in result.students] == [
        ("Amara Obi", "present"),
        ("Zoe", "not recognisable"),
    ]
    assert "Zoe/1.jpg" in caplog.text


def test_what_was_given_wrongly_is_said(folder: Path, gallery: Gallery, tmp_path: Path) -> None:
    video = folder / "lecture.mp4"
    with pytest.raises(ValueError, match="either people or a gallery"):
        take_attendance(video)
    with pytest.raises(RecognitionError, match="no strictness 'very'"):
        take_attendance(video, gallery=gallery, strictness="very")
    with pytest.raises(NoEnrolment, match="There is no folder"):
        take_attendance(video, people=tmp_path / "nothing")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(UnreadableRecording):
        take_attendance(tmp_path / "broken.mp4", gallery=gallery)
    with pytest.raises(GalleryMismatch):
        take_attendance(video, gallery=tmp_path / "broken.mp4")


def test_importing_is_cheap() -> None:
    program = (
        "import sys, recognition\n"
        "recognition.Gallery, recognition.RecognitionError\n"
        "assert not {'tensorflow', 'keras', 'openvino', 'pandas', 'sklearn'} & set(sys.modules)\n"
        "assert sorted(recognition._MODULES) == sorted(recognition.__all__)\n"
        "[getattr(recognition, name) for name in recognition.__all__]\n"
        "assert not {'tensorflow', 'keras', 'openvino', 'pandas'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def result_of(*students: StudentAttendance, unknown: int = 0, static_faces: int = 0) -> AttendanceResult:
    """A result for tests of what is made of it."""
    info = VideoInfo(container="mov", codec="h264", width=640, height=360, rotation=0, fps=10.0, duration=60.0)
    return AttendanceResult(
        recording=Path("lecture.mp4"),
        info=info,
        gallery=gallery_of_class(3),
        strictness="balanced",
        students=students,
        unknown=(UnknownPerson(intervals=(), seconds=9, crops=()),) * unknown,
        static_faces=(UnknownPerson(intervals=(), seconds=60, crops=(), is_static=True),) * static_faces,
    )
