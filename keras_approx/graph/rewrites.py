"""Rewrites of a model's graph to the few layers that the rest of the package knows. Pure functions."""

from __future__ import annotations

import dataclasses

from keras_approx.graph.layer_graph import Graph
from keras_approx.graph.rewriter import Rewriter
from keras_approx.graph.rules import rewrite


def normalize(graph: Graph) -> Graph:
    """The same function in fewer kinds of layers.

    Layers of sequences become those of images of one row, a separable convolution a depthwise and a 1x1 convolution, a
    dense layer at positions a 1x1 convolution, a sum of many tensors several sums of two, a layer's activation a layer
    of its own, and layers that are activation functions become Activation; what changes nothing goes.
    """
    rewriter = Rewriter(graph)
    for node in graph.nodes:
        rewriter.values[node.name] = rewrite(rewriter, node)
    return rewriter.graph()


def remove(graph: Graph, op: str) -> Graph:
    """The graph without the nodes of one kind, which must have one input that stands for their output."""
    renamed: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        inputs = tuple(renamed[name] for name in node.inputs)
        renamed[node.name] = inputs[0] if node.op == op else node.name
        if node.op != op:
            nodes.append(dataclasses.replace(node, inputs=inputs))
    return Graph(graph.name, tuple(nodes), tuple(renamed[name] for name in graph.outputs))


def restore(graph: Graph) -> Graph:
    """The graph with Keras's own layers in place of the package's: transposed convolutions have Keras's kernels."""
    return dataclasses.replace(
        graph,
        nodes=tuple(
            dataclasses.replace(
                node,
                op="Conv2DTranspose",
                weights={**node.weights, "kernel": node.weights["kernel"].transpose(0, 1, 3, 2)},
            )
            if node.op == "TransposedConv2D"
            else node
            for node in graph.nodes
        ),
    )
