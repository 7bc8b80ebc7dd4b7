"""How a network is run: TensorFlow on a GPU; without one OpenVINO, which runs these networks 1.1 to 3 times as fast on a CPU."""

import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

# Both are read when TensorFlow is first imported. Without the second one, every start prints that oneDNN is on; on a CPU TensorFlow only
# describes a network here, and OpenVINO has its own oneDNN.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

MAX_BATCH_ROWS = 256  # rows
MAX_BATCH_BYTES = 2**23  # bytes

Network = Callable[[NDArray[np.generic]], list[NDArray[np.float32]]]


def compile_model(model: "keras.Model") -> Network:
    """Compile a functional Keras model of one input for this machine, once for all shapes.

    The answer takes an array (n, ...) of any n, 0 too, and gives the model's outputs in the model's order. It must be called in the
    process that compiled it, by one thread at a time. ROLLCALL_THREADS limits the threads that it uses (default: all cores).
    ROLLCALL_PRECISION is f32 or bf16; by default it is bf16 on a CPU that multiplies in bfloat16 by itself, where networks run about
    twice as fast, and f32 on all others.
    """
    import tensorflow as tf

    shape, dtype = model.inputs[0].shape, model.inputs[0].dtype
    graph = tf.function(
        lambda batch: tf.nest.flatten(model(batch, training=False)),
        input_signature=[tf.TensorSpec(shape, dtype)],
        autograph=False,
    )
    infer = _tensorflow(graph) if tf.config.list_physical_devices("GPU") else _openvino(graph)

    def run(batch: NDArray[np.generic]) -> list[NDArray[np.float32]]:
        batch = np.ascontiguousarray(batch, dtype)
        if not len(batch):
            return [output[:0] for output in infer(np.zeros((1, *batch.shape[1:]), dtype))]
        parts = [infer(batch[start:end]) for start, end in _batches(batch)]
        return parts[0] if len(parts) == 1 else [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    return run


def _batches(batch: NDArray[np.generic]) -> Iterator[tuple[int, int]]:
    """Cut into powers of two: kernels are chosen anew for every size that a network meets, so it should meet few."""
    largest = min(MAX_BATCH_ROWS, max(MAX_BATCH_BYTES // batch[0].nbytes, 1))
    start = 0
    while start < len(batch):
        size = 1 << min(len(batch) - start, largest).bit_length() - 1
        yield start, start + size
        start += size


def _tensorflow(graph: Callable[..., list["keras.KerasTensor"]]) -> Network:
    return lambda batch: [output.numpy() for output in graph(batch)]


def _openvino(graph: Callable[..., list["keras.KerasTensor"]]) -> Network:
    # OpenVINO's converter reports its use to Google where it finds this package. Nothing here may call anywhere.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    # Weights are copied: shared ones would be TensorFlow's, and gone once the Keras model is.
    model = openvino.convert_model(graph, share_weights=False)
    threads = int(os.environ.get("ROLLCALL_THREADS", "0"))  # 0: all cores
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    if precision := os.environ.get("ROLLCALL_PRECISION"):
        options["INFERENCE_PRECISION_HINT"] = precision
    # The kernels kept for shapes that were met: enough for all levels of a pyramid, an end to the memory for pictures of any size.
    options["CPU_RUNTIME_CACHE_CAPACITY"] = 1000
    request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()

    def infer(batch: NDArray[np.generic]) -> list[NDArray[np.float32]]:
        request.infer([batch], share_inputs=True)
        return [np.array(output.data) for output in request.output_tensors]

    return infer
