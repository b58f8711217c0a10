"""CONV_2D and DEPTHWISE_CONV_2D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import ModelFormatError
from export.ir.bounds import accumulator_ranges
from export.ir.exact import exact_float
from export.ir.fixed_point import Ints
from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D, Op
from export.ir.requantization import requantize_conv
from export.ir.windows import windows
from export.operators.operator import Channels, Mask, Operator, Order, Range
from export.operators.products.plain_products import emit_products, work_of_products
from export.operators.products.weights import check_accumulators, read_bias, read_weights
from export.operators.rules import of_channels
from export.reading.activation import fused_clamp
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering, check_size
from export.reading.window import pair, window


def _read_conv(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2, 3)
    source, x = state.image(op)
    weights = read_weights(state, op, axis=0, rank=4)
    channels, *_, depth = state.tensors[weights].shape
    if depth != x.shape[3]:
        if x.shape[3] % depth or channels % (x.shape[3] // depth):
            raise ModelFormatError(
                f"{op}: weights for {depth} of {x.shape[3]} input channels and {channels} outputs; the file is damaged"
            )
        held = state.tensors[weights]
        check_size(f"{op} with the weights of all groups", (*held.shape[:3], x.shape[3]))
        data = ungrouped(np.asarray(held.data), x.shape[3] // depth)
        state.tensors[weights] = replace(held, shape=data.shape, data=data)
    return Conv2D(**_fields(state, op, "Conv2DOptions", source, weights))


def ungrouped(weights: NDArray[np.int8], groups: int) -> NDArray[np.int8]:
    """The weights of a grouped convolution for all input channels, those of other groups zeros.

    Args:
        weights: [out channels, kernel y, kernel x, in channels of a group].
        groups: How many.
    """
    channels, *kernel, depth = weights.shape
    data = np.zeros((groups, channels // groups, *kernel, groups, depth), np.int8)
    for group in range(groups):
        data[group, ..., group, :] = weights.reshape(groups, channels // groups, *kernel, depth)[group]
    return data.reshape(channels, *kernel, groups * depth)


def _read_depthwise(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2, 3)
    source, x = state.image(op)
    weights = read_weights(state, op, axis=3, rank=4)
    shape = state.tensors[weights].shape
    multiplier = state.option(op, "DepthwiseConv2DOptions", "DepthMultiplier")
    if shape[0] != 1 or multiplier < 1 or shape[3] != x.shape[3] * multiplier:
        raise ModelFormatError(
            f"{op}: weights of shape {shape} and depth multiplier {multiplier} do not fit {x.shape[3]} input "
            "channels; the file is damaged"
        )
    fields = _fields(state, op, "DepthwiseConv2DOptions", source, weights)
    return DepthwiseConv2D(**fields, multiplier=multiplier)


def _fields(state: Lowering, op: RawOperator, options_type: str, source: int, weights: int) -> dict[str, Any]:
    """Makes the output and the bias of a convolution; the fields both kinds share."""
    x, shape = state.tensors[source], state.tensors[weights].shape
    channels = shape[3] if options_type == "DepthwiseConv2DOptions" else shape[0]
    dilation = pair(state, op, options_type, "DilationHFactor", "DilationWFactor")
    extent = ((shape[1] - 1) * dilation[0] + 1, (shape[2] - 1) * dilation[1] + 1)
    place = window(state, op, options_type, x, extent)
    output = state.define(op, (1, *place.size, channels))
    bias = read_bias(state, op, x, weights, output)
    check_accumulators(state, op, x, weights, bias, output)
    return {
        "inputs": (source,),
        "output": output,
        "weights": weights,
        "bias": bias,
        "stride": place.stride,
        "dilation": dilation,
        "padding": place.padding,
        "clamp": fused_clamp(state, op, options_type, output),
    }


def _compute_conv(graph: Graph, op: Conv2D, x: NDArray[np.int8]) -> NDArray[np.int8]:
    weights = graph.constant(op.weights)
    kernel = weights.reshape(len(weights), -1)  # [out, kernel y * kernel x * in]
    dtype = exact_float(kernel, axis=1)
    seen = patches(graph, op, x, weights.shape, dtype)
    total = seen.reshape(-1, kernel.shape[1]) @ kernel.T.astype(dtype)
    return _requantized(graph, op, total.reshape(*seen.shape[:3], -1).astype(np.int64))


def _compute_depthwise(graph: Graph, op: DepthwiseConv2D, x: NDArray[np.int8]) -> NDArray[np.int8]:
    weights = graph.constant(op.weights)
    dtype = exact_float(weights, axis=(0, 1, 2))
    kernel = weights.reshape(*weights.shape[1:3], x.shape[3], op.multiplier).astype(dtype)
    seen = patches(graph, op, x, weights.shape, dtype)
    total = np.einsum("nyxklc,klcm->nyxcm", seen, kernel)
    return _requantized(graph, op, total.reshape(*seen.shape[:3], -1).astype(np.int64))


def patches(
    graph: Graph, op: Conv2D | DepthwiseConv2D, x: NDArray[np.int8], weights: tuple[int, ...], dtype: Any
) -> NDArray[Any]:
    """What each output position sees: inputs without their zero point, 0 where the padding is."""
    centered = x.astype(dtype) - dtype(graph.tensors[op.inputs[0]].quant.zero_point)
    return windows(centered, (weights[1], weights[2]), op.stride, op.dilation, op.padding, fill=0)


def _requantized(graph: Graph, op: Conv2D | DepthwiseConv2D, total: Ints) -> NDArray[np.int8]:
    if op.bias is not None:
        total = total + graph.constant(op.bias)
    return requantize_conv(graph, op, total)


def _ranges(graph: Graph, op: Conv2D | DepthwiseConv2D, sources: Sequence[Range]) -> Range:
    shape = graph.tensors[op.output].shape[1:]
    ends = requantize_conv(graph, op, np.stack(accumulator_ranges(graph, op, sources[0])))
    return np.broadcast_to(ends.reshape(2, 1, 1, -1), (2, *shape))


def _conv_reads(graph: Graph, op: Conv2D, read: Mask) -> list[Mask]:
    channels = graph.constant(op.weights)[of_channels(read)].any(axis=(0, 1, 2))
    return [np.broadcast_to(channels, graph.tensors[op.inputs[0]].shape[1:])]


def _depthwise_reads(graph: Graph, op: DepthwiseConv2D, read: Mask) -> list[Mask]:
    moved = of_channels(read) & graph.constant(op.weights).any(axis=(0, 1, 2))
    channels = moved.reshape(-1, op.multiplier).any(axis=1)
    return [np.broadcast_to(channels, graph.tensors[op.inputs[0]].shape[1:])]


def _depthwise_channels(graph: Graph, op: DepthwiseConv2D) -> Channels:
    return Channels.SAME if op.multiplier == 1 else Channels.FIXED


CONV_2D = Operator(
    op=Conv2D,
    kind="conv2d",
    compute=_compute_conv,
    emit=emit_products,
    work=work_of_products,
    readers={"CONV_2D": _read_conv},
    ranges=_ranges,
    reads=_conv_reads,
    channels=lambda graph, op: Channels.FREE,
    order=Order.ANY,
    clamps=True,
    limits="any kernel, stride, dilation, padding and groups; constant weights with zero point 0",
)
DEPTHWISE_CONV_2D = Operator(
    op=DepthwiseConv2D,
    kind="depthwise_conv2d",
    compute=_compute_depthwise,
    emit=emit_products,
    work=work_of_products,
    readers={"DEPTHWISE_CONV_2D": _read_depthwise},
    ranges=_ranges,
    reads=_depthwise_reads,
    channels=_depthwise_channels,
    order=Order.ANY,
    clamps=True,
    limits="any kernel, stride, dilation, padding and depth multiplier",
)
