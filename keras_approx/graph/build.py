"""Builds a tf_keras model from a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_approx.compat import keras, plain_settings
from keras_approx.graph.layer_graph import Graph, Node
from keras_approx.layers.quantized_layers import QuantizedWrapper
from keras_approx.layers.transposed_conv import TransposedConv2D


def build_model(
    graph: Graph, make_layer: Callable[[Node], Any], kind: Callable[..., Any] = keras.Model
) -> Any:
    """Builds the model, and gives its layers the weights of the nodes.

    Args:
        graph: What to build.
        make_layer: Gives the layer of a node; it may give the same layer for several nodes.
        kind: Class of the model.

    Returns:
        A functional tf_keras model, float32 and channels last whatever the global settings of tf_keras are.
    """
    with plain_settings():
        return _build(graph, make_layer, kind)


def _build(graph: Graph, make_layer: Callable[[Node], Any], kind: Callable[..., Any]) -> Any:
    tensors: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    for node in graph.nodes:
        if node.op == "InputLayer":
            tensors[node.name] = keras.Input(node.shape, name=node.name)
            continue
        layer = shared[node.layer] if node.layer in shared else make_layer(node)
        if node.layer:
            shared[node.layer] = layer
        inputs = [tensors[name] for name in node.inputs]
        arguments = {"training": False} if node.inference_only else {}
        tensors[node.name] = layer(inputs if len(inputs) > 1 else inputs[0], **arguments)
        owner = layer.layer if isinstance(layer, QuantizedWrapper) else layer
        for name, value in node.weights.items():
            getattr(owner, name).assign(value)
    inputs = [tensors[node.name] for node in graph.inputs]
    outputs = [tensors[name] for name in graph.outputs]
    return kind(
        inputs if len(inputs) > 1 else inputs[0],
        outputs if len(outputs) > 1 else outputs[0],
        name=graph.name,
    )


def plain_layer(node: Node) -> Any:
    """The Keras layer that a node describes."""
    if node.op == "Activation" and node.config["activation"] == "relu6":
        return keras.layers.ReLU(6.0, name=node.name)
    if node.op == "TransposedConv2D":
        return TransposedConv2D.from_config({**node.config, "name": node.name})
    return getattr(keras.layers, node.op).from_config({**node.config, "name": node.name})
