"""From a real recording to the table, the JSON and the workbook, as a user runs it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from PIL import Image

from recognition.__main__ import main
from recognition.annotate import COLOURS
from recognition.attendance import Status, StudentAttendance
from recognition.cli.attend import format_table
from recognition.types import Interval
from tests.recognition.test_attendance import result_of


@pytest.fixture(scope="session")
def lecture(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A composed 24 s lecture with 10 on the roster, 3 of them absent, and 2 strangers; lecture.json beside it has the
    truth.
    """
    folder = tmp_path_factory.mktemp("lecture")
    people = folder / "people"
    for person in sorted((shared_data / "people").iterdir())[:10]:
        shutil.copytree(person, people / person.name)
    seen = [
        "--absent=3",
        "--late=1",
        "--leave=1",
        "--unknown=2",
        "--duration=24",
        "--fps=5",
        "--gop=10",
        "--size=1280x720",
        "--face=40-90",
        "--seed=5",
    ]
    tool, strangers, video = (
        shared_data.parent / "tools" / "make_lecture.py",
        shared_data / "strangers",
        folder / "lecture.mp4",
    )
    subprocess.run(
        [sys.executable, tool, "--people", people, "--strangers", strangers, "--out", video, *seen], check=True
    )
    return folder


def score(shared_data: Path, truth: Path, result: Path) -> str:
    tool = shared_data.parent / "tools" / "score_attendance.py"
    return subprocess.run([sys.executable, tool, truth, result], check=True, capture_output=True, text=True).stdout


