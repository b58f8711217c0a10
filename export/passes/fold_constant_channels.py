"""Folds channels whose value is known at compile time into the biases of the layers that read them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from export.analysis.ranges import activation_ranges
from export.ir.bounds import accumulator_ranges, seen_inputs
from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Op
from export.ir.rewrite import with_constants
from export.ir.tensor import Tensor
from export.operators.operator import Range


def fold_constant_channels(graph: Graph) -> Graph:
    """Makes every weight zero that meets a constant, or whose output is one; biases take over what they gave.

    A channel is constant where no input moves it: its weights are all zero, its inputs are constant, or its clamp
    hides all that it computes. Behind padding a constant is one only if it is the zero point, which the border holds.
    """
    ranges = activation_ranges(graph)
    ops: list[Op] = []
    for op in graph.ops:
        if isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected):
            graph, op = _folded(graph, op, ranges[op.inputs[0]], ranges[op.output])  # noqa: PLW2901
        ops.append(op)
    return replace(graph, ops=tuple(ops))


def _folded(
    graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected, source: Range, target: Range
) -> tuple[Graph, Op]:
    weights = graph.constant(op.weights).copy()
    outputs = target.reshape(2, -1, target.shape[-1])[:, 0]
    constant = outputs[0] == outputs[1]
    bias = np.zeros(len(constant), np.int64) if op.bias is None else graph.constant(op.bias).astype(np.int64)
    if isinstance(op, DepthwiseConv2D):
        weights[..., constant] = 0
    else:
        low, high = seen_inputs(graph, op, source).astype(np.int64)
        known = low == high
        rows = weights.reshape(len(weights), -1, len(low))
        centered = low[known] - graph.tensors[op.inputs[0]].quant.zero_point
        bias += rows[..., known].sum(axis=1, dtype=np.int64) @ centered
        rows[..., known] = 0
        rows[constant] = 0
    if np.array_equal(weights, graph.constant(op.weights)):
        return graph, op
    # Any accumulator the channel can have gives its one output.
    bias[constant] = accumulator_ranges(graph, op, source)[0][constant]
    held = graph.tensors[op.weights]
    name = held.name if op.bias is None else graph.tensors[op.bias].name
    quantization = None if op.bias is None else graph.tensors[op.bias].quantization
    return with_constants(
        graph,
        op,
        replace(held, data=weights),
        Tensor(name, bias.shape, "int32", quantization, bias.astype(np.int32)),
    )
