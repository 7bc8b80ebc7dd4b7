"""What runs the networks fastest: `python -m benchmarks.engines VIDEO [--json FILE]`.

The same Keras models through every engine that this machine has: the whole cascade on frames of the video and both
embedders. KERAS_BACKEND chooses among TensorFlow (default: graph, XLA, mixed precision; without a GPU OpenVINO too),
PyTorch and JAX, so that the script runs on a GPU machine as it is. Prints a table; agreement is with the first engine,
which computes in float32.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

# Before anything imports TensorFlow: it is measured at its best, and the product's own choice of precision is not in
# question here.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition.detection import detector
from recognition.embedding import dlib_resnet, facenet
from recognition.embedding.weights import dlib_file

Run = Callable[[NDArray[Any]], list[NDArray[np.float32]]]
NAMES = {None: "P-Net", 24: "R-Net", 48: "O-Net"}


def tensorflow(model: Any, jit: bool = False, mixed: bool = False) -> Run:
    import tensorflow as tf

    kind = "auto_mixed_precision" if tf.config.list_physical_devices("GPU") else "auto_mixed_precision_onednn_bfloat16"
    tf.config.optimizer.set_experimental_options({kind: mixed})
    spec = tf.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype)
    # XLA compiles for each shape, so that it gets no signature that leaves the shape open.
    graph = tf.function(
        lambda batch: tf.nest.flatten(model(batch, training=False)),
        jit_compile=jit,
        input_signature=None if jit else [spec],
        autograph=False,
    )
    return lambda batch: [output.numpy().astype(np.float32) for output in graph(tf.constant(batch))]


def openvino(model: Any, precision: str) -> Run:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # it reports to Google where it can be imported
    import openvino
    import tensorflow as tf

    spec = tf.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype)
    graph = tf.function(
        lambda batch: tf.nest.flatten(model(batch, training=False)), input_signature=[spec], autograph=False
    )
    options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY", "CPU_RUNTIME_CACHE_CAPACITY": 1000}
    converted = openvino.convert_model(graph, share_weights=False)
    request = openvino.Core().compile_model(converted, "CPU", options).create_infer_request()

    def infer(batch: NDArray[Any]) -> list[NDArray[np.float32]]:
        request.infer([np.ascontiguousarray(batch)], share_inputs=True)
        return [np.array(output.data) for output in request.output_tensors]

    return infer


def torch(model: Any, mixed: bool = False) -> Run:
    import torch as library

    device = "cuda" if library.cuda.is_available() else "cpu"

    def infer(batch: NDArray[Any]) -> list[NDArray[np.float32]]:
        with library.inference_mode(), library.autocast(device, library.bfloat16, enabled=mixed):
            outputs = model(library.from_numpy(np.ascontiguousarray(batch)).to(device), training=False)
        return [output.float().cpu().numpy() for output in (outputs if isinstance(outputs, list) else [outputs])]

    return infer


def jax(model: Any, mixed: bool = False) -> Run:
    import jax as library

    trained = [variable.value for variable in model.trainable_variables]
    fixed = [variable.value for variable in model.non_trainable_variables]
    call = library.jit(
        lambda batch: library.tree_util.tree_leaves(model.stateless_call(trained, fixed, batch, training=False)[0])
    )
    precision = "bfloat16" if mixed else "float32"

    def infer(batch: NDArray[Any]) -> list[NDArray[np.float32]]:
        with library.default_matmul_precision(precision):
            return [np.asarray(output, np.float32) for output in call(batch)]

    return infer


def engines() -> dict[str, Callable[[Any], Run]]:
    """The engines of Keras's backend, with the one in float32 first."""
    import keras

    if keras.backend.backend() == "torch":
        return {"PyTorch": torch, "PyTorch, bfloat16": lambda model: torch(model, mixed=True)}
    if keras.backend.backend() == "jax":
        return {"JAX": jax, "JAX, bfloat16": lambda model: jax(model, mixed=True)}
    import tensorflow as tf

    available: dict[str, Callable[[Any], Run]] = {
        "TensorFlow graph": tensorflow,
        "TensorFlow XLA": lambda model: tensorflow(model, jit=True),
        "TensorFlow graph, mixed precision": lambda model: tensorflow(model, mixed=True),
    }
    if not tf.config.list_physical_devices("GPU"):
        available["OpenVINO, float32"] = lambda model: openvino(model, "f32")
        available["OpenVINO, bfloat16"] = lambda model: openvino(model, "bf16")
    return available


@dataclass(slots=True, kw_only=True)
class Result:
    """`milliseconds` are a frame for the cascade's networks and a call for the embedders; `agreement` is with the first
    engine."""

    engine: str
    frames_a_second: float = 0.0
    faces_a_second: dict[str, float] = field(default_factory=dict)
    milliseconds: dict[str, float] = field(default_factory=dict)
    agreement: dict[str, float] = field(default_factory=dict)


class Engine:
    """Takes the place of `load_networks`. Every network is timed, and runs in batches of powers of two, so that few
    shapes are compiled."""

    def __init__(self, build: Callable[[Any], Run]) -> None:
        self.build = build
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def __call__(self, build: Callable[[Path], dict[str, Any]], weights: Path, _runtime: object) -> dict[str, Run]:
        return {name: self.compile(model) for name, model in build(weights).items()}

    def compile(self, model: Any) -> Run:
        infer, name = self.build(model), NAMES.get(model.inputs[0].shape[1], "embedder")

        def run(batch: NDArray[Any]) -> list[NDArray[np.float32]]:
            if not len(batch):
                return [output[:0] for output in infer(np.zeros((1, *batch.shape[1:]), batch.dtype))]
            began = time.perf_counter()
            parts, start = [], 0
            while start < len(batch):
                size = min(256, 1 << (len(batch) - start).bit_length() - 1)
                parts.append(infer(batch[start : start + size]))
                start += size
            self.seconds[name] += time.perf_counter() - began
            return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

        return run


