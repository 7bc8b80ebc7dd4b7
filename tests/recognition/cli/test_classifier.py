"""The words of FaceNet's classifier.py, and what was wrong in it put right."""

import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recognition.__main__ import main
from recognition.cli.classifier import crop_middle, select_training_photos
from recognition.errors import GalleryMismatch, NoEnrolment
from recognition.identification import classifier
from recognition.identification.classifier import Classifier
from recognition.people_folder import photos_by_person

PEOPLE = ["Jackie_Chan", "Serena_Williams", "Tony_Blair"]


@pytest.fixture(scope="module")
def aligned(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight aligned faces of each of three people."""
    folder = tmp_path_factory.mktemp("faces")
    for person in PEOPLE:
        (folder / "raw" / person).mkdir(parents=True)
        for number in range(1, 9):
            shutil.copy(shared_data / "people" / person / f"{number}.jpg", folder / "raw" / person)
    assert main(["align", str(folder / "raw"), str(folder / "aligned"), "--image_size", "160", "--margin", "32"]) == 0
    return folder / "aligned"


SPLIT = [
    "--use_split_dataset",
    "--min_nrof_images_per_class",
    "6",
    "--nrof_train_images_per_class",
    "5",
    "--batch_size",
    "7",
]


@pytest.fixture(scope="module")
def trained(aligned: Path) -> Path:
    file = aligned.parent / "classifier.pkl"
    assert main(["classifier", "TRAIN", str(aligned), "dlib-resnet-v1", str(file), *SPLIT]) == 0
    return file


def test_what_it_was_not_trained_on_is_classified(
    aligned: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classifier", "CLASSIFY", str(aligned), "dlib-resnet-v1", str(trained), *SPLIT]) == 0
    said = capsys.readouterr().out
    assert "Number of classes: 3\nNumber of images: 9\n" in said
    lines = re.findall(r"^ +(\d+)  (.+): ([01]\.\d{3})$", said, re.MULTILINE)
    assert [int(number) for number, _, _ in lines] == list(range(9))
    assert [name for _, name, _ in lines] == [person.replace("_", " ") for person in PEOPLE for _ in range(3)]
    assert said.endswith("Accuracy: 1.000\n")


def test_facenets_own_weights_classify_as_well(
    aligned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for mode in ("TRAIN", "CLASSIFY"):
        assert main(["classifier", mode, str(aligned), "facenet-20180408", str(tmp_path / "classifier"), *SPLIT]) == 0
    assert capsys.readouterr().out.endswith("Accuracy: 1.000\n")


def test_names_come_from_the_file_not_from_the_folders(aligned: Path, trained: Path, tmp_path: Path, capsys) -> None:
    """A folder more, one less and a plain file shifted every name of the original."""
    shutil.copytree(aligned / "Tony_Blair", tmp_path / "faces" / "Tony_Blair")
    shutil.copytree(aligned / "Jackie_Chan", tmp_path / "faces" / "A_Stranger")
    (tmp_path / "faces" / "faces.txt").write_text("no folder")
    words = [
        "classifier",
        "CLASSIFY",
        str(aligned),
        "dlib-resnet-v1",
        str(trained),
        "--test_data_dir",
        str(tmp_path / "faces"),
    ]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "A_Stranger is unknown to the classifier" in said.err
    assert "Number of images: 8\n" in said.out
    assert said.out.endswith("Accuracy: 1.000\n")
    assert set(re.findall(r"^ +\d+  (.+):", said.out, re.MULTILINE)) == {"Tony Blair"}


def test_the_split_hangs_on_names_alone(aligned: Path) -> None:
    photos = photos_by_person(aligned)
    first = select_training_photos(photos, 6, 5, 666)
    assert [len(mine) for mine in first.values()] == [5, 5, 5]
    assert select_training_photos(dict(reversed(photos.items())), 6, 5, 666) == first
    assert select_training_photos({"Tony_Blair": photos["Tony_Blair"]}, 6, 5, 666) == {
        "Tony_Blair": first["Tony_Blair"]
    }
    assert select_training_photos(photos, 6, 5, 667) != first
    assert select_training_photos(photos, 9, 5, 666) == {}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["TRAIN", "{aligned}", "dlib-resnet-v1", "{out}", "--use_split_dataset"], "Nobody in .* has 20 images"),
        (
            ["TRAIN", "{aligned}", "dlib-resnet-v1", "{out}", "--test_data_dir", "{aligned}"],
            "--test_data_dir is for CLASSIFY",
        ),
        (["TRAIN", "{aligned}", "arcface", "{out}"], "There is no embedder 'arcface'. Choose one of dlib-resnet-v1"),
        (["TRAIN", "{aligned}", "{trained}", "{out}"], "has no weights in it. Give facenet-pytorch's"),
        (["CLASSIFY", "{empty}", "dlib-resnet-v1", "{trained}"], "There is no image in .* to try the classifier on"),
        (["CLASSIFY", "{aligned}", "dlib-resnet-v1", "{out}"], "There is no file"),
        (
            ["CLASSIFY", "{aligned}", "dlib-resnet-v1", "{pickle}"],
            "is no classifier of Rollcall .pickles of other tools are never opened",
        ),
    ],
)
def test_what_can_t_be_done_is_a_sentence(
    aligned: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "old.pkl").write_bytes(pickle.dumps(("model", ["class names"])))
    places = {
        "aligned": aligned,
        "trained": trained,
        "empty": tmp_path / "empty",
        "out": tmp_path / "out",
        "pickle": tmp_path / "old.pkl",
    }
    assert main(["classifier", *(word.format(**places) for word in words)]) == 1
    error = capsys.readouterr().err
    assert re.search(sentence, error)
    assert "Traceback" not in error


def test_an_empty_test_set_is_a_sentence(aligned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "all"
    assert main(["classifier", "TRAIN", str(aligned), "dlib-resnet-v1", str(out)]) == 0
    assert main(["classifier", "CLASSIFY", str(aligned), "dlib-resnet-v1", str(out), "--use_split_dataset"]) == 1
    assert "it was trained on all of them" in capsys.readouterr().err


def vectors(person: int, count: int) -> np.ndarray:
    centre, noise = (
        np.random.default_rng(person).normal(size=64),
        np.random.default_rng(100 + person).normal(size=(count, 64)),
    )
    raw = centre + 0.6 * noise
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("people", [2, 3, 30])
def test_probabilities_are_those_of_scikit_learn_and_survive_saving(people: int, tmp_path: Path) -> None:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import LinearSVC

    groups = {f"Person {i}": vectors(i, 6) for i in range(people)}
    known = classifier.train_classifier(groups, "dlib-resnet-v1", "1", ["Person_0/1.png"])
    known.save(tmp_path / "classifier.pkl")
    again = Classifier.load(tmp_path / "classifier.pkl")
    assert again.about == known.about
    reference = CalibratedClassifierCV(LinearSVC(random_state=0), cv=5, ensemble=False)
    reference.fit(np.concatenate(list(groups.values())), np.repeat(np.arange(people), 6))
    asked = np.concatenate([vectors(i + 500, 2) for i in range(5)] + list(groups.values()))
    np.testing.assert_allclose(again.probabilities(asked), reference.predict_proba(asked), atol=1e-4)
    assert (again.probabilities(groups["Person 1"]).argmax(axis=1) == 1).all()


def test_too_few_people_or_images_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(NoEnrolment, match="two people or more"):
        classifier.train_classifier({"one": vectors(0, 5)}, "dlib-resnet-v1", "1", [])
    with pytest.raises(NoEnrolment, match="one with 1"):
        classifier.train_classifier({"one": vectors(0, 5), "two": vectors(1, 1)}, "dlib-resnet-v1", "1", [])
    known = classifier.train_classifier({"one": vectors(0, 5), "two": vectors(1, 5)}, "dlib-resnet-v1", "1", [])
    known.save(tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes()
    for length in range(0, len(content), 97):
        (tmp_path / "cut").write_bytes(content[:length])
        with pytest.raises(GalleryMismatch):
            Classifier.load(tmp_path / "cut")


def test_a_larger_image_is_cut_to_its_middle_and_a_smaller_one_enlarged(tmp_path: Path) -> None:
    image = np.zeros((182, 200, 3), np.uint8)
    image[11:171, 20:180] = 255
    Image.fromarray(image).save(tmp_path / "large.png")
    assert (crop_middle(tmp_path / "large.png", 160, 160) == 255).all()
    Image.fromarray(image[11:91, 20:100]).save(tmp_path / "small.png")
    assert (crop_middle(tmp_path / "small.png", 160, 150) == 255).all()
    assert crop_middle(tmp_path / "small.png", 160, 150).shape == (150, 150, 3)
