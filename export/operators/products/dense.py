"""FULLY_CONNECTED."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from export.errors import ModelFormatError, UnsupportedModelError
from export.ir.bounds import accumulator_ranges
from export.ir.exact import exact_float
from export.ir.graph import Graph
from export.ir.ops import Conv2D, FullyConnected, Op, Padding, Reshape
from export.ir.requantization import requantize_dense
from export.operators.movement.reshape import in_shape
from export.operators.operator import Channels, Mask, Operator, Order, Range
from export.operators.products.plain_products import emit_products, work_of_products
from export.operators.products.weights import check_accumulators, read_bias, read_weights
from export.operators.rules import of_channels
from export.reading.activation import fused_clamp
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

_OPTIONS = "FullyConnectedOptions"
_IMAGE = 4  # dimensions


def _read(state: Lowering, op: RawOperator) -> Op | list[Op]:
    state.arity(op, 2, 3)
    if state.option(op, _OPTIONS, "WeightsFormat") != 0:
        raise UnsupportedModelError(f"{op}: shuffled weights are not supported; convert the model again")
    source = state.activation(op)
    x = state.tensors[source]
    weights = read_weights(state, op, axis=0, rank=2)
    channels, depth = state.tensors[weights].shape
    if x.size % depth:
        raise ModelFormatError(
            f"{op}: weights of shape {(channels, depth)} for an input of shape {x.shape}; the file is damaged"
        )
    rows = x.size // depth
    keep = state.option(op, _OPTIONS, "KeepNumDims") and state.shape(source)[-1:] == (depth,)
    output = state.define(op, (*state.shape(source)[:-1], channels) if keep else (rows, channels))
    bias = read_bias(state, op, x, weights, output)
    check_accumulators(state, op, x, weights, bias, output)
    clamp = fused_clamp(state, op, _OPTIONS, output)
    if rows == 1:
        return _of_vector(state, op, source, output, weights, bias, clamp)
    return _at_positions(state, op, source, output, weights, bias, clamp)


def _of_vector(
    state: Lowering,
    op: RawOperator,
    source: int,
    output: int,
    weights: int,
    bias: int | None,
    clamp: tuple[int, int],
) -> list[Op]:
    """A dense layer over its whole input, which must lie in order without gaps: an image becomes a vector first."""
    vector, reshapes = in_shape(state, op, source, (1, state.tensors[weights].shape[1]))
    return [*reshapes, FullyConnected((vector,), output, weights, bias, clamp)]


def _at_positions(
    state: Lowering,
    op: RawOperator,
    source: int,
    output: int,
    weights: int,
    bias: int | None,
    clamp: tuple[int, int],
) -> list[Op]:
    """A dense layer at each of several positions: a 1 x 1 convolution that rounds as dense layers do."""
    held = state.tensors[weights]
    channels, depth = held.shape
    rows = state.tensors[source].size // depth
    assert held.data is not None
    shape = (channels, 1, 1, depth)
    state.tensors[weights] = replace(held, shape=shape, data=held.data.reshape(shape))
    image = state.tensors[source].shape
    if len(image) != _IMAGE or image[-1] != depth:
        image = (1, 1, rows, depth)
    pixels, reshapes = in_shape(state, op, source, image)
    wanted = (*image[:-1], channels)
    result = output if state.tensors[output].shape == wanted else state.temporary(op, output, wanted)
    conv = Conv2D((pixels,), result, weights, bias, (1, 1), (1, 1), Padding(), clamp, once=True)
    return [*reshapes, conv, *([] if result == output else [Reshape((result,), output)])]


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
    work=work_of_products,
    readers={"FULLY_CONNECTED": _read},
    ranges=_ranges,
    reads=_reads,
    channels=_channels,
    order=Order.ANY,
    clamps=True,
    limits="at one or many positions; constant weights with zero point 0, with or without a bias",
)
