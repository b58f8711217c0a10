"""Which elements of each activation have a part in the network's output."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.ir.graph import Graph
from export.ir.ops import (
    Add,
    Concatenation,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Logistic,
    Lookup,
    Op,
    Relu,
    Requantize,
    Reshape,
    Softmax,
)

Mask = NDArray[np.bool_]
"""Bool [*shape without the batch dimension]: which elements are read."""


def read_elements(graph: Graph) -> dict[int, Mask]:
    """Elements that something reads, by tensor; all of the output.

    A product whose weight is zero reads nothing. Behind a window an image's positions are not told apart.
    """
    read = {tensor: np.zeros(graph.tensors[tensor].shape[1:], np.bool_) for tensor in activations(graph)}
    read[graph.output][...] = True
    for op in reversed(graph.ops):
        for tensor, wanted in zip(op.inputs, _inputs_read(graph, op, read[op.output]), strict=True):
            read[tensor] |= wanted
    return read


def activations(graph: Graph) -> list[int]:
    """The input and what operators write, in order."""
    return [graph.input, *(op.output for op in graph.ops)]


def of_channels(mask: Mask) -> Mask:
    """Channels of which any element is set."""
    return np.asarray(mask.reshape(-1, mask.shape[-1]).any(axis=0))


def _inputs_read(graph: Graph, op: Op, output: Mask) -> list[Mask]:
    shapes = [graph.tensors[tensor].shape[1:] for tensor in op.inputs]
    if isinstance(op, FullyConnected):
        columns = graph.constant(op.weights)[of_channels(output)].any(axis=0)
        return [columns.reshape(shapes[0])]
    if isinstance(op, Conv2D):
        channels = graph.constant(op.weights)[of_channels(output)].any(axis=(0, 1, 2))
    elif isinstance(op, DepthwiseConv2D):
        moved = of_channels(output) & graph.constant(op.weights).any(axis=(0, 1, 2))
        channels = moved.reshape(-1, op.multiplier).any(axis=1)
    elif isinstance(op, Softmax):
        channels = np.full(shapes[0][-1], output.any())
    elif isinstance(op, Add | Lookup | Relu | Logistic | Requantize):
        return [output] * len(shapes)
    elif isinstance(op, Reshape):
        return [output.reshape(shapes[0])]
    elif isinstance(op, Concatenation):
        ends = np.cumsum([shape[op.axis - 1] for shape in shapes])[:-1]
        return np.split(output, ends, axis=op.axis - 1)
    else:  # windows over an image, channel by channel
        channels = of_channels(output)
    return [np.broadcast_to(channels, shapes[0])]
