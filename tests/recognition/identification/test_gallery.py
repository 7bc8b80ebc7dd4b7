import itertools
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from recognition.errors import GalleryMismatch, NoEnrolment
from recognition.identification.gallery import FORMAT, Gallery, train_gallery
from recognition.vectors import normalise
from tests.recognition.people import EMBEDDER, centre, embeddings_of, gallery_of_class


def test_svms_tell_look_alikes_apart():
    photos = {str(i): list(embeddings_of(i, 8)) for i in range(6)}
    photos["sister"] = list(normalise(np.stack(photos["0"]) + np.float32(0.5) * embeddings_of(800, 8)))
    alike = train_gallery(photos, EMBEDDER)
    first, sister = alike.labels.index("0"), alike.labels.index("sister")
    other = normalise(embeddings_of(0, 6, seed=7) + np.float32(0.5) * embeddings_of(800, 6, seed=7))
    assert (
        alike.svm_scores(embeddings_of(0, 6, seed=7))[:, first]
        > alike.svm_scores(embeddings_of(0, 6, seed=7))[:, sister]
    ).all()
    assert (alike.svm_scores(other)[:, sister] > alike.svm_scores(other)[:, first]).all()


def test_students_match_themselves_and_strangers_nobody() -> None:
    gallery = gallery_of_class()
    for person in range(20):
        probe = normalise(embeddings_of(person, 4, seed=99).mean(axis=0))[None]
        assert gallery.labels[int(gallery.scores(probe).argmax())] == str(person)
        assert gallery.scores(probe).max() >= gallery.threshold
    strangers = np.stack([normalise(embeddings_of(person, 4).mean(axis=0)) for person in range(500, 600)])
    assert (gallery.scores(strangers).max(axis=1) >= gallery.threshold).mean() <= 0.03


def test_more_observations_have_higher_thresholds() -> None:
    one, two, three = gallery_of_class().operating_points["balanced"].thresholds
    assert one <= two <= three < 1


def test_stricter_matching_has_higher_thresholds_and_more_misses() -> None:
    gallery = gallery_of_class()
    points = [gallery.operating_points[strictness] for strictness in ("strict", "balanced", "lenient")]
    for stricter, milder in itertools.pairwise(points):
        assert all(a > b for a, b in zip(stricter.thresholds, milder.thresholds, strict=True))
        assert stricter.expected_fpir < milder.expected_fpir
        assert stricter.expected_miss >= milder.expected_miss
    assert gallery.threshold == points[1].thresholds[-1]


def test_the_threshold_grows_with_the_candidates() -> None:
    impostors = gallery_of_class().impostor_model
    limits = impostors.threshold(3, 0.001, np.array([1, 5, 40, 5000]))
    assert (np.diff(limits) > 0).all()
    pair = 1 - (1 - 0.001) ** (1 / 40)
    assert impostors.threshold(3, 0.001, 40) == pytest.approx(impostors.threshold(3, pair, 1))


def test_a_cohort_of_strangers_moves_the_thresholds() -> None:
    photos = {str(i): list(embeddings_of(i, 8)) for i in range(20)}
    alone = train_gallery(photos, EMBEDDER)
    for spread, raised in ((1.0, True), (3.0, False)):
        cohort = np.stack(
            [normalise(embeddings_of(i % 20, 1, seed=i)[0] + spread * centre(900 + i)) for i in range(300)]
        )
        moved = train_gallery(photos, EMBEDDER, strangers=cohort)
        assert all(
            (a > b) == raised
            for a, b in zip(
                moved.operating_points["balanced"].thresholds,
                alone.operating_points["balanced"].thresholds,
                strict=True,
            )
        )


def test_a_student_who_is_known_elsewhere_is_no_stranger() -> None:
    photos = {str(i): list(embeddings_of(i, 8)) for i in range(20)}
    strangers = np.stack([normalise(embeddings_of(i % 20, 1, seed=i)[0] + 3.0 * centre(900 + i)) for i in range(200)])
    own_people = np.concatenate([embeddings_of(i, 3, seed=50 + i) for i in range(20)])
    thresholds = [
        train_gallery(photos, EMBEDDER, strangers=cohort).threshold
        for cohort in (strangers, np.concatenate([strangers, own_people]))
    ]
    assert thresholds[1] == pytest.approx(thresholds[0], abs=0.001)
    assert train_gallery(photos, EMBEDDER, strangers=own_people[:1]).threshold == gallery_of_class().threshold


