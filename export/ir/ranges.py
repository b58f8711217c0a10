"""Which values each element of each activation can take, whatever the network's input."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.ir.fixed_point import Ints
from export.ir.graph import Graph
from export.ir.interpreter.conv import requantize_conv
from export.ir.interpreter.dense import requantize_dense
from export.ir.interpreter.run import KERNELS
from export.ir.ops import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Logistic,
    Lookup,
    MaxPool2D,
    Op,
    Padding,
    Relu,
    Requantize,
    Softmax,
)
from export.ir.tables import lookup_table

_Tabulated = Lookup | Relu | Logistic | Requantize
Range = NDArray[np.int8]
"""Int8 [2, *shape without the batch dimension]: the least and the largest value of each element."""


def activation_ranges(graph: Graph) -> dict[int, Range]:
    """Ranges of the input and of each operator's output, by tensor.

    They hold for every input, and are wider than need be where values depend on each other. Positions of an image
    are not told apart behind a convolution.
    """
    shape = graph.tensors[graph.input].shape[1:]
    ranges = {graph.input: _full(shape)}
    for op in graph.ops:
        ranges[op.output] = _output_range(graph, op, [ranges[tensor] for tensor in op.inputs])
    return ranges


def accumulator_ranges(
    graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected, source: Range
) -> tuple[Ints, Ints]:
    """Least and largest sum of each output channel, the bias included, of inputs within `source`."""
    inputs = seen_inputs(graph, op, source).astype(np.int64) - graph.tensors[op.inputs[0]].quant.zero_point
    weights = graph.constant(op.weights).astype(np.int64)
    if isinstance(op, DepthwiseConv2D):
        least, most = np.repeat(inputs, op.multiplier, axis=1)
        products = np.stack([weights[0] * least, weights[0] * most]).reshape(2, -1, weights.shape[3])
        low, high = products.min(axis=0).sum(axis=0), products.max(axis=0).sum(axis=0)
    else:
        rows = weights.reshape(len(weights), -1, inputs.shape[1])
        negative, positive = np.minimum(rows, 0).sum(axis=1), np.maximum(rows, 0).sum(axis=1)
        low = positive @ inputs[0] + negative @ inputs[1]
        high = positive @ inputs[1] + negative @ inputs[0]
    bias = 0 if op.bias is None else graph.constant(op.bias).astype(np.int64)
    return low + bias, high + bias


def seen_inputs(graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected, source: Range) -> Range:
    """Int8 [2, n]: the range of what a layer reads through each of its n input channels, padding included."""
    if isinstance(op, FullyConnected):
        return source.reshape(2, -1)
    spatial = tuple(range(source.ndim - 2))
    low, high = source[0].min(axis=spatial), source[1].max(axis=spatial)
    if op.padding != Padding():
        zero_point = graph.tensors[op.inputs[0]].quant.zero_point
        low, high = np.minimum(low, zero_point), np.maximum(high, zero_point)
    return np.stack([low, high]).astype(np.int8)


def _full(shape: tuple[int, ...]) -> Range:
    return np.stack([np.full(shape, -128, np.int8), np.full(shape, 127, np.int8)])


def _output_range(graph: Graph, op: Op, sources: list[Range]) -> Range:
    shape = graph.tensors[op.output].shape[1:]
    if isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected):
        totals = np.stack(accumulator_ranges(graph, op, sources[0]))
        if isinstance(op, FullyConnected):
            ends = requantize_dense(graph, op, totals)
        else:
            ends = requantize_conv(graph, op, totals)
        return np.broadcast_to(ends.reshape(2, *[1] * (len(shape) - 1), -1), (2, *shape))
    if isinstance(op, Softmax):
        return _full(shape)
    if isinstance(op, Add | MaxPool2D | AveragePool2D | _Tabulated) and not any(map(_varies, sources)):
        # An image whose positions are alike is one position, stretched.
        pixels = [source[(slice(None), *[slice(1)] * (source.ndim - 2))] for source in sources]
        if isinstance(op, MaxPool2D | AveragePool2D):
            return np.broadcast_to(np.clip(pixels[0], *op.clamp), (2, *shape))
        return np.broadcast_to(_growing(graph, op, pixels), (2, *shape))
    return _growing(graph, op, sources)


def _growing(graph: Graph, op: Op, sources: list[Range]) -> Range:
    """Of a table, or of an operator that grows with each of its inputs: its ends are its values at their ends."""
    if isinstance(op, _Tabulated):
        return _looked_up(np.array(lookup_table(graph, op)), sources[0])
    return KERNELS[type(op)](graph, op, *sources)


def _varies(source: Range) -> bool:
    """Whether positions can differ, as far as memory tells: those of a stretched array are the same bytes."""
    return any(source.strides[1:-1])


def _looked_up(table: NDArray[Any], source: Range) -> Range:
    ends, places = np.unique(source.reshape(2, -1), axis=1, return_inverse=True)
    found = [
        (table[low + 128 : high + 129].min(), table[low + 128 : high + 129].max())
        for low, high in ends.T.astype(int)
    ]
    return np.array(found, np.int8).T[:, places.ravel()].reshape(source.shape)
