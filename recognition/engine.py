"""How a network is run: compiled once, in batches of a few fixed sizes."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is first imported, wherever that is

BATCHES = (1, 8, 32, 256)


def compiled(model: "keras.Model") -> Callable[[NDArray[np.generic]], list[NDArray[np.float32]]]:
    """Compile a Keras model of one input; the answer runs it on an array (n, ...) of any n and gives its outputs in order."""
    import tensorflow as tf

    given = model.inputs[0]
    graph = tf.function(
        lambda batch: model(batch, training=False), input_signature=[tf.TensorSpec(given.shape, given.dtype)], autograph=False
    )

    def run(batch: NDArray[np.generic]) -> list[NDArray[np.float32]]:
        if len(batch) == 0:
            return [output[:0] for output in run(np.zeros((1, *batch.shape[1:]), batch.dtype))]
        parts = []
        for start in range(0, len(batch), BATCHES[-1]):
            answer = graph(tf.constant(batch[start : start + BATCHES[-1]], dtype=given.dtype))
            parts.append([part.numpy() for part in (answer if isinstance(answer, list | tuple) else [answer])])
        return [np.concatenate(output) for output in zip(*parts, strict=True)]

    return run
