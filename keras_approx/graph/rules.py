"""How each layer of a model is rewritten: one function a kind, all in a table."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_approx.errors import UnsupportedLayerError
from keras_approx.graph.layer_graph import Node
from keras_approx.graph.rewriter import Rewriter, Shape
from keras_approx.layers.registry import SPECS

Rule = Callable[[Rewriter, Node], str]

_EPSILON = 1e-3  # of a batch normalization that stands for an affine function
_LEAKY = 0.2  # slope of the activation function
_EXTENTS = ("kernel_size", "strides", "dilation_rate", "pool_size", "size")
_MARGINS = ("padding", "cropping")
_WEIGHTS = ("kernel", "depthwise_kernel", "pointwise_kernel")


def rewrite(rewriter: Rewriter, node: Node) -> str:
    """Adds what a node becomes, and returns the new node that holds its output.

    Args:
        rewriter: Holds what the nodes before it became.
        node: Of the old graph.
    """
    if node.op in _OF_SEQUENCES:
        node = _of_image(rewriter, node)
    elif node.op in _RULES and not node.config.get("noise_shape"):
        node = dataclasses.replace(node, inputs=tuple(rewriter.values[name] for name in node.inputs))
    else:  # layers that know of shapes see their inputs in those they had
        node = dataclasses.replace(node, inputs=tuple(map(rewriter.as_before, node.inputs)))
        return rewriter.add(node)
    return _RULES[node.op](rewriter, node) if node.op in _RULES else rewriter.add(node)


def _of_image(rewriter: Rewriter, node: Node) -> Node:
    """A layer of sequences as that of images of one row."""
    config = dict(node.config)
    depthwise = node.op in ("DepthwiseConv1D", "SeparableConv1D")
    for setting, value in node.config.items():
        if setting in _MARGINS and not isinstance(value, str):
            config[setting] = ((0, 0), (value, value) if isinstance(value, int) else tuple(value))
        elif setting in _EXTENTS:
            (extent,) = value if isinstance(value, Sequence) else (value,)
            # TensorFlow's depthwise convolutions have one stride for both directions.
            config[setting] = (extent if depthwise and setting == "strides" else 1, extent)
    weights = {key: value[np.newaxis] if key in _WEIGHTS else value for key, value in node.weights.items()}
    source, shape = rewriter.image(rewriter.values[node.inputs[0]]), node.shape
    if config.get("padding") == "causal":
        config["padding"] = "valid"
        reach = (config["kernel_size"][1] - 1) * config["dilation_rate"][1]
        height, width, depth = rewriter.shape(source)
        margins = {"padding": ((0, 0), (reach, 0))}
        source = rewriter.emit(
            f"{node.name}_causal", "ZeroPadding2D", source, (height, width + reach, depth), margins
        )
    if len(shape) == 2:
        shape = (1, *shape)
    return dataclasses.replace(
        node, op=_OF_SEQUENCES[node.op], inputs=(source,), shape=shape, config=config, weights=weights
    )


def _pointwise(rewriter: Rewriter, node: Node) -> str:
    """A layer of single elements or channels: of images where the tensors are sequences."""
    inputs = tuple(map(rewriter.image, node.inputs))
    shape = (1, *node.shape) if len(node.shape) == 2 else node.shape
    return rewriter.add(dataclasses.replace(node, inputs=inputs, shape=shape))


def _activation(rewriter: Rewriter, node: Node) -> str:
    return _activated(rewriter, node.inputs[0], node.name, node.config["activation"])


def _activated(rewriter: Rewriter, source: str, name: str, activation: str) -> str:
    """An activation function of a new node's output, the last part of it under this name."""
    source = rewriter.image(source)
    shape = rewriter.shape(source)

    def function(kind: str, of: str, final: bool = True) -> str:
        wanted = name if final else rewriter.new_name(f"{name}_{kind}")
        return rewriter.add(Node(wanted, "Activation", (of,), shape, {"activation": kind}))

    def rescaled(of: str, scale: float, offset: float, final: bool = False) -> str:
        wanted = name if final else rewriter.new_name(f"{name}_scaled")
        return rewriter.add(Node(wanted, "Rescaling", (of,), shape, {"scale": scale, "offset": offset}))

    match activation:
        case "linear":
            return source
        case "leaky_relu":
            return rewriter.add(Node(name, "LeakyReLU", (source,), shape, {"alpha": _LEAKY}))
        case "elu":  # relu(x) + exp(x - relu(x)) - 1
            positive = function("relu", source, final=False)
            rest = rewriter.add(
                Node(rewriter.new_name(f"{name}_negative"), "Subtract", (source, positive), shape)
            )
            below = rescaled(function("exponential", rest, final=False), 1.0, -1.0)
            return rewriter.add(Node(name, "Add", (positive, below), shape))
        case "swish" | "silu":
            gate = function("sigmoid", source, final=False)
        case "hard_sigmoid":
            return rescaled(
                function("relu6", rescaled(source, 1.0, 3.0), final=False), 1 / 6, 0.0, final=True
            )
        case "hard_swish" | "hard_silu":
            gate = rescaled(function("relu6", rescaled(source, 1.0, 3.0), final=False), 1 / 6, 0.0)
        case _:
            return function(activation, source)
    return rewriter.add(Node(name, "Multiply", (source, gate), shape))


