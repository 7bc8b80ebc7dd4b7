"""Read the variables of the original FaceNet models: of a frozen graph (.pb) or a checkpoint (.index and .data)."""

import math
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]

SCOPES = ("InceptionResnetV1/", "Logits/")
MAX_VARIABLE_NUMBERS = 10_000_000  # the classifier of the training's people has 5 million


def read_graph(path: Path) -> dict[str, Array]:
    """The constants of a frozen graph by name, which were variables before it was frozen.

    If the file is damaged, it raises whatever TensorFlow does.
    """
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.types_pb2 import DT_FLOAT
    from tensorflow.python.framework.tensor_util import MakeNdarray

    graph = GraphDef()
    graph.ParseFromString(path.read_bytes())
    constants = {
        node.name: node.attr["value"].tensor
        for node in graph.node
        if node.op == "Const" and node.name.startswith(SCOPES)
    }
    return {
        name: MakeNdarray(tensor)
        for name, tensor in constants.items()
        if tensor.dtype == DT_FLOAT and _fits([axis.size for axis in tensor.tensor_shape.dim])
    }


def read_checkpoint(index: Path) -> dict[str, Array]:
    """The variables by name of the checkpoint whose files begin as `index` does without `.index`.

    If a file is damaged, it raises whatever TensorFlow does.
    """
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(index.with_suffix("")))
    types = reader.get_variable_to_dtype_map()
    return {
        name: reader.get_tensor(name)
        for name, shape in reader.get_variable_to_shape_map().items()
        if name.startswith(SCOPES) and types[name] == tf.float32 and _fits(shape)
    }


def _fits(shape: list[int]) -> bool:
    """A file of a few bytes can claim a variable of any size."""
    return all(size >= 0 for size in shape) and math.prod(shape) <= MAX_VARIABLE_NUMBERS
