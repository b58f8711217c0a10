"""Lowers MAX_POOL_2D, AVERAGE_POOL_2D, MEAN, PAD, PADV2, CONCATENATION and RESHAPE."""

from __future__ import annotations

import math

from export.errors import ModelFormatError, QuantizationError, UnsupportedModelError
from export.frontend.activation import fused_clamp
from export.frontend.flatbuffer import RawOperator
from export.frontend.geometry import pair, window
from export.frontend.lowering import Lowering
from export.ir.fixed_point import INT32_MAX, mean_parameters
from export.ir.graph import Graph
from export.ir.ops import AveragePool2D, Concatenation, MaxPool2D, Mean, Op, Pad, Padding, Reshape

_MAX_PADDING = 1 << 16


def max_pool_2d(state: Lowering, op: RawOperator) -> Op:
    return _pool(state, op, MaxPool2D)


def average_pool_2d(state: Lowering, op: RawOperator) -> Op:
    return _pool(state, op, AveragePool2D)


def _pool(state: Lowering, op: RawOperator, kind: type[MaxPool2D] | type[AveragePool2D]) -> Op:
    state.arity(op, 1)
    source, x = state.image(op)
    kernel = pair(state, op, "Pool2DOptions", "FilterHeight", "FilterWidth")
    place = window(state, op, "Pool2DOptions", x, kernel)
    output = state.define(op, (1, *place.size, x.shape[3]))
    state.same_quantization(op, source, output)
    clamp = fused_clamp(state, op, "Pool2DOptions", output)
    return kind((source,), output, kernel, place.stride, place.padding, clamp)


def mean(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2)
    source, x = state.image(op)
    axes = sorted(
        {axis % 4 if -4 <= axis < 4 else axis for axis in state.integers(op, 1).reshape(-1).tolist()}
    )
    if axes != [1, 2]:
        raise UnsupportedModelError(
            f"{op}: only the mean over height and width (axes 1, 2) is supported, got {axes}"
        )
    keep = bool(state.option(op, "ReducerOptions", "KeepDims"))
    output = state.define(op, (1, 1, 1, x.shape[3]) if keep else (1, x.shape[3]))
    lowered = Mean((source,), output, keep)
    parameters = mean_parameters(Graph(tuple(state.tensors), (), source, output), lowered)
    if parameters.multiplier[1] > 0 and (parameters.count * 255) << parameters.multiplier[1] > INT32_MAX:
        raise QuantizationError(f"{op}: input and output scales are too far apart; quantize the model again")
    return lowered


def pad(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2, 3)
    source, x = state.image(op)
    amounts = state.integers(op, 1)
    if amounts.shape != (4, 2) or not 0 <= amounts.min() <= amounts.max() <= _MAX_PADDING:
        raise ModelFormatError(
            f"{op}: paddings of shape {amounts.shape}, expected 4 pairs >= 0; the file is damaged"
        )
    if amounts[0].any() or amounts[3].any():
        raise UnsupportedModelError(f"{op}: only height and width can be padded, got {amounts.tolist()}")
    (top, bottom), (left, right) = amounts[1:3].tolist()
    output = state.define(op, (1, x.shape[1] + top + bottom, x.shape[2] + left + right, x.shape[3]))
    state.same_quantization(op, source, output)
    if len(op.inputs) == 3:
        stored = state.stored(op, 2)
        value = state.values(stored, str(op)).reshape(-1)
        if stored.dtype != "int8" or value.tolist() != [x.quant.zero_point]:
            raise UnsupportedModelError(
                f"{op}: only padding with the real value 0 (int8 {x.quant.zero_point}) is supported"
            )
    return Pad((source,), output, Padding(top, bottom, left, right))


def concatenation(state: Lowering, op: RawOperator) -> Op:
    if not op.inputs or len(op.outputs) != 1:
        raise ModelFormatError(f"{op}: expected inputs and 1 output; the file is damaged")
    sources = tuple(state.activation(op, position) for position in range(len(op.inputs)))
    shapes = [state.tensors[source].shape for source in sources]
    rank = len(shapes[0])
    axis = state.option(op, "ConcatenationOptions", "Axis")
    axis = axis + rank if axis < 0 else axis
    if not 1 <= axis < rank:
        raise UnsupportedModelError(
            f"{op}: cannot join along axis {axis} of {rank} dimensions; the batch is 1"
        )
    if len({(*shape[:axis], 0, *shape[axis + 1 :]) for shape in shapes}) != 1:
        raise ModelFormatError(
            f"{op}: shapes {shapes} cannot be joined along axis {axis}; the file is damaged"
        )
    total = sum(shape[axis] for shape in shapes)
    output = state.define(op, (*shapes[0][:axis], total, *shapes[0][axis + 1 :]))
    state.same_quantization(op, *sources, output)
    if state.option(op, "ConcatenationOptions", "FusedActivationFunction") != 0:
        raise UnsupportedModelError(f"{op}: a fused activation is not supported")
    return Concatenation(sources, output, axis)


def reshape(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 1, 2)
    source = state.activation(op)
    if len(op.inputs) == 2:
        wanted = state.integers(op, 1).reshape(-1).tolist()
    else:
        wanted = list(state.option(op, "ReshapeOptions", "NewShape"))
    size = state.tensors[source].size
    if wanted.count(-1) == 1:
        rest = math.prod(value for value in wanted if value != -1)
        wanted = [size // rest if value == -1 and rest > 0 else value for value in wanted]
    if not 1 <= len(wanted) <= 8 or min(wanted) < 1 or math.prod(wanted) != size:
        raise ModelFormatError(f"{op}: {size} elements cannot take shape {wanted}; the file is damaged")
    output = state.define(op, tuple(wanted))
    state.same_quantization(op, source, output)
    return Reshape((source,), output)
