"""What is stored of a face is all that any embedder would have cut from the picture itself."""

import io

import numpy as np
import pytest
from PIL import Image

from recognition.detection.alignment import align_face, crop_box
from recognition.embedding import dlib_facenet, facenet
from recognition.embedding.base import RGB, Embedder
from recognition.embedding.stored_crops import STORED_FACE, aligned_part, cut_stored_crop, embed_stored_crops
from recognition.types import Face


def picture() -> RGB:
    """A smooth picture, in which a crop's place can be told from its colours."""
    noise = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    return np.asarray(Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC))


def tilted_face() -> Face:
    points = np.array([(290, 222), (330, 230), (308, 250), (286, 268), (318, 274)], np.float32)
    return Face(box=np.array([260, 190, 355, 305], np.float32), score=0.99, points=points)


def test_the_aligned_crop_is_within_the_stored_one() -> None:
    stored = cut_stored_crop(picture(), tilted_face())
    difference = np.abs(aligned_part(stored).astype(int) - align_face(picture(), tilted_face()))
    assert difference.max() <= 1


def test_both_networks_see_of_a_stored_crop_what_they_see_of_the_picture() -> None:
    stored = cut_stored_crop(picture(), tilted_face())
    again = align_face(stored, STORED_FACE, dlib_facenet.TARGETS, dlib_facenet.CROP_SIZE)
    assert np.abs(again.astype(int) - stored).max() <= 1
    of_facenet = crop_box(stored, STORED_FACE, facenet.CROP_SIZE, facenet.BOX_SCALE).astype(int)
    difference = np.abs(of_facenet - dlib_facenet.crop_for_facenet(stored[None])[0])
    assert difference.mean() < 2, "the same rows and columns, by another interpolation"


def test_stored_files_become_unit_vectors_in_their_order() -> None:
    def mean_colours(crops: RGB) -> list[np.ndarray]:
        return [crops.mean(axis=(1, 2)).astype(np.float32)]

    embedder = Embedder(
        id="colours",
        version="1",
        crop_size=150,
        dimension=3,
        crop=lambda image, face, aligned: aligned,
        network=mean_colours,
    )

    def jpeg(*colour: int) -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (200, 200), colour).save(buffer, "JPEG")
        return buffer.getvalue()

    vectors = embed_stored_crops([jpeg(200, 0, 0), jpeg(0, 200, 0)], embedder)
    assert vectors.argmax(axis=1).tolist() == [0, 1]
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    assert embed_stored_crops([], embedder).shape == (0, 3)
