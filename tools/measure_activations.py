"""The ranges in which the networks compute: `python -m tools.measure_activations PEOPLE`.

PEOPLE has a folder of photos for each person; the first two of each are seen, by the embedders' networks from near and
from far. Prints `recognition/activation_ranges.py`. A range goes as far as nine of ten crops do: with wider ranges the
steps are coarser for all crops, and fewer people are identified.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from recognition import Detector, Runtime
from recognition.detection import cascade, detector
from recognition.detection.alignment import align_face, simulate_distance
from recognition.embedding import dlib_facenet, dlib_resnet, facenet
from recognition.embedding.base import RGB
from recognition.inference import convert_to_openvino, import_openvino
from recognition.media.photo import read_photo
from recognition.network_cache import load_networks
from recognition.people_folder import photos_by_person
from recognition.quantisation import ActivationRanges, find_activations

if TYPE_CHECKING:
    import keras

PHOTOS_PER_PERSON = 2
MIN_FACE_PX = 32
QUANTILE = 0.9  # of the crops' extremes
CROPS_PER_BATCH = 8
# With sums in integers FaceNet is half as fast again, and dlib's network slower.
LAYER_TYPES = {dlib_facenet.FACENET_ID: ("Convolution", "Add")}
OTHERS_LAYER_TYPES = ("Convolution",)
EXACT = Runtime(precision="f32")

Batches = Sequence[NDArray[np.uint8]]


def read_photos(people: Path) -> Iterator[RGB]:
    for paths in photos_by_person(people, PHOTOS_PER_PERSON).values():
        for path in paths:
            yield read_photo(path)[0]


def cut_faces(people: Path) -> RGB:
    """Face crops (n, 200, 200, 3) as the embedder of both networks sees them, from near and from far."""
    finder, crops = Detector(runtime=EXACT), []
    for image in read_photos(people):
        faces = finder.detect([image], MIN_FACE_PX)[0]
        if faces:
            face = max(faces, key=lambda face: float(np.prod(face.box[2:] - face.box[:2])))
            crop = align_face(image, face, dlib_facenet.TARGETS, dlib_facenet.CROP_SIZE)
            crops += [crop, simulate_distance(crop)[0]]
    return np.stack(crops)


def record_search(people: Path) -> dict[str, Batches]:
    """What R-Net and O-Net see while the cascade searches the photos.

    P-Net stays in float32: in integers it says where a face is less exactly, and with one enrolled photo fewer faces
    are identified.
    """
    networks = load_networks(cascade.build, cascade.packaged_weights(), EXACT)
    seen: dict[str, list[NDArray[np.uint8]]] = {"rnet": [], "onet": []}

    def record(name: str, batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        seen[name].append(batch)
        return networks[name](batch)

    recorders = (networks["pnet"], *(partial(record, name) for name in seen))
    with mock.patch.object(detector, "_networks", return_value=recorders):
        for image in read_photos(people):
            Detector().detect([image])
    return {name: [batch for batch in batches if len(batch)] for name, batches in seen.items()}


def measure(model: "keras.Model", layer_types: tuple[str, ...], batches: Batches) -> ActivationRanges:
    """The least and greatest value of each tensor that goes into these layers of a Keras model."""
    openvino = import_openvino()
    converted = convert_to_openvino(model)
    converted.add_outputs([source for source, _ in find_activations(converted, layer_types)])
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(converted, "CPU", options).create_infer_request()
    extremes = []
    for batch in batches:
        request.infer([batch])
        tensors = [output.data.reshape(len(output.data), -1) for output in request.output_tensors[1:]]
        extremes.append(np.stack([[tensor.min(axis=1), tensor.max(axis=1)] for tensor in tensors]))
    per_crop = np.concatenate(extremes, axis=2)
    low = np.minimum(np.quantile(per_crop[:, 0], 1 - QUANTILE, axis=1), 0)
    high = np.quantile(per_crop[:, 1], QUANTILE, axis=1)
    ranges = tuple((float(f"{a:.4g}"), float(f"{b:.4g}")) for a, b in zip(low, high, strict=True))
    return ActivationRanges(layer_types, ranges)


def print_module(ranges: Mapping[str, ActivationRanges]) -> None:
    print(
        '"""In which ranges the networks compute, by the network\'s name; written by `tools/measure_activations.py`."""'
    )
    print("\nfrom recognition.quantisation import ActivationRanges\n\nACTIVATION_RANGES = {")
    for name, of_network in ranges.items():
        print(f"{name!r}: ActivationRanges({of_network.layer_types}, {of_network.ranges}),")
    print("}")


if __name__ == "__main__":
    people = Path(sys.argv[1])
    crops = cut_faces(people)
    parts = range(CROPS_PER_BATCH, len(crops), CROPS_PER_BATCH)
    batches = record_search(people)
    batches[dlib_resnet.ID] = np.split(dlib_facenet.crop_for_dlib(crops), parts)
    batches[dlib_facenet.FACENET_ID] = np.split(dlib_facenet.crop_for_facenet(crops), parts)
    models = {n: network for n, network in cascade.build(cascade.packaged_weights()).items() if n in batches}
    models |= dlib_resnet.build_from_file(dlib_resnet.packaged_weights())
    models |= facenet.build_from_file(facenet.packaged_weights(dlib_facenet.FACENET_ID))
    ids = {name: name.partition("@")[0] for name in models}
    print_module(
        {
            name: measure(model, LAYER_TYPES.get(ids[name], OTHERS_LAYER_TYPES), batches[ids[name]])
            for name, model in models.items()
        }
    )
