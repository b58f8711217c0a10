"""How large the accumulators of a layer can become."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.ir.fixed_point import Ints
from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Padding


def accumulator_bounds(
    weights: NDArray[Any], bias: NDArray[Any] | None, zero_point: int, channel_axis: int
) -> tuple[Ints, Ints]:
    """Smallest and largest sum of each output channel over all int8 inputs, the bias included.

    Args:
        weights: int8, in any layout.
        bias: int32 [channels], or None.
        zero_point: Of the input.
        channel_axis: Dimension of `weights` that numbers output channels.

    Returns:
        Two arrays [channels]; they hold as well where padding replaces inputs by their zero point.
    """
    rows = np.moveaxis(weights, channel_axis, 0).reshape(weights.shape[channel_axis], -1).astype(np.int64)
    least, most = -128 - zero_point, 127 - zero_point
    offset = np.zeros(len(rows), np.int64) if bias is None else bias.astype(np.int64)
    low = np.minimum(rows * least, rows * most).sum(axis=1) + offset
    high = np.maximum(rows * least, rows * most).sum(axis=1) + offset
    return low, high


def accumulator_ranges(
    graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected, source: NDArray[np.int8]
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


def seen_inputs(
    graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected, source: NDArray[np.int8]
) -> NDArray[np.int8]:
    """Int8 [2, n]: the range of what a layer reads through each of its n input channels, padding included."""
    if isinstance(op, FullyConnected):
        return source.reshape(2, -1)
    spatial = tuple(range(source.ndim - 2))
    low, high = source[0].min(axis=spatial), source[1].max(axis=spatial)
    if op.padding != Padding():
        zero_point = graph.tensors[op.inputs[0]].quant.zero_point
        low, high = np.minimum(low, zero_point), np.maximum(high, zero_point)
    return np.stack([low, high]).astype(np.int8)
