"""Graphs are brought to few kinds of layers without changing what they compute."""

from __future__ import annotations

import numpy as np

from keras_approx.graph.layer_graph import Graph, Node, unique_name
from keras_approx.graph.rewrites import normalize, remove

IMAGE = Node("image", "InputLayer", (), (4, 4, 2))


def test_activations_become_layers_of_their_own() -> None:
    graph = Graph(
        "graph",
        (
            IMAGE,
            Node("conv", "Conv2D", ("image",), (4, 4, 3), {"activation": "relu", "filters": 3}),
            Node("conv_relu", "ReLU", ("conv",), (4, 4, 3), {"max_value": 6.0}),
            Node("same", "Activation", ("conv_relu",), (4, 4, 3), {"activation": "linear"}),
            Node("dense", "Dense", ("same",), (3,), {"activation": "linear"}),
            Node("probabilities", "Softmax", ("dense",), (3,), {"axis": -1}),
        ),
        ("probabilities",),
    )
    found = normalize(graph)
    assert [(node.name, node.op, node.inputs, dict(node.config)) for node in found.nodes[1:]] == [
        ("conv", "Conv2D", ("image",), {"filters": 3}),
        ("conv_relu_1", "Activation", ("conv",), {"activation": "relu"}),
        ("conv_relu", "Activation", ("conv_relu_1",), {"activation": "relu6"}),
        ("dense", "Dense", ("conv_relu",), {}),
        ("probabilities", "Activation", ("dense",), {"activation": "softmax"}),
    ]
    assert found.outputs == ("probabilities",)


def test_linear_output_goes() -> None:
    last = Node("last", "Activation", ("image",), (4, 4, 2), {"activation": "linear"})
    assert normalize(Graph("graph", (IMAGE, last), ("last",))) == Graph("graph", (IMAGE,), ("image",))


def test_separable_convolution() -> None:
    weights = {
        "depthwise_kernel": np.ones((3, 2, 2, 4)),
        "pointwise_kernel": np.ones((1, 1, 8, 5)),
        "bias": np.ones(5),
    }
    config = {
        "filters": 5,
        "kernel_size": (3, 2),
        "strides": (2, 2),
        "padding": "same",
        "dilation_rate": (1, 1),
        "depth_multiplier": 4,
        "use_bias": True,
        "activation": "relu",
        "pointwise_regularizer": "l2",
        "depthwise_regularizer": "l1",
        "bias_regularizer": "l2",
        "trainable": False,
    }
    node = Node("sep", "SeparableConv2D", ("image",), (2, 2, 5), config, weights)
    _, depthwise, pointwise, relu = normalize(Graph("graph", (IMAGE, node), ("sep",))).nodes
    assert (depthwise.name, depthwise.op, depthwise.shape) == ("sep_depthwise", "DepthwiseConv2D", (2, 2, 8))
    assert depthwise.config == {
        "kernel_size": (3, 2),
        "strides": (2, 2),
        "padding": "same",
        "dilation_rate": (1, 1),
        "depth_multiplier": 4,
        "depthwise_regularizer": "l1",
        "use_bias": False,
        "trainable": False,
    }
    assert (pointwise.name, pointwise.op, pointwise.shape) == ("sep", "Conv2D", (2, 2, 5))
    assert pointwise.config == {
        "filters": 5,
        "kernel_size": (1, 1),
        "use_bias": True,
        "kernel_regularizer": "l2",
        "bias_regularizer": "l2",
        "trainable": False,
    }
    assert set(depthwise.weights) == {"depthwise_kernel"}
    assert set(pointwise.weights) == {"kernel", "bias"}
    assert (relu.op, relu.inputs) == ("Activation", ("sep",))


def test_remove_joins_what_was_around() -> None:
    nodes = (
        IMAGE,
        Node("a", "QuantizeActivation", ("image",), (4, 4, 2)),
        Node("b", "Flatten", ("a",), (32,)),
        Node("c", "QuantizeActivation", ("b",), (32,)),
    )
    found = remove(Graph("graph", nodes, ("c",)), "QuantizeActivation")
    assert found == Graph("graph", (IMAGE, Node("b", "Flatten", ("image",), (32,))), ("b",))


def test_unique_name() -> None:
    assert unique_name("a", ()) == "a"
    assert unique_name("a", ("a", "a_1")) == "a_2"
