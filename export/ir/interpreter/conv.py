"""CONV_2D and DEPTHWISE_CONV_2D."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.ir.fixed_point import Ints, conv_multipliers, multiply_two_roundings
from export.ir.graph import Graph
from export.ir.interpreter.exact import exact_float
from export.ir.interpreter.window import windows
from export.ir.ops import Conv2D, DepthwiseConv2D


def conv_2d(graph: Graph, op: Conv2D, x: NDArray[np.int8]) -> NDArray[np.int8]:
    weights = graph.constant(op.weights)
    kernel = weights.reshape(len(weights), -1)  # [out, kernel y * kernel x * in]
    dtype = exact_float(kernel, axis=1)
    patches = _patches(graph, op, x, weights.shape, dtype)
    total = patches.reshape(-1, kernel.shape[1]) @ kernel.T.astype(dtype)
    return _requantized(graph, op, total.reshape(*patches.shape[:3], -1).astype(np.int64))


def depthwise_conv_2d(graph: Graph, op: DepthwiseConv2D, x: NDArray[np.int8]) -> NDArray[np.int8]:
    weights = graph.constant(op.weights)
    dtype = exact_float(weights, axis=(0, 1, 2))
    kernel = weights.reshape(*weights.shape[1:3], x.shape[3], op.multiplier).astype(dtype)
    patches = _patches(graph, op, x, weights.shape, dtype)
    total = np.einsum("nyxklc,klcm->nyxcm", patches, kernel)
    return _requantized(graph, op, total.reshape(*patches.shape[:3], -1).astype(np.int64))


def _patches(
    graph: Graph, op: Conv2D | DepthwiseConv2D, x: NDArray[np.int8], weights: tuple[int, ...], dtype: Any
) -> NDArray[Any]:
    """What each output position sees: inputs without their zero point, 0 where the padding is."""
    centered = x.astype(dtype) - dtype(graph.tensors[op.inputs[0]].quant.zero_point)
    return windows(centered, (weights[1], weights[2]), op.stride, op.dilation, op.padding, fill=0)


def _requantized(graph: Graph, op: Conv2D | DepthwiseConv2D, total: Ints) -> NDArray[np.int8]:
    if op.bias is not None:
        total = total + graph.constant(op.bias)
    return requantize_conv(graph, op, total)


def requantize_conv(graph: Graph, op: Conv2D | DepthwiseConv2D, total: Ints) -> NDArray[np.int8]:
    """Outputs of accumulators [..., out channels], the bias included. Grows with the accumulator."""
    mult, shift = np.array(conv_multipliers(graph, op), np.int64).T
    out = multiply_two_roundings(total, mult, shift) + graph.tensors[op.output].quant.zero_point
    return np.clip(out, *op.clamp).astype(np.int8)