def test_the_report_has_rates_and_curves_of_the_class() -> None:
    report = gallery_of_class().report
    assert list(report["rates"]) == ["strict", "balanced", "lenient"]
    assert report["rates"]["balanced"]["fpir"] == 0.001
    curves = report["curves"]
    assert sum(curves["genuine"]) == sum(curves["impostor"]) == report["photos"]
    assert len(curves["edges"]) == len(curves["genuine"]) + 1
    middle = (np.array(curves["edges"][1:]) + curves["edges"][:-1]) / 2
    assert np.average(middle, weights=curves["genuine"]) > np.average(middle, weights=curves["impostor"])


def test_a_class_of_thousands_trains_and_knows_everybody() -> None:
    gallery = gallery_of_class(2000, photos=2)
    probe = np.stack([normalise(embeddings_of(i, 4, seed=9).mean(axis=0)) for i in range(0, 2000, 40)])
    assert [gallery.labels[k] for k in gallery.scores(probe).argmax(axis=1)] == [str(i) for i in range(0, 2000, 40)]


def test_a_class_of_one_or_two_works() -> None:
    for count in (1, 2):
        gallery = gallery_of_class(count, photos=3)
        own, stranger = normalise(embeddings_of(0, 3, seed=5).mean(axis=0)), centre(700)
        assert gallery.scores(own[None])[0, 0] >= gallery.threshold
        assert gallery.scores(stranger[None]).max() < gallery.threshold


def test_a_mislabelled_photo_is_left_out_and_reported() -> None:
    photos = {str(i): list(embeddings_of(i, 6)) for i in range(5)}
    photos["0"][2] = embeddings_of(3, 1, seed=50)[0]
    gallery = train_gallery(photos, EMBEDDER)
    [suspect] = gallery.report["suspect_photos"].pop("0")
    assert gallery.report["suspect_photos"] == {}
    assert (suspect["photo"], suspect["nearest"]) == (2, "3")
    assert suspect["nearest_similarity"] > 0.9 > suspect["similarity"]
    assert (
        gallery.templates[0] @ embeddings_of(3, 9, seed=9).mean(axis=0)
        < gallery.templates[0] @ embeddings_of(0, 9, seed=9).mean(axis=0) - 0.1
    )


def test_a_photo_that_a_person_confirmed_counts_however_it_looks() -> None:
    photos = {str(i): list(embeddings_of(i, 6)) for i in range(5)}
    photos["0"][2] = embeddings_of(3, 1, seed=50)[0]
    photos["1"][4] = embeddings_of(2, 1, seed=50)[0]
    gallery = train_gallery(photos, EMBEDDER, confirmed={"0": [2]})
    assert list(gallery.report["suspect_photos"]) == ["1"]
    left_out = train_gallery(photos, EMBEDDER)
    assert gallery.scores(photos["0"][2][None])[0, 0] > left_out.scores(photos["0"][2][None])[0, 0]


def test_a_student_is_known_better_after_a_confirmed_lecture_and_the_photos_still_weigh_more() -> None:
    photos = {str(person): list(embeddings_of(person, 2)) for person in range(20)}
    in_room = normalise(embeddings_of(0, 5, seed=9) + np.float32(0.5) * embeddings_of(900, 1))
    learnt = normalise(in_room[:4].mean(axis=0))
    before, after = (train_gallery(photos, EMBEDDER, lectures=lectures) for lectures in (None, {"0": [learnt]}))
    assert after.scores(in_room[4:])[0, 0] > before.scores(in_room[4:])[0, 0] + 0.005
    assert after.templates[0] @ normalise(np.mean(photos["0"], axis=0)) > after.templates[0] @ learnt
    assert np.array_equal(after.templates[1:], before.templates[1:]), "nobody else changes"


def test_each_network_of_an_embedder_says_what_it_alone_sees() -> None:
    """The first network is wrong about a photo, the second is not."""
    rng = np.random.default_rng(0)
    second = rng.normal(size=(12, 512)).astype(np.float32)

    def photo(seen: int, shown: int, seed: int) -> np.ndarray:
        by_second = normalise(second[shown] + 0.1 * np.random.default_rng(seed).normal(size=512).astype(np.float32))
        return normalise(np.concatenate([embeddings_of(seen, 1, seed)[0], np.float32(0.3) * by_second]))

    photos = {str(i): [photo(i, i, seed) for seed in range(6)] for i in range(12)}
    photos["0"][2] = photo(3, 0, 50)
    report = train_gallery(photos, "dlib-facenet-v1").report
    [suspect] = report["suspect_photos"]["0"]
    (first_own, first_other), (second_own, second_other) = suspect["by_network"].values()
    assert first_own < first_other
    assert second_own > second_other
    assert list(report["learning_curve_by_network"]) == ["dlib-resnet-v1", "facenet-20180408"]
    assert train_gallery(photos, EMBEDDER).report["learning_curve_by_network"] == {}


