"""Networks in integers of 8 bits, which processors multiply several times as fast as numbers of 32 bits.

Post-training quantisation (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", 2018): a weight is one of 127 steps of its channel's range, and what goes into a
layer one of 256 steps of a range that was measured. OpenVINO computes in integers wherever it finds such steps.

A byte has 255 steps for a weight, but a processor that can't add up products of bytes by itself (x86 without VNNI) adds
two of them in 16 bits, and what does not fit is cut off without a word: 2 * 255 * 127 does not, 2 * 255 * 63 does. With
127 steps all processors say the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import openvino


WEIGHT_STEPS = 63  # to either side
BYTE_STEPS = 127


@dataclass(frozen=True, slots=True)
class ActivationRanges:
    """The least and greatest value of each tensor that goes into a layer of these types of OpenVINO, in the order of
    `find_activations`.
    """

    layer_types: tuple[str, ...]
    ranges: tuple[tuple[float, float], ...]


def find_activations(
    model: "openvino.Model", layer_types: Sequence[str]
) -> list[tuple["openvino.Output", list["openvino.Input"]]]:
    """Each tensor that is computed and goes into layers of these types, with its places in them, in the model's order.

    Layers that add a constant are left out: OpenVINO joins them with the layer before.
    """
    found: dict[tuple[str, int], tuple[openvino.Output, list[openvino.Input]]] = {}
    for layer in model.get_ordered_ops():
        if layer.get_type_name() not in layer_types:
            continue
        computed = [
            place for place in layer.inputs() if place.get_source_output().get_node().get_type_name() != "Constant"
        ]
        if layer.get_type_name() == "Add" and len(computed) < 2:
            continue
        for place in computed:
            source = place.get_source_output()
            found.setdefault((source.get_node().get_name(), source.get_index()), (source, []))[1].append(place)
    return list(found.values())


def quantise(model: "openvino.Model", activations: ActivationRanges) -> None:
    """Give the weights of the model's convolutions, and what goes into its layers, their steps. Changes `model`.

    Raises ValueError when the ranges are those of another model.
    """
    from openvino import opset13

    for (source, places), (low, high) in zip(
        find_activations(model, activations.layer_types), activations.ranges, strict=True
    ):
        ends = [opset13.constant(np.float32(end)) for end in (low, high, low, high)]
        steps = opset13.fake_quantize(source, *ends, 256)
        for place in places:
            place.replace_source_output(steps.output(0))
    for layer in model.get_ordered_ops():
        if layer.get_type_name() == "Convolution":
            weights = layer.input_value(1)
            largest = np.abs(weights.get_node().data).max(axis=(1, 2, 3), keepdims=True)
            end = (largest * BYTE_STEPS / WEIGHT_STEPS).astype(np.float32)
            ends = [opset13.constant(value) for value in (-end, end, -end, end)]
            steps = opset13.fake_quantize(weights, *ends, 2 * BYTE_STEPS + 1)
            layer.input(1).replace_source_output(steps.output(0))
