"""In integers of 8 bits the networks say nearly what they say in float32."""

import cv2
import numpy as np
import pytest

from recognition.activation_ranges import ACTIVATION_RANGES
from recognition.detection import cascade
from recognition.embedding import load_embedder
from recognition.inference import Runtime, compile_model
from recognition.quantisation import ActivationRanges


@pytest.mark.parametrize(("id", "least_cosine"), [("dlib-resnet-v1", 0.99), ("facenet-20180408", 0.998)])
def test_a_face_stays_where_it_is_in_integers(shared_data, id, least_cosine):
    photos = sorted(shared_data.glob("people/*/1.jpg"))[:12]
    integers, floats = (load_embedder(id, runtime=Runtime(precision=precision)) for precision in (None, "f32"))
    size = (integers.crop_size, integers.crop_size)
    crops = np.stack([cv2.resize(cv2.imread(str(photo))[50:200, 50:200, ::-1], size) for photo in photos])
    cosines = (integers.embed(crops) * floats.embed(crops)).sum(axis=1)
    assert cosines.min() > least_cosine
    assert cosines.max() < 1 - 1e-6, "these are float32, too"


def test_ranges_of_another_network_are_refused():
    networks = cascade.build(cascade.packaged_weights())
    with pytest.raises(ValueError, match="zip"):
        compile_model(networks["rnet"], activations=ACTIVATION_RANGES["dlib-resnet-v1"])
    assert compile_model(networks["rnet"], activations=ActivationRanges((), ()))
