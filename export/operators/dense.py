"""FULLY_CONNECTED."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.errors import UnsupportedModelError
from export.ir.bounds import accumulator_ranges
from export.ir.exact import exact_float
from export.ir.graph import Graph
from export.ir.ops import FullyConnected, Op
from export.ir.requantization import requantize_dense
from export.operators.operator import Channels, Mask, Operator, Order, Range
from export.operators.plain_products import emit_products
from export.operators.rules import of_channels
from export.operators.weights import check_accumulators, read_bias, read_weights
from export.reading.activation import fused_clamp
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

_OPTIONS = "FullyConnectedOptions"


def _read(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2, 3)
    if state.option(op, _OPTIONS, "WeightsFormat") != 0:
        raise UnsupportedModelError(f"{op}: shuffled weights are not supported; convert the model again")
    source = state.activation(op)
    x = state.tensors[source]
    weights = read_weights(state, op, axis=0, rank=2)
    channels, depth = state.tensors[weights].shape
    if x.size != depth:
        raise UnsupportedModelError(
            f"{op}: expected {depth} inputs for weights of shape {(channels, depth)}, got shape {x.shape}; "
            "a dense layer must follow Flatten or pooling, not act on every position of an image"
        )
    keep = state.option(op, _OPTIONS, "KeepNumDims")
    output = state.define(op, (*x.shape[:-1], channels) if keep else (1, channels))
    bias = read_bias(state, op, x, weights, output)
    check_accumulators(state, op, x, weights, bias, output)
    return FullyConnected((source,), output, weights, bias, fused_clamp(state, op, _OPTIONS, output))


def _compute(graph: Graph, op: FullyConnected, x: NDArray[np.int8]) -> NDArray[np.int8]:
    weights = graph.constant(op.weights)
    target = graph.tensors[op.output]
    dtype = exact_float(weights, axis=1)
    rows = x.reshape(len(x), -1).astype(dtype) - dtype(graph.tensors[op.inputs[0]].quant.zero_point)
    total = (rows @ weights.astype(dtype).T).astype(np.int64)
    if op.bias is not None:
        total = total + graph.constant(op.bias)
    return requantize_dense(graph, op, total).reshape(len(x), *target.shape[1:])


def _ranges(graph: Graph, op: FullyConnected, sources: Sequence[Range]) -> Range:
    shape = graph.tensors[op.output].shape[1:]
    ends = requantize_dense(graph, op, np.stack(accumulator_ranges(graph, op, sources[0])))
    return np.broadcast_to(ends.reshape(2, *[1] * (len(shape) - 1), -1), (2, *shape))


def _reads(graph: Graph, op: FullyConnected, read: Mask) -> list[Mask]:
    columns = graph.constant(op.weights)[of_channels(read)].any(axis=0)
    return [columns.reshape(graph.tensors[op.inputs[0]].shape[1:])]


def _channels(graph: Graph, op: FullyConnected) -> Channels:
    return Channels.VECTOR if len(graph.tensors[op.inputs[0]].shape) > 2 else Channels.FREE


FULLY_CONNECTED = Operator(
    op=FullyConnected,
    kind="fully_connected",
    compute=_compute,
    emit=emit_products,
    readers={"FULLY_CONNECTED": _read},
    ranges=_ranges,
    reads=_reads,
    channels=_channels,
    order=Order.ANY,
    clamps=True,
    limits="constant weights with zero point 0, with or without a bias",
)
