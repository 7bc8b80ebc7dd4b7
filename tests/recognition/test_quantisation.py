"""In integers of 8 bits the networks say nearly what they say in float32."""

import cv2
import numpy as np
import pytest

from recognition import Detector
from recognition.activation_ranges import ACTIVATION_RANGES
from recognition.boxes import iou
from recognition.detection import cascade
from recognition.embedding import dlib_resnet, load_embedder
from recognition.inference import Runtime, compile_model, convert_to_openvino
from recognition.media.photo import read_photo
from recognition.pipeline import MIN_FACE_SCORE
from recognition.quantisation import ActivationRanges, quantise


@pytest.mark.parametrize(("id", "least_cosine"), [("dlib-resnet-v1", 0.99), ("facenet-20180408", 0.998)])
def test_a_face_stays_where_it_is_in_integers(shared_data, id, least_cosine):
    photos = sorted(shared_data.glob("people/*/1.jpg"))[:12]
    integers, floats = (load_embedder(id, runtime=Runtime(precision=precision)) for precision in (None, "f32"))
    size = (integers.crop_size, integers.crop_size)
    crops = np.stack([cv2.resize(cv2.imread(str(photo))[50:200, 50:200, ::-1], size) for photo in photos])
    cosines = (integers.embed(crops) * floats.embed(crops)).sum(axis=1)
    assert cosines.min() > least_cosine
    assert cosines.max() < 1 - 1e-6, "these are float32, too"


def test_the_same_faces_are_found_in_integers(shared_data):
    for photo in sorted(shared_data.glob("photos/*.jpg")):
        image = read_photo(photo)[0]
        found, expected = (
            np.array([face.box for face in detector.detect([image])[0] if face.score >= MIN_FACE_SCORE])
            for detector in (Detector(), Detector(runtime=Runtime(precision="f32")))
        )
        overlap = iou(expected, found)
        assert overlap.max(axis=1).min() > 0.6, photo
        assert len(found) <= len(expected) + 1
        assert overlap.max(axis=1).mean() < 1, "these are float32, too"


def test_two_products_fit_in_16_bits():
    # Else processors without VNNI cut them off, and take people for others.
    model = convert_to_openvino(dlib_resnet.build_from_file(dlib_resnet.packaged_weights())[dlib_resnet.ID])
    quantise(model, ACTIVATION_RANGES[dlib_resnet.ID])
    layers = [layer for layer in model.get_ordered_ops() if layer.get_type_name() == "Convolution"]
    assert len(layers) == 29
    for layer in layers:
        steps = layer.input_value(1).get_node()
        weights, end = (steps.input_value(place).get_node().data for place in (0, 2))
        in_bytes = np.abs(np.round(weights / end * 127)).max()
        assert in_bytes > 60
        assert 2 * 255 * in_bytes < 2**15


def test_ranges_of_another_network_are_refused():
    networks = cascade.build(cascade.packaged_weights())
    with pytest.raises(ValueError, match="zip"):
        compile_model(networks["rnet"], activations=ACTIVATION_RANGES["dlib-resnet-v1"])
    assert compile_model(networks["rnet"], activations=ActivationRanges((), ()))
