"""Two networks in one embedder: each sees its own face crop, and their cosines are added with weights."""

import cv2
import numpy as np
import pytest

from recognition.detection.alignment import align_face
from recognition.embedding import load_embedder
from recognition.embedding.dlib_facenet import FACENET_WEIGHT, crop_for_dlib, crop_for_facenet
from recognition.types import Face


@pytest.fixture(scope="module")
def embedders():
    return [load_embedder(id) for id in ("dlib-facenet-v1", "dlib-resnet-v1", "facenet-20180408")]


@pytest.fixture(scope="module")
def photo(shared_data):
    """A photo, a face in it, and its aligned face crop."""
    image = cv2.imread(str(sorted(shared_data.glob("people/*/1.jpg"))[0]))[:, :, ::-1]
    points = np.array([(108, 112), (142, 113), (125, 133), (111, 151), (139, 152)], np.float32)
    image, face = np.ascontiguousarray(image), Face(np.array([94, 78, 156, 166], np.float32), 1.0, points)
    return image, face, align_face(image, face)


def test_cosines_are_the_weighted_mean_of_both_networks(embedders):
    both, dlib, facenet = embedders
    crops = np.random.default_rng(1).integers(0, 256, (3, both.crop_size, both.crop_size, 3), np.uint8)
    vectors = both.embed(crops)
    assert vectors.shape == (3, both.dimension)
    cosines = [part @ part.T for part in (dlib.embed(crop_for_dlib(crops)), facenet.embed(crop_for_facenet(crops)))]
    expected = (cosines[0] + FACENET_WEIGHT * cosines[1]) / (1 + FACENET_WEIGHT)
    np.testing.assert_allclose(vectors @ vectors.T, expected, atol=1e-5)


def test_dlib_sees_the_face_crop_that_it_has_alone(embedders, photo):
    both, dlib, _ = embedders
    difference = np.abs(crop_for_dlib(both.crop(*photo)[None])[0].astype(int) - dlib.crop(*photo))
    assert difference.max() <= 2


def test_facenet_sees_nearly_what_it_sees_alone(embedders, photo):
    both, _, facenet = embedders
    alone = facenet.embed(facenet.crop(*photo)[None])
    assert float((facenet.embed(crop_for_facenet(both.crop(*photo)[None])) @ alone.T).item()) > 0.8


def test_no_faces_are_no_vectors(embedders):
    both = embedders[0]
    assert both.embed(np.empty((0, both.crop_size, both.crop_size, 3), np.uint8)).shape == (0, both.dimension)


def test_a_mean_of_observations_on_which_one_network_differs_leaves_the_networks_their_weights(embedders):
    both = embedders[0]
    rng = np.random.default_rng(2)
    dlib = np.ones((8, 128), np.float32) / np.float32(128**0.5)
    facenet = rng.standard_normal((8, 512)).astype(np.float32)
    facenet /= np.linalg.norm(facenet, axis=1, keepdims=True)
    mean = both.normalise(both.join(dlib, facenet).sum(axis=0, keepdims=True))[0]
    assert np.linalg.norm(mean) == pytest.approx(1, abs=1e-5)
    assert (mean[128:] @ mean[128:]) / (mean[:128] @ mean[:128]) == pytest.approx(FACENET_WEIGHT, rel=1e-4)
