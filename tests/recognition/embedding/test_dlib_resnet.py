"""The default embedder is dlib's network, to the fifth digit, and takes no other weights."""

import re
from importlib.util import find_spec
from pathlib import Path

import cv2
import dlib
import numpy as np
import pytest

from recognition.embedding import EMBEDDERS, load_embedder
from recognition.errors import RecognitionError, WeightsMissing
from recognition.inference import Runtime
from recognition.types import Face

PACKAGED = (
    Path(find_spec("face_recognition_models").origin).parent / "models" / "dlib_face_recognition_resnet_model_v1.dat"
)


@pytest.fixture(scope="module")
def embedder():
    return load_embedder("dlib-resnet-v1", runtime=Runtime(precision="f32"))


@pytest.fixture(scope="module")
def reference():
    model = dlib.face_recognition_model_v1(str(PACKAGED))
    return lambda crops: np.array([model.compute_face_descriptor(np.ascontiguousarray(crop)) for crop in crops])


def random_crops(count):
    return np.random.default_rng(7).integers(0, 256, (count, 150, 150, 3), dtype=np.uint8)


def test_it_answers_as_dlib_does_to_faces(embedder, reference, shared_data):
    photos = sorted(shared_data.glob("people/*/1.jpg"))[:12]
    crops = np.stack([cv2.imread(str(photo))[50:200, 50:200, ::-1] for photo in photos])
    assert np.abs(embedder.network(crops)[0] - reference(crops)).max() < 1e-5


def test_it_answers_as_dlib_does_to_any_picture(embedder, reference):
    crops = np.concatenate(
        [random_crops(3), np.zeros((1, 150, 150, 3), np.uint8), np.full((1, 150, 150, 3), 255, np.uint8)]
    )
    assert np.abs(embedder.network(crops)[0] - reference(crops)).max() < 1e-5


def test_embeddings_are_unit_vectors_whatever_the_batch(embedder):
    crops = random_crops(5)
    together = embedder.embed(crops)
    assert together.shape == (5, embedder.dimension)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(together, np.concatenate([embedder.embed(crop[None]) for crop in crops]), atol=1e-6)
    assert embedder.embed(crops[:0]).shape == (0, embedder.dimension)


def test_it_says_what_it_is(embedder):
    assert (embedder.id, embedder.version, embedder.crop_size, embedder.dimension) == ("dlib-resnet-v1", "1", 150, 128)


def test_it_sees_the_aligned_crop(embedder):
    image, aligned = np.zeros((300, 300, 3), np.uint8), np.ones((150, 150, 3), np.uint8)
    assert embedder.crop(image, Face(np.zeros(4, np.float32), 1.0, np.zeros((5, 2), np.float32)), aligned) is aligned


def test_it_loads_the_file_that_one_names(tmp_path):
    copy = tmp_path / "weights.dat"
    copy.write_bytes(PACKAGED.read_bytes())
    assert load_embedder("dlib-resnet-v1", copy).dimension == 128


def changed(content):
    return content[:9_000_000] + bytes([content[9_000_000] ^ 1]) + content[9_000_001:]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda content: content[:1_000_000], "has 1000000 instead of 22466066 bytes"),
        (lambda content: content[:-1], "has 22466065 instead of 22466066 bytes"),
        (lambda content: content + b"\0", "is longer than 22466066 bytes"),
        (lambda content: b"", "has 0 instead of 22466066 bytes"),
        (changed, "are damaged"),
    ],
)
def test_another_file_is_refused_in_a_sentence(tmp_path, change, sentence):
    file = tmp_path / "weights.dat"
    file.write_bytes(change(PACKAGED.read_bytes()))
    with pytest.raises(WeightsMissing, match=re.escape(sentence)) as raised:
        load_embedder("dlib-resnet-v1", file)
    assert "Install the package face_recognition_models again" in str(raised.value)


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    for path in (tmp_path / "none.dat", tmp_path):
        with pytest.raises(WeightsMissing, match="can't be read"):
            load_embedder("dlib-resnet-v1", path)


def test_an_unknown_embedder_is_told_with_the_known_ones():
    with pytest.raises(RecognitionError, match="dlib-resnet-v1, dlib-facenet-v1, facenet-20180402"):
        load_embedder("arcface")
    assert list(EMBEDDERS) == ["dlib-resnet-v1", "dlib-facenet-v1", "facenet-20180402", "facenet-20180408"]
