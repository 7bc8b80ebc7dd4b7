"""`make demo`: from nothing to a workbook through the real queue."""

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import pandas as pd
import pytest

from demo import lecture

ROOT = Path(__file__).resolve().parents[2]


def demo(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "ROLLCALL_DATA_DIR": str(folder / "var"),
        "ROLLCALL_REPORTS_DIR": str(folder / "reports"),
    }
    command = [sys.executable, "-m", "demo", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False)


def test_the_demo_is_all_right(tmp_path: Path) -> None:
    done = demo(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 of 8 students are right, and 1 of 1 strangers seen as unknown." in done.stdout
    (workbook,) = (tmp_path / "reports").glob("Report_for_DEMO_*.xlsx")
    assert f"The workbook is {workbook}" in done.stdout
    table = pd.read_excel(workbook)
    assert dict(zip(table["Name"], table["Status"], strict=True)) == lecture.truth()["status"]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    lecture.write_photos(folder)
    return folder


def test_a_photo_and_people_of_ones_own(tmp_path: Path, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lecture, "DURATION_SECONDS", 1)
    lecture.write_video(tmp_path / "lecture.mp4")
    with av.open(str(tmp_path / "lecture.mp4")) as container:
        next(container.decode(video=0)).to_image().save(tmp_path / "room.png")
    done = demo(
        tmp_path,
        "--video",
        tmp_path / "room.png",
        "--people",
        people,
        "--enrol",
        "3",
        "--json",
        tmp_path / "result.json",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    seated = {name for name, seat in lecture.SEATS.items() if seat.start == 0} - {"a stranger"}
    assert {name for name, student in result["students"].items() if student["present"]} == seated
    assert result["unknown"] == 1
    assert len(list((tmp_path / "var" / "demo" / "media" / "photos").iterdir())) == 3 * len(result["students"])


def test_a_broken_recording_ends_with_a_sentence_and_the_log(tmp_path: Path, people: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video at all" * 1000)
    done = demo(tmp_path, "--video", tmp_path / "broken.mp4", "--people", people)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "var" / "demo" / "log" / "worker.log") in done.stderr


def test_a_wrong_path_is_said_before_anything_starts(tmp_path: Path) -> None:
    done = demo(tmp_path, "--video", tmp_path / "nothing.mp4", "--people", tmp_path)
    assert done.returncode == 2
    assert "there is no file" in done.stderr
    assert not (tmp_path / "var").exists()