def test_a_lecture(lecture: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result, workbook = lecture / "result.json", lecture / "result.xlsx"
    arguments = [
        "attend",
        lecture / "lecture.mp4",
        "--people",
        lecture / "people",
        "--enrol",
        10,
        "--json",
        result,
        "--excel",
        workbook,
    ]
    assert main([str(argument) for argument in arguments]) == 0
    assert "marked rightly 10/10" in score(shared_data, lecture / "lecture.json", result)
    assert "7 of 10 present" in capsys.readouterr().out
    rows = list(openpyxl.load_workbook(workbook)["Attendance"].iter_rows(values_only=True))
    present = {name for name, student in json.loads(result.read_text())["students"].items() if student["present"]}
    assert {row[1] for row in rows[1:] if row[2] == "Present"} == present


def test_a_lecture_with_facenets_own_weights(lecture: Path) -> None:
    result = lecture / "facenet.json"
    arguments = ["attend", lecture / "lecture.mp4", "--people", lecture / "people", "--enrol", 10, "--json", result]
    assert main([str(argument) for argument in (*arguments, "--embedder", "facenet-20180408")]) == 0
    students = json.loads(result.read_text())["students"]
    present = set(json.loads((lecture / "lecture.json").read_text())["present"])
    recognised = {name for name, student in students.items() if student["present"]}
    asked = {name for name, student in students.items() if student["to_confirm"]}
    assert recognised | asked <= present
    assert len(recognised) >= 4
    assert len(recognised | asked) >= 5, "one of them is at the threshold, and processors round otherwise"


def test_a_photo_of_one_student(shared_data: Path, tmp_path: Path) -> None:
    people = tmp_path / "people"
    for name in ("Tony_Blair", "Serena_Williams", "Jackie_Chan"):
        shutil.copytree(shared_data / "people" / name, people / name)
    result = tmp_path / "result.json"
    photo = shared_data / "people" / "Tony_Blair" / "12.jpg"
    assert (
        main(
            [
                "attend",
                str(photo),
                "--people",
                str(people),
                "--enrol",
                "8",
                "--strictness",
                "strict",
                "--json",
                str(result),
            ]
        )
        == 0
    )
    students = json.loads(result.read_text())["students"]
    assert [name for name, student in students.items() if student["present"]] == ["Tony_Blair"]


def student(label: str, status: Status, *intervals: Interval, confidence: float = 0.0) -> StudentAttendance:
    return StudentAttendance(
        label=label, status=status, intervals=intervals, seconds=0.0, share=0.0, confidence=confidence, crops=()
    )


def test_who_is_to_be_confirmed_and_what_is_no_person_is_told_apart() -> None:
    ada = student("Ada", "present", (0.0, 50.0), confidence=0.97)
    alan = student("Alan", "to confirm", (3.0, 4.0), confidence=0.9)
    result = result_of(ada, alan, student("Kurt", "absent"), unknown=1, static_faces=1)
    written = result.to_dict()
    students = {"Ada": (True, False), "Alan": (False, True), "Kurt": (False, False)}
    assert {
        name: (student["present"], student["to_confirm"]) for name, student in written["students"].items()
    } == students
    assert (written["unknown"], written["static_faces"]) == (1, 1)
    first, second, third, total = format_table(result)
    assert first.split() == ["Ada", "present", "0:00-0:50", "97%"]
    assert second.split() == ["Alan", "to", "be", "confirmed", "0:03-0:04", "90%"]
    assert third.split() == ["Kurt", "absent"]
    assert total == "1 of 3 present, 1 to be confirmed, 1 unknown, 1 on a wall or a screen"


def test_a_gallery_does_for_the_folder_and_the_options_first_name_is_still_known(
    people: Path, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, gallery = str(shared_data / "people" / "Tony_Blair" / "12.jpg"), str(tmp_path / "class.gallery")
    assert main(["enrol", str(people), gallery, "--enrol", "3"]) == 0
    assert "1 people with 3 photos" in capsys.readouterr().out
    assert main(["attend", photo, "--gallery", gallery, "--sureness", "lenient"]) == 0
    assert "1 of 1 present" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["attend", photo])
    with pytest.raises(SystemExit):
        main(["attend", photo, "--gallery", gallery, "--people", str(people)])


@pytest.fixture
def people(shared_data: Path, tmp_path: Path) -> Path:
    shutil.copytree(shared_data / "people" / "Tony_Blair", tmp_path / "people" / "Tony_Blair")
    return tmp_path / "people"


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.mp4", None, "There is no file"),
        ("empty.mp4", b"", "empty"),
        ("text.mp4", b"this is no video\n" * 100, "a text file"),
        ("cut.jpg", b"\xff\xd8\xff\xe0" + b"\0" * 100, "damaged"),
    ],
)
def test_a_bad_recording_is_a_sentence_and_an_exit_code(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert main(["attend", str(tmp_path / name), "--people", str(people)]) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error


def test_an_annotated_recording_needs_a_fitting_name(
    people: Path, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, drawn = str(shared_data / "people" / "Tony_Blair" / "12.jpg"), tmp_path / "seen.png"
    assert main(["attend", photo, "--people", str(people), "--annotated", str(tmp_path / "seen.mp4")]) == 1
    assert "Choose a name that ends in .jpg" in capsys.readouterr().err
    assert main(["attend", photo, "--people", str(people), "--enrol", "3", "--annotated", str(drawn)]) == 0
    with Image.open(drawn) as image, Image.open(photo) as before:
        assert image.size == before.size
        green = COLOURS["present"]
        assert (np.asarray(image) == green).all(axis=2).sum() > 100
        assert not (np.asarray(before) == green).all(axis=2).any()


def test_people_that_can_t_be_used_are_a_sentence(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = str(shared_data / "people" / "Tony_Blair" / "12.jpg")
    assert main(["attend", photo, "--people", str(tmp_path / "none")]) == 1
    assert "There is no folder" in capsys.readouterr().err
    assert main(["attend", photo, "--people", str(tmp_path)]) == 1
    assert "Make one for each student" in capsys.readouterr().err
    (tmp_path / "Nobody").mkdir()
    (tmp_path / "Nobody" / "1.jpg").write_bytes(b"no photo")
    assert main(["attend", photo, "--people", str(tmp_path)]) == 1
    assert "usable enrolment photo" in capsys.readouterr().err


def test_missing_weights_are_a_sentence(
    people: Path, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = str(shared_data / "people" / "Tony_Blair" / "12.jpg")
    arguments = ["attend", photo, "--people", str(people), "--embedder", "facenet-20180402"]
    assert main([*arguments, "--weights", str(tmp_path / "none.pt")]) == 1
    assert "weights" in capsys.readouterr().err.lower()


def test_a_full_disk_is_a_sentence(people: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    photo = str(shared_data / "people" / "Tony_Blair" / "12.jpg")
    assert main(["attend", photo, "--people", str(people), "--json", "/dev/full"]) == 1
    assert "Free space" in capsys.readouterr().err
