"""The model that the TFLite converter turns into int8: plain layers with fake quantization between them.

The converter takes the ranges from the FakeQuant operations, and the weights' scales from the largest weight
of each output channel. Both are those of training: the kernels given to it are already multiples of these
scales, batch normalization folded, so every integer it computes is the one that fake quantization used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_approx.compat import keras, tf
from keras_approx.errors import NotCalibratedError
from keras_approx.graph.build import build_model, plain_layer
from keras_approx.graph.layer_graph import Graph, Node, unique_name
from keras_approx.graph.ranges import fused_batch_norm
from keras_approx.graph.reader import read_model
from keras_approx.graph.rewrites import normalize
from keras_approx.layers.quantizers import quantize_kernel
from keras_approx.layers.registry import SPECS
from keras_approx.layers.skip_wrapper import skip_wrappers


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
    """
    skip_wrappers(model)
    graph = read_model(model)
    for node in graph.nodes:
        if node.op == "QuantizeActivation" and node.config["range"] is None:
            raise NotCalibratedError(
                f"the range of {node.inputs[0]!r} was never measured: call keras_approx.calibrate(model, "
                "data) first"
            )
    return build_model(lower(graph), _conversion_layer)


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
    return build_model(lower(normalize(read_model(model))), _conversion_layer)


def lower(graph: Graph) -> Graph:
    """Quantizes kernels, folds batch normalization, and replaces layers that TFLite has no operator for.

    Args:
        graph: A calibrated wrapped model as read, or a plain one, normalized.

    Returns:
        The graph with the same input and output.
    """
    folded: set[str] = set()
    nodes: list[Node] = []
    renamed: dict[str, str] = {}
    taken = {node.name for node in graph.nodes}
    for original in graph.nodes:
        node = dataclasses.replace(original, inputs=tuple(renamed[name] for name in original.inputs))
        renamed[node.name] = node.name
        if node.op == "Dropout" or node.name in folded:
            renamed[node.name] = node.inputs[0]
            continue
        if node.op in SPECS and SPECS[node.op].kernel:
            norm = fused_batch_norm(graph, original)
            nodes.append(_quantized(node, norm))
            folded.update([norm.name] if norm else [])
        elif node.op == "BatchNormalization":
            nodes.extend(_depthwise_norm(node, taken))
        elif node.op == "GlobalMaxPooling2D":
            nodes.extend(_global_max(node, graph[original.inputs[0]].shape, taken))
        else:
            nodes.append(node)
    return Graph(graph.name, tuple(nodes), renamed[graph.output])


def _norm_scale_and_shift(norm: Node) -> tuple[np.ndarray, np.ndarray]:
    """Batch normalization at inference is scale * x + shift, per channel."""
    mean, variance = norm.weights["moving_mean"], norm.weights["moving_variance"]
    gamma = norm.weights.get("gamma", np.float32(1))
    beta = norm.weights.get("beta", np.float32(0))
    scale = gamma / np.sqrt(variance + np.float32(norm.config["epsilon"]))
    return scale, beta - mean * scale


def _quantized(node: Node, norm: Node | None) -> Node:
    spec = SPECS[node.op]
    assert spec.kernel is not None
    kernel = quantize_kernel(node.weights[spec.kernel], spec.channel_axes)
    weights = {**node.weights, spec.kernel: kernel}
    if norm is not None:
        scale, shift = _norm_scale_and_shift(norm)
        weights[spec.kernel] = kernel * scale.reshape([kernel.shape[axis] for axis in spec.channel_axes])
        weights["bias"] = node.weights.get("bias", np.float32(0)) * scale + shift
    return dataclasses.replace(node, config={**node.config, "use_bias": "bias" in weights}, weights=weights)


def _depthwise_norm(node: Node, taken: set[str]) -> list[Node]:
    """A 1x1 depthwise convolution, whose one weight per channel int8 represents exactly."""
    scale, shift = _norm_scale_and_shift(node)
    weights = {"depthwise_kernel": scale.reshape(1, 1, -1, 1), "bias": shift}
    config = {"kernel_size": (1, 1), "use_bias": True}
    if len(node.shape) == 3:
        return [Node(node.name, "DepthwiseConv2D", node.inputs, node.shape, config, weights)]
    image = (1, *((1,) * (2 - len(node.shape))), *node.shape)
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


def _conversion_layer(node: Node) -> Any:
    if node.op == "QuantizeActivation":
        return FakeQuantize(*node.config["range"], name=node.name)
    if node.op == "Reshape":
        return StaticReshape(node.shape, name=node.name)
    return plain_layer(node)
