"""The public peers, in a process and environment of their own: reads a line of JSON for each call, answers with one.

Pictures and vectors are handed over in .npy files. The clock runs around the peer's own call alone.
"""

import importlib.util
import json
import os
import sys
import time
import types
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Answer = dict[str, Any]
Pictures = NDArray[np.uint8]


def timed(work: Callable[[Any], Any], parts: Sequence[Any]) -> tuple[float, list[Any]]:
    start = time.perf_counter()
    results = [work(part) for part in parts]
    return time.perf_counter() - start, results


def detections(found: Sequence[Sequence[tuple[Any, Any, float]]], out: str) -> None:
    """Write (box, points, score) of the faces of each frame: boxes as corners."""
    faces = [(index, *face) for index, faces in enumerate(found) for face in faces]
    np.savez(
        out,
        frame=np.array([face[0] for face in faces], np.intp),
        boxes=np.array([face[1] for face in faces], np.float32).reshape(-1, 4),
        points=np.array([face[2] for face in faces], np.float32).reshape(-1, 5, 2),
        scores=np.array([face[3] for face in faces], np.float32),
    )


@cache
def _mtcnn() -> Any:
    from mtcnn import MTCNN

    return MTCNN(device="CPU:0")


def mtcnn(frames: str, min_face: int, out: str) -> Answer:
    """The package `mtcnn`, one frame a call, which is faster than its batches."""
    detector = _mtcnn()
    seconds, results = timed(lambda frame: detector.detect_faces(frame, min_face_size=min_face), list(np.load(frames)))
    names = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")

    def face(one: dict[str, Any]) -> tuple[Any, Any, float]:
        x, y, width, height = one["box"]
        return (x, y, x + width, y + height), [one["keypoints"][name] for name in names], one["confidence"]

    detections([[face(one) for one in faces] for faces in results], out)
    return {"seconds": seconds}


@cache
def _facenet_pytorch() -> types.ModuleType:
    """facenet-pytorch without torchvision, whose wheels of PyPI load with a PyTorch for CUDA only.

    All that it needs of it is the suppression of overlapping boxes, which OpenCV does in compiled code too.
    """
    import cv2
    import torch

    def batched_nms(boxes: Any, scores: Any, groups: Any, limit: float) -> Any:
        corners = boxes.numpy().astype(np.float64)
        corners[:, 2:] -= corners[:, :2]
        kept = cv2.dnn.NMSBoxesBatched(corners.tolist(), scores.tolist(), groups.to(torch.int32).tolist(), 0.0, limit)
        return torch.from_numpy(np.asarray(kept, np.int64).reshape(-1))

    package = types.ModuleType("facenet_pytorch")
    package.__path__ = list(importlib.util.find_spec("facenet_pytorch").submodule_search_locations)  # type: ignore[union-attr,arg-type]
    sys.modules["facenet_pytorch"] = package
    for name in (
        "torchvision",
        "torchvision.ops",
        "torchvision.ops.boxes",
        "torchvision.transforms",
        "torchvision.transforms.functional",
    ):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["torchvision.transforms"].functional = sys.modules["torchvision.transforms.functional"]  # type: ignore[attr-defined]
    sys.modules["torchvision.ops.boxes"].batched_nms = batched_nms  # type: ignore[attr-defined]
    return package


@cache
def _torch_mtcnn(min_face: int) -> Any:
    _facenet_pytorch()
    from facenet_pytorch.models.mtcnn import MTCNN

    return MTCNN(keep_all=True, min_face_size=min_face, device="cpu")


def torch_mtcnn(frames: str, min_face: int, out: str) -> Answer:
    """facenet-pytorch's MTCNN, one frame a call, which is faster than its batches."""
    detector = _torch_mtcnn(min_face)
    seconds, results = timed(lambda frame: detector.detect(frame, landmarks=True), list(np.load(frames)))
    detections(
        [[] if boxes is None else list(zip(boxes, points, scores, strict=True)) for boxes, scores, points in results],
        out,
    )
    return {"seconds": seconds}


@cache
def _inception() -> Any:
    import torch

    _facenet_pytorch()
    from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1

    torch.manual_seed(0)
    return InceptionResnetV1().eval()


def _standardised(crops: Pictures) -> Any:
    import torch

    return (torch.from_numpy(crops).permute(0, 3, 1, 2).float() - 127.5) / 128


def facenet_weights(out: str, crops: str | None = None) -> Answer:
    """Random weights (He) for facenet-pytorch's InceptionResnetV1, saved as its own files are.

    With `crops` the normalisations' statistics are those of the face crops. That spreads the embeddings of faces, which
    random weights put close together, but makes a network in which small differences grow from layer to layer, as they
    don't in a trained one.
    """
    import torch

    network = _inception()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    if crops:
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                module.momentum = None  # a plain mean over all batches
                module.train()
        with torch.no_grad():
            for batch in np.array_split(np.load(crops), 2):
                network(_standardised(batch))
        network.eval()
    torch.save(network.state_dict(), out)
    return {}


def facenet(crops: str, out: str) -> Answer:
    """Embeddings of facenet-pytorch's InceptionResnetV1, all face crops in one batch."""
    import torch

    network, pixels = _inception(), _standardised(np.load(crops))
    with torch.no_grad():
        seconds, results = timed(network, [pixels])
    np.save(out, results[0].numpy())
    return {"seconds": seconds}


@cache
def _dlib() -> Any:
    import dlib

    # The package is not imported: it prints, and needs a setuptools that is no longer there.
    package = importlib.util.find_spec("face_recognition_models")
    folder = Path(package.origin).parent / "models"  # type: ignore[union-attr,arg-type]
    return dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))


def dlib(crops: str, out: str) -> Answer:
    """Descriptors of dlib's own network, all face crops in one call."""
    network = _dlib()
    seconds, results = timed(network.compute_face_descriptor, [list(np.load(crops))])
    np.save(out, np.array(results[0], np.float32))
    return {"seconds": seconds}


def versions() -> Answer:
    from importlib.metadata import version

    return {name: version(name) for name in ("mtcnn", "tensorflow-cpu", "facenet-pytorch", "torch", "dlib-bin")}


CALLS: dict[str, Callable[..., Answer]] = {
    call.__name__: call for call in (mtcnn, torch_mtcnn, facenet_weights, facenet, dlib, versions)
}


def main() -> None:
    # What the libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(CALLS[request.pop("call")](**request)), file=answers, flush=True)


if __name__ == "__main__":
    main()