def random_weight(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Random weights for FaceNet that keep activations at about the size of the input (He et al., 2015).

    Speed and agreement of the engines do not depend on trained weights.
    """
    rng = np.random.default_rng(sum(name.encode()))
    if name.endswith(("running_var", "bn.weight")):
        return np.ones(shape, np.float32)
    return (np.sqrt(2 / np.prod(shape[1:])) * rng.standard_normal(shape) if len(shape) > 1 else np.zeros(shape)).astype(
        np.float32
    )


def median_seconds(work: Callable[[], object], rounds: int) -> float:
    work()
    work()

    def once() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return statistics.median(once() for _ in range(rounds))


def measure_engine(
    name: str, engine: Engine, given: argparse.Namespace, frames: Sequence[NDArray[np.uint8]]
) -> tuple[Result, dict[str, Any]]:
    """One engine's figures, and its results for comparison."""
    cascade = detector.Detector(detector.DetectorSettings(min_face=given.min_face))
    result = Result(engine=name)
    answers: dict[str, Any] = {}
    detector._networks.cache_clear()
    with mock.patch.object(detector, "load_networks", engine):
        cascade.detect(frames)  # compiles, and keeps the networks
    answers["faces"] = cascade.detect(frames)
    engine.seconds.clear()
    began = time.perf_counter()
    for _ in range(given.rounds):
        cascade.detect(frames)
    frame_count = given.rounds * len(frames)
    result.frames_a_second = frame_count / (time.perf_counter() - began)
    result.milliseconds = {network: 1000 * seconds / frame_count for network, seconds in engine.seconds.items()}
    models: dict[str, Callable[[], Any]] = {
        "facenet": lambda: facenet.build(random_weight),
        "dlib": lambda: dlib_resnet.build(dlib_file.read(given.dlib or dlib_resnet.packaged_weights())),
    }
    crops = np.random.default_rng(0).integers(0, 256, (given.faces, 20, 20, 3), np.uint8)
    for network, build in models.items():
        size = 160 if network == "facenet" else 150
        batch = np.stack([cv2.resize(crop, (size, size), interpolation=cv2.INTER_LINEAR) for crop in crops])
        run = engine.compile(build())
        seconds = median_seconds(partial(run, batch), given.rounds)
        result.milliseconds[network], result.faces_a_second[network] = 1000 * seconds, given.faces / seconds
        answers[network] = run(batch)[0]
    return result, answers


def compare(result: Result, answers: dict[str, Any], first: dict[str, Any]) -> None:
    """Add the share of the first engine's faces that are found, and the smallest cosine of the embeddings."""
    from benchmarks.versus import cosines, count_matches

    def boxes(faces: Iterable[Any]) -> list[NDArray[np.float32]]:
        return [np.array([face.box for face in frame], np.float32).reshape(-1, 4) for frame in faces]

    matches, total = count_matches(boxes(first["faces"]), boxes(answers["faces"]), 0.9)
    result.agreement = {"faces": matches / max(total, 1)}
    result.agreement |= {
        network: float(cosines(answers[network], first[network]).min()) for network in ("dlib", "facenet")
    }


def read_frames(video: Path, count: int) -> list[NDArray[np.uint8]]:
    capture = cv2.VideoCapture(str(video))
    frames: list[NDArray[np.uint8]] = []
    while len(frames) < count and (read := capture.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    if len(frames) < count:
        sys.exit(f"{video} has {len(frames)} frames that can be read; {count} are needed.")
    return frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--frames", type=int, default=4, help="frames a call of the cascade (%(default)s)")
    parser.add_argument("--faces", type=int, default=32, help="faces a call of the embedders (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--min-face", type=int, default=20, help="pixels (%(default)s)")
    parser.add_argument("--only", help="engines whose name has this in it")
    parser.add_argument(
        "--dlib", type=Path, help="dlib_face_recognition_resnet_model_v1.dat, where its package is not installed"
    )
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    frames = read_frames(given.video, given.frames)
    results: list[Result] = []
    first: dict[str, Any] = {}
    networks = [*NAMES.values(), "dlib", "facenet"]
    print(
        "| engine | cascade, frames/s |",
        *(f"{name}, ms |" for name in networks),
        "dlib, faces/s | facenet, faces/s | agreement |",
    )
    print("|" + "---|" * (len(networks) + 5))
    for number, (name, build) in enumerate(engines().items()):
        if number and given.only and given.only not in name:
            continue
        result, answers = measure_engine(name, Engine(build), given, frames)
        first = first or answers
        compare(result, answers, first)
        results.append(result)
        agreement = ", ".join(f"{key} {value:.6g}" for key, value in result.agreement.items())
        cells = [
            name,
            f"{result.frames_a_second:.2f}",
            *(f"{result.milliseconds.get(network, 0):.1f}" for network in networks),
        ]
        cells += [f"{result.faces_a_second[network]:.0f}" for network in ("dlib", "facenet")]
        print("|", " | ".join([*cells, agreement]), "|", flush=True)
    if given.json:
        given.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")


if __name__ == "__main__":
    main()
