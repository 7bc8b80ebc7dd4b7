"""How a network is run: TensorFlow on a GPU; without one OpenVINO, which runs these networks 1.1 to 3 times as fast on
a CPU.
"""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from recognition.errors import RecognitionError
from recognition.quantisation import ActivationRanges, quantise

if TYPE_CHECKING:
    import keras
    import openvino

# TensorFlow reads both when it is first imported and has no other way to be told. Without the second one, every start
# prints that oneDNN is on; on a CPU TensorFlow only describes a network here, and OpenVINO has its own oneDNN.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

MAX_BATCH_ROWS = 256
MAX_BATCH_BYTES = 2**23

Network = Callable[[NDArray[np.generic]], list[NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where and how networks run.

    `device`: "gpu", "cpu", or "auto" for the GPU where TensorFlow sees one. `threads`: of the CPU, for each network; 0
    for all cores. `precision`: "f32" or "bf16" on the CPU; None for integers of 8 bits in networks whose
    ranges were measured, and for others bf16 where the processor multiplies in bfloat16 by itself, f32 elsewhere.
    `cache`: the folder in which networks for the CPU are kept, so that the next process loads them in a second and
    without TensorFlow; None to keep nothing.
    """

    device: Literal["auto", "cpu", "gpu"] = "auto"
    threads: int = 0
    precision: str | None = None
    cache: Path | None = None


def compile_model(
    model: "keras.Model", runtime: Runtime | None = None, activations: ActivationRanges | None = None
) -> Network:
    """Compile a functional Keras model of one input for this machine, once for all shapes.

    With `activations` it computes in integers where the runtime leaves the precision open.

    The network takes an array (n, ...) of any n, 0 too, and gives the model's outputs in the model's order. Call it in
    the process that compiled it, from one thread at a time. Raises RecognitionError when the device is "gpu" and there
    is none.
    """
    runtime = runtime or Runtime()
    if not uses_gpu(runtime):
        return compile_converted(convert_to_openvino(model), runtime, activations)
    graph = _trace(model)
    return _in_batches(lambda batch: [output.numpy() for output in graph(batch)], np.dtype(model.inputs[0].dtype))


def convert_to_openvino(model: "keras.Model") -> "openvino.Model":
    """The Keras model as OpenVINO describes it, with a copy of its weights."""
    # The weights are copied: shared ones would belong to TensorFlow and vanish with the Keras model.
    return import_openvino().convert_model(_trace(model), share_weights=False)


def compile_converted(
    model: "openvino.Model",
    runtime: Runtime,
    activations: ActivationRanges | None = None,
    weights: object = None,
    compiled: Path | None = None,
) -> Network:
    """Compile a converted model for the CPU, as `compile_model` does. Changes `model`.

    `weights`: the buffer in which the model's weights lie, if they lie in one of Python's; it lives as long as the
    network. `compiled`: a folder in which OpenVINO may keep what takes it long.
    """
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": runtime.threads}
    if runtime.precision:
        options["INFERENCE_PRECISION_HINT"] = runtime.precision
    elif activations:
        quantise(model, activations)
        if compiled:
            options["CACHE_DIR"] = str(compiled)  # it takes a second to join the integers of a network
    # How many compiled kernels are kept: enough for all levels of a pyramid, and a bound for pictures of many sizes.
    options["CPU_RUNTIME_CACHE_CAPACITY"] = 1000
    try:
        network = import_openvino().Core().compile_model(model, "CPU", options)
    except RuntimeError:
        if not options.pop("CACHE_DIR", None):
            raise
        network = import_openvino().Core().compile_model(model, "CPU", options)  # another process wrote there, too
    request = network.create_infer_request()

    def infer(batch: NDArray[np.generic], _weights: object = weights) -> list[NDArray[np.float32]]:
        request.infer([batch], share_inputs=True)
        return [np.array(output.data) for output in request.output_tensors]

    return _in_batches(infer, np.dtype(model.input().element_type.to_dtype()))


def import_openvino() -> Any:
    """The module openvino, kept from reporting its use to Google, as it does where it finds openvino_telemetry."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino


def uses_gpu(runtime: Runtime) -> bool:
    """Whether networks run on a GPU. Raises RecognitionError when they should and there is none."""
    # TensorFlow takes seconds and much memory, so it is asked only where a GPU may be.
    if runtime.device == "cpu" or (runtime.device == "auto" and not _has_gpu_device()):
        return False
    import tensorflow as tf

    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    if runtime.device == "gpu" and not has_gpu:
        raise RecognitionError("TensorFlow sees no GPU here. Install its CUDA libraries, or choose the device cpu.")
    return has_gpu


def _has_gpu_device() -> bool:
    """Whether the system shows an NVIDIA GPU, which under Windows' Linux is /dev/dxg."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


def _trace(model: "keras.Model") -> Callable[..., list["keras.KerasTensor"]]:
    import tensorflow as tf

    return tf.function(
        lambda batch: tf.nest.flatten(model(batch, training=False)),
        input_signature=[tf.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype)],
        autograph=False,
    )


def _in_batches(infer: Network, dtype: np.dtype[Any]) -> Network:
    def run(batch: NDArray[np.generic]) -> list[NDArray[np.float32]]:
        batch = np.ascontiguousarray(batch, dtype)
        if not len(batch):
            return [output[:0] for output in infer(np.zeros((1, *batch.shape[1:]), dtype))]
        parts = [infer(batch[start:end]) for start, end in _batches(batch)]
        return parts[0] if len(parts) == 1 else [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    return run


def _batches(batch: NDArray[np.generic]) -> Iterator[tuple[int, int]]:
    """Start and end of batches of powers of two: a network compiles kernels for every size that it meets, so it should
    meet few.
    """
    max_rows = min(MAX_BATCH_ROWS, max(MAX_BATCH_BYTES // batch[0].nbytes, 1))
    start = 0
    while start < len(batch):
        size = 1 << min(len(batch) - start, max_rows).bit_length() - 1
        yield start, start + size
        start += size
