import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from recognition.errors import GalleryMismatch, NoEnrolment
from recognition.identification.gallery import Gallery, train_gallery
from recognition.vectors import normalise
from tests.recognition.people import EMBEDDER, a_class, centre, looks_of


def test_each_student_s_svm_tells_the_student_from_those_who_look_alike():
    photos = {str(i): list(looks_of(i, 8)) for i in range(6)}
    photos["sister"] = list(normalise(np.stack(photos["0"]) + 0.5 * looks_of(800, 8)))
    alike = train_gallery(photos, EMBEDDER)
    first, sister = alike.labels.index("0"), alike.labels.index("sister")
    other = normalise(looks_of(0, 6, seed=7) + 0.5 * looks_of(800, 6, seed=7))
    assert (
        alike.svm_scores(looks_of(0, 6, seed=7))[:, first] > alike.svm_scores(looks_of(0, 6, seed=7))[:, sister]
    ).all()
    assert (alike.svm_scores(other)[:, sister] > alike.svm_scores(other)[:, first]).all()


def test_every_student_is_most_like_themselves_and_strangers_stay_below_the_threshold() -> None:
    gallery = a_class()
    for person in range(20):
        asked = normalise(looks_of(person, 4, seed=99).mean(axis=0))[None]
        assert gallery.labels[int(gallery.scores(asked).argmax())] == str(person)
        assert gallery.scores(asked).max() >= gallery.threshold
    strangers = np.stack([normalise(looks_of(person, 4).mean(axis=0)) for person in range(500, 600)])
    assert (gallery.scores(strangers).max(axis=1) >= gallery.threshold).mean() <= 0.03


def test_more_looks_ask_for_more() -> None:
    one, two, three = a_class().operating_points["balanced"].thresholds
    assert one <= two <= three < 1


def test_the_stricter_a_preset_the_higher_its_thresholds_and_the_more_are_missed() -> None:
    gallery = a_class()
    points = [gallery.operating_points[strictness] for strictness in ("strict", "balanced", "lenient")]
    for stricter, milder in itertools.pairwise(points):
        assert all(a > b for a, b in zip(stricter.thresholds, milder.thresholds, strict=True))
        assert stricter.expected_fpir < milder.expected_fpir
        assert stricter.expected_miss >= milder.expected_miss
    assert gallery.threshold == points[1].thresholds[-1]


def test_the_more_students_a_stranger_may_be_taken_for_the_higher_the_threshold() -> None:
    impostors = a_class().impostor_model
    limits = impostors.threshold(3, 0.001, np.array([1, 5, 40, 5000]))
    assert (np.diff(limits) > 0).all()
    pair = 1 - (1 - 0.001) ** (1 / 40)
    assert impostors.threshold(3, 0.001, 40) == pytest.approx(impostors.threshold(3, pair, 1))


def test_strangers_who_come_near_raise_the_thresholds() -> None:
    photos = {str(i): list(looks_of(i, 8)) for i in range(20)}
    alone = train_gallery(photos, EMBEDDER)
    for spread, raised in ((0.15, True), (3.0, False)):
        cohort = np.stack([normalise(looks_of(i % 20, 1, seed=i)[0] + spread * centre(900 + i)) for i in range(300)])
        moved = train_gallery(photos, EMBEDDER, strangers=cohort)
        assert all(
            (a > b) == raised
            for a, b in zip(
                moved.operating_points["balanced"].thresholds,
                alone.operating_points["balanced"].thresholds,
                strict=True,
            )
        )


def test_the_report_has_rates_and_curves_of_the_class() -> None:
    report = a_class().report
    assert list(report["rates"]) == ["strict", "balanced", "lenient"]
    assert report["rates"]["balanced"]["fpir"] == 0.001
    curves = report["curves"]
    assert sum(curves["genuine"]) == sum(curves["impostor"]) == report["photos"]
    assert len(curves["edges"]) == len(curves["genuine"]) + 1
    middle = (np.array(curves["edges"][1:]) + curves["edges"][:-1]) / 2
    assert np.average(middle, weights=curves["genuine"]) > np.average(middle, weights=curves["impostor"])


def test_a_class_of_thousands_trains_and_knows_everybody() -> None:
    gallery = a_class(2000, photos=2)
    asked = np.stack([normalise(looks_of(i, 4, seed=9).mean(axis=0)) for i in range(0, 2000, 40)])
    assert [gallery.labels[k] for k in gallery.scores(asked).argmax(axis=1)] == [str(i) for i in range(0, 2000, 40)]


def test_a_class_of_one_or_two_works() -> None:
    for count in (1, 2):
        gallery = a_class(count, photos=3)
        own, stranger = normalise(looks_of(0, 3, seed=5).mean(axis=0)), centre(700)
        assert gallery.scores(own[None])[0, 0] >= gallery.threshold
        assert gallery.scores(stranger[None]).max() < gallery.threshold


def test_a_mislabelled_photo_is_left_out_and_named() -> None:
    photos = {str(i): list(looks_of(i, 6)) for i in range(5)}
    photos["0"][2] = looks_of(3, 1, seed=50)[0]
    gallery = train_gallery(photos, EMBEDDER)
    assert gallery.report["suspect_photos"] == {"0": [2]}
    assert (
        gallery.templates[0] @ looks_of(3, 9, seed=9).mean(axis=0)
        < gallery.templates[0] @ looks_of(0, 9, seed=9).mean(axis=0) - 0.1
    )


def test_students_without_or_with_few_photos_and_twins_are_named() -> None:
    photos = {"a": list(looks_of(1, 6)), "b": list(looks_of(2, 2)), "c": [], "twin": list(looks_of(1, 6, seed=3))}
    report = train_gallery(photos, EMBEDDER).report
    assert report["without_photos"] == ["c"]
    assert report["few_photos"] == ["b"]
    assert ["a", "twin"] in [pair[:2] for pair in report["too_alike"]]
    assert json.loads(json.dumps(report)) == report


def test_a_class_without_photos_says_what_to_do() -> None:
    with pytest.raises(NoEnrolment, match="Add photos"):
        train_gallery({"a": []}, EMBEDDER)


def test_training_again_gives_the_same_gallery(tmp_path: Path) -> None:
    assert a_class().save(tmp_path / "a") == a_class().save(tmp_path / "b")


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    gallery = a_class(3)
    digest = gallery.save(tmp_path / "deep" / "gallery.npz")
    loaded = Gallery.load(tmp_path / "deep" / "gallery.npz", EMBEDDER, digest)
    assert (loaded.labels, loaded.operating_points, loaded.report) == (
        gallery.labels,
        gallery.operating_points,
        gallery.report,
    )
    assert np.array_equal(loaded.templates, gallery.templates)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["gallery.npz"]


def test_a_gallery_of_another_embedder_is_refused(tmp_path: Path) -> None:
    a_class(3).save(tmp_path / "gallery.npz")
    with pytest.raises(GalleryMismatch, match=r"dlib-resnet-v1.*facenet-20180402.*again"):
        Gallery.load(tmp_path / "gallery.npz", "facenet-20180402")


@pytest.mark.parametrize("damage", ["missing", "cut", "changed", "pickle", "text"])
def test_a_damaged_gallery_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "gallery.npz"
    digest: str | None = a_class(3).save(path)
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:500])
        digest = None
    elif damage == "changed":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "pickle":
        with path.open("wb") as file:
            np.savez(file, manifest=np.array([{"format": 1}], dtype=object))
        digest = None
    else:
        path.write_text("no gallery")
        digest = None
    with pytest.raises(GalleryMismatch, match="Train the gallery again"):
        Gallery.load(path, EMBEDDER, digest)
