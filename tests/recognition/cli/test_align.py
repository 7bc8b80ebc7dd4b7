"""The words and outputs of FaceNet's align_dataset_mtcnn.py."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recognition.__main__ import main
from recognition.cli.align import most_central_face
from recognition.types import Face


@pytest.fixture
def raw(shared_data: Path, tmp_path: Path) -> Path:
    """Two people with two photos each, one photo that shows nobody, and one that is none."""
    for person in ("Tony_Blair", "Serena_Williams"):
        (tmp_path / "raw" / person).mkdir(parents=True)
        for photo in ("1.jpg", "2.jpg"):
            shutil.copy(shared_data / "people" / person / photo, tmp_path / "raw" / person)
    Image.fromarray(np.full((120, 120, 3), 128, np.uint8)).save(tmp_path / "raw" / "Tony_Blair" / "wall.png")
    (tmp_path / "raw" / "Tony_Blair" / "damaged.jpg").write_bytes(b"no photo")
    return tmp_path / "raw"


def outputs(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))


def test_the_folder_of_the_tutorials(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "aligned"
    words = [
        "align",
        str(raw),
        str(out),
        "--image_size",
        "160",
        "--margin",
        "32",
        "--random_order",
        "--gpu_memory_fraction",
        "0.25",
    ]
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.out == "Total number of images: 6\nNumber of successfully aligned images: 4\n"
    assert f'Unable to align "{raw / "Tony_Blair" / "wall.png"}"' in said.err
    assert f"{raw / 'Tony_Blair' / 'damaged.jpg'}: The file is no video or photo of a known kind" in said.err
    crops = ["Serena_Williams/1.png", "Serena_Williams/2.png", "Tony_Blair/1.png", "Tony_Blair/2.png"]
    assert outputs(out) == crops
    (boxes,) = out.glob("bounding_boxes_?????.txt")
    lines = {line.split()[0]: [int(number) for number in line.split()[1:]] for line in boxes.read_text().splitlines()}
    assert lines[str(out / "Tony_Blair" / "wall.png")] == []
    assert sorted(lines) == [str(out / crop) for crop in [*crops, "Tony_Blair/wall.png"]]
    x1, y1, x2, y2 = lines[str(out / "Tony_Blair" / "1.png")]
    with Image.open(raw / "Tony_Blair" / "1.jpg") as photo, Image.open(out / "Tony_Blair" / "1.png") as crop:
        expected = photo.convert("RGB").crop((x1, y1, x2, y2)).resize((160, 160), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(np.asarray(crop), np.asarray(expected))

    before = (out / "Tony_Blair" / "1.png").stat().st_mtime_ns
    (out / "Tony_Blair" / "2.png").unlink()
    assert main(words) == 0
    assert "Number of successfully aligned images: 1\n" in capsys.readouterr().out
    assert outputs(out) == crops
    assert (out / "Tony_Blair" / "1.png").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("words", "names"), [(["True"], ["1_0.png", "1_1.png"]), ([], ["1_0.png", "1_1.png"]), (["False"], ["1.png"])]
)
def test_all_faces_of_a_photo(raw: Path, tmp_path: Path, words: list[str], names: list[str]) -> None:
    pair = tmp_path / "pairs" / "both"
    pair.mkdir(parents=True)
    faces = [
        np.asarray(Image.open(raw / person / "1.jpg").convert("RGB")) for person in ("Tony_Blair", "Serena_Williams")
    ]
    Image.fromarray(np.hstack([face[: min(len(face) for face in faces)] for face in faces])).save(pair / "1.png")
    assert main(["align", str(tmp_path / "pairs"), str(tmp_path / "out"), "--detect_multiple_faces", *words]) == 0
    assert outputs(tmp_path / "out" / "both") == names
    assert Image.open(tmp_path / "out" / "both" / names[0]).size == (182, 182)


def test_of_several_faces_the_large_one_near_the_centre_counts() -> None:
    def face(x: float, y: float, side: float) -> Face:
        return Face(np.array([x, y, x + side, y + side], np.float32), 1.0, np.zeros((5, 2), np.float32))

    centre, corner, small = face(450, 250, 100), face(0, 0, 140), face(480, 280, 40)
    assert most_central_face([corner, centre, small], (600, 1000, 3)) is centre


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["none", "out"], "there is no folder none"),
        (["{raw}", "out", "--image_size", "0"], "'0' is no whole number above 0"),
        (["{raw}", "out", "--detect_multiple_faces", "perhaps"], "'perhaps' is neither True nor False"),
    ],
)
def test_wrong_words_are_sentences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit):
        main(["align", *(word.replace("{raw}", str(tmp_path)) for word in words)])
    assert sentence in capsys.readouterr().err
