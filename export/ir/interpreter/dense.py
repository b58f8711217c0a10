"""FULLY_CONNECTED."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.ir.fixed_point import Ints, conv_multipliers, multiply_one_rounding
from export.ir.graph import Graph
from export.ir.interpreter.exact import exact_float
from export.ir.ops import FullyConnected


def fully_connected(graph: Graph, op: FullyConnected, x: NDArray[np.int8]) -> NDArray[np.int8]:
    weights = graph.constant(op.weights)
    target = graph.tensors[op.output]
    dtype = exact_float(weights, axis=1)
    rows = x.reshape(len(x), -1).astype(dtype) - dtype(graph.tensors[op.inputs[0]].quant.zero_point)
    total = (rows @ weights.astype(dtype).T).astype(np.int64)
    if op.bias is not None:
        total = total + graph.constant(op.bias)
    return requantize_dense(graph, op, total).reshape(len(x), *target.shape[1:])


def requantize_dense(graph: Graph, op: FullyConnected, total: Ints) -> NDArray[np.int8]:
    """Outputs of accumulators [..., out], the bias included. Grows with the accumulator."""
    mult, shift = np.array(conv_multipliers(graph, op), np.int64).T
    out = multiply_one_rounding(total, mult, shift) + graph.tensors[op.output].quant.zero_point
    return np.clip(out, *op.clamp).astype(np.int8)