def _relu(rewriter: Rewriter, node: Node) -> str:
    slope = float(node.config.get("negative_slope") or 0)
    if not slope:
        return _activated(
            rewriter, node.inputs[0], node.name, "relu6" if node.config.get("max_value") else "relu"
        )
    if node.config.get("max_value"):
        raise UnsupportedLayerError(
            f"layer {node.name!r} (ReLU) has both a negative_slope and a max_value; supported is one of them"
        )
    return _leaky(rewriter, dataclasses.replace(node, config={"alpha": slope}))


def _leaky(rewriter: Rewriter, node: Node) -> str:
    alpha = float(node.config.get("alpha", node.config.get("negative_slope", 0.3)))
    return _pointwise(rewriter, dataclasses.replace(node, op="LeakyReLU", config={"alpha": alpha}))


def _prelu(rewriter: Rewriter, node: Node) -> str:
    shared = tuple(node.config.get("shared_axes") or ())
    config, alpha = dict(node.config), node.weights["alpha"]
    if len(node.shape) == 2:
        shared, alpha = (1, *(axis + 1 for axis in shared)), alpha[np.newaxis]
    config["shared_axes"] = list(shared)
    return _pointwise(rewriter, dataclasses.replace(node, config=config, weights={"alpha": alpha}))


def _function(activation: str) -> Rule:
    return lambda rewriter, node: _activated(rewriter, node.inputs[0], node.name, activation)


def _identity(rewriter: Rewriter, node: Node) -> str:
    return node.inputs[0]


def _product(rewriter: Rewriter, node: Node) -> str:
    """A layer of products without its activation, and that behind it."""
    activation = node.config.get("activation", "linear")
    config = {key: value for key, value in node.config.items() if key != "activation"}
    made = _PRODUCTS.get(node.op, _pointwise)(rewriter, dataclasses.replace(node, config=config))
    if activation == "linear":
        return made
    return _activated(rewriter, made, rewriter.new_name(f"{node.name}_{activation}"), activation)


def _separate(rewriter: Rewriter, node: Node) -> str:
    """The depthwise part gets a new name, the pointwise part, which gives the output, keeps the layer's."""
    config, kernel = node.config, node.weights["depthwise_kernel"]
    depthwise = {
        **_pick(config, "kernel_size", "strides", "padding", "dilation_rate", "trainable", prefix="depth"),
        "use_bias": False,
    }
    first = Node(
        rewriter.new_name(f"{node.name}_depthwise"),
        "DepthwiseConv2D",
        node.inputs,
        (*node.shape[:-1], kernel.shape[2] * kernel.shape[3]),
        depthwise,
        {"depthwise_kernel": kernel},
        layer=node.layer and f"{node.layer} depthwise",
    )
    pointwise = {
        "kernel_" + key.split("_", 1)[1]: value for key, value in _pick(config, prefix="pointwise_").items()
    }
    shared = _pick(config, "filters", "use_bias", "trainable", prefix="bias_")
    weights = {"kernel": node.weights["pointwise_kernel"]}
    if config["use_bias"]:
        weights["bias"] = node.weights["bias"]
    between = rewriter.add(first)
    settings = {**shared, **pointwise, "kernel_size": (1, 1)}
    return rewriter.add(
        Node(node.name, "Conv2D", (between,), node.shape, settings, weights, layer=node.layer)
    )


def _pick(config: Mapping[str, Any], *keys: str, prefix: str) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key in keys or key.startswith(prefix)}