def test_what_nobody_has_photos_for_is_not_said() -> None:
    report = gallery_of_class(20, photos=1).report
    assert {rate["miss"] for rate in report["rates"].values()} == {None}
    assert {row["miss"] for row in report["learning_curve"]["balanced"]} == {None}


def test_the_report_names_missing_and_few_photos_and_twins() -> None:
    photos = {
        "a": list(embeddings_of(1, 6)),
        "b": list(embeddings_of(2, 2)),
        "c": [],
        "twin": list(embeddings_of(1, 6, seed=3)),
    }
    report = train_gallery(photos, EMBEDDER).report
    assert report["without_photos"] == ["c"]
    assert report["few_photos"] == ["b"]
    assert ["a", "twin"] in [pair[:2] for pair in report["too_alike"]]
    assert [pair[:2] for pair in report["same_person"]] == [["a", "twin"]]
    assert json.loads(json.dumps(report)) == report


def test_a_class_without_photos_is_refused_with_what_to_do() -> None:
    with pytest.raises(NoEnrolment, match="Add photos"):
        train_gallery({"a": []}, EMBEDDER)


def test_training_again_gives_the_same_gallery(tmp_path: Path) -> None:
    assert gallery_of_class().save(tmp_path / "a") == gallery_of_class().save(tmp_path / "b")


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    gallery = gallery_of_class(3)
    digest = gallery.save(tmp_path / "deep" / "gallery.npz")
    loaded = Gallery.load(tmp_path / "deep" / "gallery.npz", EMBEDDER, digest)
    assert (loaded.labels, loaded.operating_points, loaded.report) == (
        gallery.labels,
        gallery.operating_points,
        gallery.report,
    )
    assert loaded.impostor_model == gallery.impostor_model
    assert np.array_equal(loaded.templates, gallery.templates)
    assert np.array_equal(loaded.photo_counts, gallery.photo_counts)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["gallery.npz"]


def test_a_gallery_knows_how_many_photos_each_template_is_worth() -> None:
    photos = {"1": list(embeddings_of(1, 1)), "2": list(embeddings_of(2, 8)), "3": list(embeddings_of(3, 1))}
    gallery = train_gallery(photos, EMBEDDER, lectures={"3": list(embeddings_of(3, 3, seed=4))})
    assert gallery.photo_counts.tolist() == [1, 8, 3], "a lecture is worth half a photo, in full ones"


def test_a_gallery_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("recognition.identification.gallery.FORMAT", FORMAT - 1)
        gallery_of_class(3).save(tmp_path / "gallery.npz")
    with pytest.raises(GalleryMismatch, match=r"another version of Rollcall\. Train the gallery again"):
        Gallery.load(tmp_path / "gallery.npz", EMBEDDER)


def test_a_gallery_of_another_embedder_is_refused(tmp_path: Path) -> None:
    gallery_of_class(3).save(tmp_path / "gallery.npz")
    with pytest.raises(GalleryMismatch, match=r"dlib-resnet-v1.*facenet-20180402.*again"):
        Gallery.load(tmp_path / "gallery.npz", "facenet-20180402")


@pytest.mark.parametrize(
    "damage", ["missing", "cut", "changed", "pickle", "text", "huge", "unusual", "partial", "header"]
)
def test_a_damaged_gallery_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "gallery.npz"
    digest: str | None = gallery_of_class(3).save(path)
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
    elif damage == "huge":  # by its header only
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (100000000000, 1000), }\n"
        with zipfile.ZipFile(path, "w") as archive:
            array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
            archive.writestr("manifest.npy", array)
        digest = None
    elif damage == "unusual":
        data = bytearray(path.read_bytes())
        for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
            data[data.find(signature) + offset] = 99  # a way to pack that zipfile does not know
        path.write_bytes(data)
        digest = None
    elif damage == "partial":  # of this version, without what follows
        manifest = np.frombuffer(json.dumps({"format": FORMAT, "labels": [], "embedder": EMBEDDER}).encode(), np.uint8)
        with path.open("wb") as file:
            np.savez(file, manifest=manifest, templates=np.zeros(0), coef=np.zeros(0), intercept=np.zeros(0))
        digest = None
    elif damage == "header":  # NumPy takes it for a text of Python
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("manifest.npy", b"\x93NUMPY\x01\x00\x02\x00(\n")
        digest = None
    else:
        path.write_text("no gallery")
        digest = None
    with pytest.raises(GalleryMismatch, match="Train the gallery again"):
        Gallery.load(path, EMBEDDER, digest)
