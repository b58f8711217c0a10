"""Requantization: from accumulators to int8 outputs, with the rounding of convolutions and of dense layers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.ir.fixed_point import Ints, conv_multipliers, multiply_one_rounding, multiply_two_roundings
from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected


def requantize_conv(graph: Graph, op: Conv2D | DepthwiseConv2D, total: Ints) -> NDArray[np.int8]:
    """Outputs of accumulators [..., out channels], the bias included. Grows with the accumulator."""
    mult, shift = np.array(conv_multipliers(graph, op), np.int64).T
    once = isinstance(op, Conv2D) and op.once
    scaled = (multiply_one_rounding if once else multiply_two_roundings)(total, mult, shift)
    out = scaled + graph.tensors[op.output].quant.zero_point
    return np.clip(out, *op.clamp).astype(np.int8)


def requantize_dense(graph: Graph, op: FullyConnected, total: Ints) -> NDArray[np.int8]:
    """Outputs of accumulators [..., out], the bias included. Grows with the accumulator."""
    mult, shift = np.array(conv_multipliers(graph, op), np.int64).T
    out = multiply_one_rounding(total, mult, shift) + graph.tensors[op.output].quant.zero_point
    return np.clip(out, *op.clamp).astype(np.int8)