def _dense(rewriter: Rewriter, node: Node) -> str:
    """A dense layer at every position is a 1x1 convolution."""
    if len(node.shape) == 1:
        return rewriter.add(node)
    source = rewriter.image(node.inputs[0])
    shape: Shape = (1, *node.shape) if len(node.shape) == 2 else node.shape
    if len(shape) > 3:
        shape = (1, math.prod(shape[:-1]), shape[-1])
        source = rewriter.shaped(source, (*shape[:2], rewriter.shape(source)[-1]))
    config = {key: value for key, value in node.config.items() if key != "units"}
    config |= {"filters": node.config["units"], "kernel_size": (1, 1)}
    weights = {**node.weights, "kernel": node.weights["kernel"][np.newaxis, np.newaxis]}
    made = dataclasses.replace(
        node, op="Conv2D", inputs=(source,), shape=shape, config=config, weights=weights
    )
    name = rewriter.add(made)
    return name if len(node.shape) <= 3 else rewriter.shaped(name, node.shape)


def _transposed(rewriter: Rewriter, node: Node) -> str:
    weights = {**node.weights, "kernel": node.weights["kernel"].transpose(0, 1, 3, 2)}
    return rewriter.add(dataclasses.replace(node, op="TransposedConv2D", weights=weights))


def _merge(rewriter: Rewriter, node: Node) -> str:
    """Two tensors at a time, all of one rank: TFLite's operators have two inputs."""
    last, *others = node.inputs
    rank = max(len(rewriter.shape(rewriter.image(name))) for name in node.inputs)

    def raised(name: str) -> str:
        shape = rewriter.shape(rewriter.image(name))
        return rewriter.shaped(rewriter.image(name), (*(1,) * (rank - len(shape)), *shape))

    current = raised(last)
    for number, other in enumerate(map(raised, others), start=1):
        final = number == len(others)
        shape = np.broadcast_shapes(rewriter.shape(current), rewriter.shape(other))
        name = node.name if final else rewriter.new_name(f"{node.name}_{number}")
        current = rewriter.add(Node(name, node.op, (current, other), shape))
    return current


def _average(rewriter: Rewriter, node: Node) -> str:
    total = _merge(rewriter, dataclasses.replace(node, op="Add", name=rewriter.new_name(f"{node.name}_sum")))
    config = {"scale": 1 / len(node.inputs), "offset": 0.0}
    return rewriter.add(Node(node.name, "Rescaling", (total,), rewriter.shape(total), config))


def _concatenate(rewriter: Rewriter, node: Node) -> str:
    axis = int(node.config["axis"])
    if len(node.shape) == 2 and axis > 0:
        axis += 1
    return _pointwise(rewriter, dataclasses.replace(node, config={"axis": axis}))


def _rescaling(rewriter: Rewriter, node: Node) -> str:
    scale, offset = (np.asarray(node.config[key], np.float32) for key in ("scale", "offset"))
    if scale.size == offset.size == 1:
        config = {"scale": float(scale.ravel()[0]), "offset": float(offset.ravel()[0])}
        return _pointwise(rewriter, dataclasses.replace(node, config=config))
    return _affine(rewriter, node, scale, offset)


def _normalization(rewriter: Rewriter, node: Node) -> str:
    deviation = np.maximum(np.sqrt(node.weights["variance"]), np.float32(1e-7))
    return _affine(rewriter, node, 1 / deviation, -node.weights["mean"] / deviation)


def _affine(rewriter: Rewriter, node: Node, scale: np.ndarray, offset: np.ndarray) -> str:
    """A batch normalization that does not train and gives scale * x + offset, by channel."""
    channels = (node.shape[-1],)
    weights = {
        "gamma": np.broadcast_to(scale.ravel(), channels).astype(np.float32),
        "beta": np.broadcast_to(offset.ravel(), channels).astype(np.float32),
        "moving_mean": np.zeros(channels, np.float32),
        "moving_variance": np.full(channels, 1 - _EPSILON, np.float32),
    }
    config = {"epsilon": _EPSILON, "trainable": False}
    norm = Node(node.name, "BatchNormalization", node.inputs, node.shape, config, weights, True, node.layer)
    return _pointwise(rewriter, norm)


_OF_SEQUENCES: Mapping[str, str] = {name: name.replace("1D", "2D") for name in SPECS if name.endswith("1D")}
_PRODUCTS: Mapping[str, Rule] = {
    "SeparableConv2D": _separate,
    "Dense": _dense,
    "Conv2DTranspose": _transposed,
}
_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense", "Conv2DTranspose"), _product),
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Maximum", "Minimum"), _merge),
    **dict.fromkeys(
        ("Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout"), _pointwise
    ),
    "Average": _average,
    "Concatenate": _concatenate,
    "BatchNormalization": _pointwise,
    "Normalization": _normalization,
    "Rescaling": _rescaling,
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky,
    "PReLU": _prelu,
    "ELU": _function("elu"),
    "Softmax": _function("softmax"),
    "Identity": _identity,
}
