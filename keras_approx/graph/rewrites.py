"""Rewrites of a model's graph into the few layers that the rest of the package knows. Pure functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from keras_approx.graph.layer_graph import Graph, Node, unique_name


def normalize(graph: Graph) -> Graph:
    """The same function in fewer kinds of layers.

    A separable convolution becomes a depthwise and a 1x1 convolution, an activation inside a layer a layer of
    its own, a sum of several tensors sums of two, and ReLU and Softmax layers become Activation; linear activations
    go.
    """
    nodes: list[Node] = []
    renamed: dict[str, str] = {}
    taken = {node.name for node in graph.nodes}
    for node in graph.nodes:
        current = dataclasses.replace(node, inputs=tuple(renamed[name] for name in node.inputs))
        for part in _parts(current, taken):
            nodes.append(part)
            taken.add(part.name)
            current = part
        renamed[node.name] = current.name if current.op != "Identity" else current.inputs[0]
    return Graph(graph.name, tuple(node for node in nodes if node.op != "Identity"), renamed[graph.output])


def _parts(node: Node, taken: set[str]) -> Iterator[Node]:
    if node.op == "ReLU":
        name = "relu6" if node.config.get("max_value") else "relu"
        yield dataclasses.replace(node, op="Activation", config={"activation": name})
    elif node.op == "Softmax":
        yield dataclasses.replace(node, op="Activation", config={"activation": "softmax"})
    elif node.op == "Activation":
        yield node if node.config["activation"] != "linear" else dataclasses.replace(node, op="Identity")
    elif node.op == "Add" and len(node.inputs) > 2:
        yield from _add_in_turn(node, taken)
    elif "activation" in node.config:
        activation = node.config["activation"]
        config = {key: value for key, value in node.config.items() if key != "activation"}
        linear = dataclasses.replace(node, config=config)
        yield from _separate(linear, taken) if node.op == "SeparableConv2D" else (linear,)
        if activation != "linear":
            name = unique_name(f"{node.name}_{activation}", taken)
            yield Node(name, "Activation", (node.name,), node.shape, {"activation": activation})
    else:
        yield node


def _add_in_turn(node: Node, taken: set[str]) -> Iterator[Node]:
    """A sum of several tensors, two at a time; the last sum keeps the layer's name."""
    total, *others = node.inputs
    used = set(taken)
    for number, other in enumerate(others[:-1], start=2):
        name = unique_name(f"{node.name}_{number}", used)
        used.add(name)
        yield dataclasses.replace(node, name=name, inputs=(total, other))
        total = name
    yield dataclasses.replace(node, inputs=(total, others[-1]))


def _separate(node: Node, taken: set[str]) -> Iterator[Node]:
    """The depthwise part gets a new name, the pointwise part, which gives the output, keeps the layer's."""
    config, kernel = node.config, node.weights["depthwise_kernel"]
    name = unique_name(f"{node.name}_depthwise", taken)
    yield Node(
        name,
        "DepthwiseConv2D",
        node.inputs,
        (*node.shape[:-1], kernel.shape[2] * kernel.shape[3]),
        {
            **_pick(
                config, "kernel_size", "strides", "padding", "dilation_rate", "trainable", prefix="depth"
            ),
            "use_bias": False,
        },
        {"depthwise_kernel": kernel},
    )
    pointwise = {
        "kernel_" + key.split("_", 1)[1]: value for key, value in _pick(config, prefix="pointwise_").items()
    }
    shared = _pick(config, "filters", "use_bias", "trainable", prefix="bias_")
    weights = {"kernel": node.weights["pointwise_kernel"]}
    if config["use_bias"]:
        weights["bias"] = node.weights["bias"]
    yield Node(
        node.name, "Conv2D", (name,), node.shape, {**shared, **pointwise, "kernel_size": (1, 1)}, weights
    )


def _pick(config: Mapping[str, Any], *keys: str, prefix: str) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key in keys or key.startswith(prefix)}


def remove(graph: Graph, op: str) -> Graph:
    """The graph without the nodes of one kind, which must have one input that stands for their output."""
    renamed: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        inputs = tuple(renamed[name] for name in node.inputs)
        renamed[node.name] = inputs[0] if node.op == op else node.name
        if node.op != op:
            nodes.append(dataclasses.replace(node, inputs=inputs))
    return Graph(graph.name, tuple(nodes), renamed[graph.output])
