"""The model that the TFLite converter turns into int8: plain layers with fake quantization between them.

The converter takes the ranges from the FakeQuant operations, and the weights' scales from the largest weight
of each output channel. Both are those of training: the kernels given to it are already multiples of these
scales, batch normalization folded, so every integer it computes is the one that fake quantization used.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from keras_approx.compat import keras, tf
from keras_approx.errors import NotCalibratedError, UnsupportedModelError
from keras_approx.graph.build import build_model, plain_layer
from keras_approx.graph.layer_graph import Graph, Node, unique_name
from keras_approx.graph.ranges import folded_rescaling, fused_batch_norm
from keras_approx.graph.reader import read_model
from keras_approx.graph.rewrites import normalize, remove, restore
from keras_approx.graph.topology import calls
from keras_approx.layers.quantizers import QMAX, quantize_kernel
from keras_approx.layers.registry import SPECS
from keras_approx.layers.skip_wrapper import check_all_wrapped, skip_wrappers, wrapped_inside
from keras_approx.layers.transposed_conv import TransposedConv2D


def conversion_model(model: Any) -> Any:
    """The quantized model in layers that convert to an int8 TFLite graph, integer for integer.

    Use `tf.lite.TFLiteConverter.from_keras_model` with `optimizations = [tf.lite.Optimize.DEFAULT]` and
    nothing else; `inference_input_type` and `inference_output_type` may be `tf.int8`. Skipped weights are 0
    in the int8 graph.

    Args:
        model: A wrapped model, calibrated.

    Returns:
        A tf_keras model that predicts what the wrapped one does, up to float rounding, without any state:
        batch normalization is folded into kernels (or is a 1x1 depthwise convolution where it follows none),
        dropout gone, and global max pooling a max pooling over everything.

    Raises:
        NotWrappedError: If the model is not wrapped.
        NotCalibratedError: If it was not calibrated.
        UnsupportedLayerError: If it was given new layers that are not wrapped.
    """
    skip_wrappers(model)
    check_all_wrapped(model)
    graph = read_model(model)
    for node in graph.nodes:
        if node.op == "QuantizeActivation" and node.config["range"] is None:
            raise NotCalibratedError(
                f"the range of {node.inputs[0]!r} was never measured: call keras_approx.calibrate(model, "
                "data) first"
            )
    return build_model(restore(lower(graph)), _conversion_layer)


@dataclasses.dataclass(frozen=True)
class MaskedKernel:
    """How the kernel of a layer that carries a mask gets into the int8 graph.

    Attributes:
        name: The layer's.
        kernel: float32, as the wrapped layer holds it.
        calls: How often the layer is called: it has as many operators.
        stride: Of a transposed convolution; None elsewhere.
        input_scale: What the weights are multiplied by for a rescaling of the model's input that folds into them.
        groups: Of a convolution, whose operator may have the weights of all input channels; 1 elsewhere.
    """

    name: str
    kernel: np.ndarray
    calls: int
    stride: tuple[int, int] | None
    input_scale: float
    groups: int


def masked_kernels(model: Any) -> list[MaskedKernel]:
    """The kernels of a wrapped model that carry masks, in model order.

    Raises:
        NotWrappedError: If the model is not wrapped.
    """
    uses = Counter(call.layer.name for call in calls(model))
    graph = remove(read_model(model), "QuantizeActivation")
    folded = ((folded_rescaling(graph, node), node) for node in graph.nodes)
    scales = {after.name: node.config["scale"] for after, node in folded if after is not None}
    return [
        MaskedKernel(
            wrapper.name,
            wrapper.kernel.numpy(),
            uses[wrapper.name],
            wrapper.layer.strides if isinstance(wrapper.layer, TransposedConv2D) else None,
            scales.get(wrapper.name, 1.0),
            wrapper.groups,
        )
        for wrapper in skip_wrappers(model)
    ]


def float_conversion_model(model: Any) -> Any:
    """A plain model in layers that the TFLite converter can quantize after training.

    Args:
        model: As for `keras_approx.wrap`, but it may have nothing to skip.

    Returns:
        A tf_keras model without fake quantization that predicts what the given one does, up to the rounding of
        its kernels to int8; its layers are those of `conversion_model`.

    Raises:
        UnsupportedModelError: If the model as a whole is not supported.
        UnsupportedLayerError: If a layer or one of its settings is not supported.
    """
    graph = read_model(model)
    inside = wrapped_inside(model)
    if inside:
        raise UnsupportedModelError(inside)
    return build_model(restore(lower(normalize(graph))), _conversion_layer)


def lower(graph: Graph) -> Graph:
    """Quantizes kernels, folds batch normalization, and replaces layers that TFLite has no operator for.

    Args:
        graph: A calibrated wrapped model as read, or a plain one, normalized.

    Returns:
        The graph with the same input and output.
    """
    folded: set[str] = set()
    scales: dict[str, float] = {}
    nodes: list[Node] = []
    renamed: dict[str, str] = {}
    taken = {node.name for node in graph.nodes}
    for original in graph.nodes:
        inputs = tuple(renamed[name] for name in original.inputs)
        node = dataclasses.replace(
            original, inputs=inputs, layer=""
        )  # calls of one layer differ in their ranges
        renamed[node.name] = node.name
        after = folded_rescaling(graph, original)
        if after is not None:
            scales[after.name] = node.config["scale"]
        if after is not None or node.name in folded or SPECS[node.op].identity:
            renamed[node.name] = node.inputs[0]
        elif SPECS[node.op].kernel:
            norm = fused_batch_norm(graph, original)
            nodes.append(_quantized(node, norm, scales.get(node.name, 1.0)))
            folded.update([norm.name] if norm else [])
        elif node.op in _LOWERED:
            nodes.extend(_LOWERED[node.op](node, graph[original.inputs[0]].shape, taken))
        else:
            nodes.append(node)
    lasting = tuple(map(_lasting_bias, _told_apart(nodes)))
    return Graph(graph.name, lasting, tuple(renamed[name] for name in graph.outputs))


def _told_apart(nodes: list[Node]) -> Iterator[Node]:
    """Gives kernels of zeros different signs of zero.

    Of two equal kernels on one input the converter makes one operator, whose two biases it then leaves in float32.
    """
    dead = 0
    for node in nodes:
        name = SPECS[node.op].kernel if node.op in SPECS else None
        if name is None or node.weights[name].any():
            yield node
            continue
        kernel = np.zeros_like(node.weights[name])
        kernel.flat[:dead] = -0.0
        dead += 1
        yield dataclasses.replace(node, weights={**node.weights, name: kernel})


def _lasting_bias(node: Node) -> Node:
    """A bias that the converter leaves as it is; what it changes here is far below a step of int32.

    A constant of equal values it quantizes with the scale of its first channel: the first channel gets the number
    next to its own. A bias of zeros it drops, and then fuses no ReLU into a transposed convolution: there the first
    channel gets the least number there is.
    """
    bias = node.weights.get("bias")
    if node.op == "TransposedConv2D" and bias is None:
        bias = np.zeros(node.shape[-1], np.float32)
    if bias is None or (bias != bias[0]).any() or not (bias[0] or node.op == "TransposedConv2D"):
        return node
    changed = bias.copy()
    changed[0] = np.nextafter(bias[0], np.float32(0)) if bias[0] else np.finfo(np.float32).tiny
    config = {**node.config, "use_bias": True}
    return dataclasses.replace(node, config=config, weights={**node.weights, "bias": changed})


def _norm_scale_and_shift(norm: Node) -> tuple[np.ndarray, np.ndarray]:
    """Batch normalization at inference is scale * x + shift, per channel."""
    mean, variance = norm.weights["moving_mean"], norm.weights["moving_variance"]
    gamma = norm.weights.get("gamma", np.float32(1))
    beta = norm.weights.get("beta", np.float32(0))
    scale = gamma / np.sqrt(variance + np.float32(norm.config["epsilon"]))
    return scale, beta - mean * scale


def _quantized(node: Node, norm: Node | None, input_scale: float) -> Node:
    """A layer with a kernel of int8 multiples, times what its inputs and outputs are multiplied by."""
    spec = SPECS[node.op]
    assert spec.kernel is not None
    numbers, peaks = quantize_kernel(node.weights[spec.kernel], spec.channel_axes)
    kernel = numbers * (peaks / np.float32(QMAX))
    weights = {**node.weights, spec.kernel: kernel * np.float32(input_scale)}
    if norm is not None:
        scale, shift = _norm_scale_and_shift(norm)
        weights[spec.kernel] = weights[spec.kernel] * scale.reshape(
            [extent if axis in spec.channel_axes else 1 for axis, extent in enumerate(kernel.shape)]
        )
        weights["bias"] = node.weights.get("bias", np.float32(0)) * scale + shift
    return dataclasses.replace(node, config={**node.config, "use_bias": "bias" in weights}, weights=weights)


def _norm(node: Node, shape: tuple[int, ...], taken: set[str]) -> list[Node]:
    return _depthwise(node, *_norm_scale_and_shift(node), taken)


def _rescaling(node: Node, shape: tuple[int, ...], taken: set[str]) -> list[Node]:
    """One operator for both: a product or a sum, or a convolution where it is both."""
    scale, offset = (np.float32(node.config[key]) for key in ("scale", "offset"))
    if scale == 1 or offset == 0:
        return [node]
    channels = shape[-1]
    return _depthwise(node, np.full(channels, scale), np.full(channels, offset), taken)


def _depthwise(node: Node, scale: np.ndarray, shift: np.ndarray, taken: set[str]) -> list[Node]:
    """A 1x1 depthwise convolution, whose one weight per channel int8 represents exactly."""
    weights = {"depthwise_kernel": scale.reshape(1, 1, -1, 1), "bias": shift}
    config = {"kernel_size": (1, 1), "use_bias": True}
    if len(node.shape) == 3:
        return [Node(node.name, "DepthwiseConv2D", node.inputs, node.shape, config, weights)]
    image = (1, math.prod(node.shape[:-1]), node.shape[-1])
    before, after = (unique_name(f"{node.name}_{part}", taken) for part in ("image", "depthwise"))
    return [
        Node(before, "Reshape", node.inputs, image),
        Node(after, "DepthwiseConv2D", (before,), image, config, weights),
        Node(node.name, "Reshape", (after,), node.shape),
    ]


def _global_max(node: Node, shape: tuple[int, ...], taken: set[str]) -> list[Node]:
    name = unique_name(f"{node.name}_pool", taken)
    pooled = (1, 1, shape[-1])
    return [
        Node(name, "MaxPooling2D", node.inputs, pooled, {"pool_size": shape[:2]}),
        Node(node.name, "Reshape", (name,), node.shape),
    ]


_LOWERED: Mapping[str, Callable[[Node, tuple[int, ...], set[str]], list[Node]]] = {
    "BatchNormalization": _norm,
    "Rescaling": _rescaling,
    "GlobalMaxPooling2D": _global_max,
}


class FakeQuantize(keras.layers.Layer):
    """A FakeQuant operation with constant range, from which the converter takes a tensor's quantization."""

    def __init__(self, low: float, high: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.low, self.high = low, high

    def call(self, inputs: Any) -> Any:
        return tf.quantization.fake_quant_with_min_max_vars(inputs, self.low, self.high)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "low": self.low, "high": self.high}


class StaticReshape(keras.layers.Layer):
    """A reshape to constants; Keras's own computes the batch at run time, in operators C has no use for."""

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(target_shape)

    def call(self, inputs: Any) -> Any:
        return tf.reshape(inputs, (-1, *self.target_shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": self.target_shape}


class Affine(keras.layers.Layer):
    """A product with a number or a sum with one: one operator, where Keras's own layer has both."""

    def __init__(self, scale: float, offset: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset

    def call(self, inputs: Any) -> Any:
        return inputs * self.scale if self.offset == 0 else inputs + self.offset

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}


def _conversion_layer(node: Node) -> Any:
    if node.op == "QuantizeActivation":
        return FakeQuantize(*node.config["range"], name=node.name)
    if node.op in ("Reshape", "Flatten"):
        return StaticReshape(node.shape, name=node.name)
    if node.op == "Rescaling":
        return Affine(node.config["scale"], node.config["offset"], name=node.name)
    return plain_layer(node)
