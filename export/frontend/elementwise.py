"""Lowers ADD, SOFTMAX, RELU, RELU6, RELU_N1_TO_1, LOGISTIC and QUANTIZE between int8 tensors."""

from __future__ import annotations

import math

from export.errors import QuantizationError, UnsupportedModelError
from export.frontend.activation import clamp_bounds, fused_clamp
from export.frontend.flatbuffer import RawOperator
from export.frontend.lowering import Lowering
from export.ir.fixed_point import ADD_LEFT_SHIFT, quantize_multiplier
from export.ir.ops import Add, Logistic, Op, Relu, Requantize, Softmax

# From 512 on the reference kernel stops the process when the classes are about equally likely.
_MAX_CLASSES = 511
_MAX_SHIFT = 22  # (q - zero point) needs 9 bits


def add(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2)
    x, y = state.activation(op, 0), state.activation(op, 1)
    shapes = [state.tensors[i].shape for i in (x, y)]
    if shapes[0] != shapes[1]:
        raise UnsupportedModelError(
            f"{op}: expected two inputs of one shape, got {shapes[0]} and {shapes[1]}"
        )
    output = state.define(op, shapes[0])
    twice_max = 2 * max(state.tensors[i].quant.scale for i in (x, y))
    if twice_max >= (1 << ADD_LEFT_SHIFT) * state.tensors[output].quant.scale:
        raise QuantizationError(f"{op}: input and output scales are too far apart; quantize the model again")
    return Add((x, y), output, fused_clamp(state, op, "AddOptions", output))


def softmax(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 1)
    source = state.activation(op)
    shape = state.tensors[source].shape
    if not 2 <= len(shape) <= 4:
        raise UnsupportedModelError(f"{op}: expected 2 to 4 dimensions, got shape {shape}")
    if shape[-1] > _MAX_CLASSES:
        raise UnsupportedModelError(f"{op}: at most {_MAX_CLASSES} classes are supported, got {shape[-1]}")
    beta = state.option(op, "SoftmaxOptions", "Beta")
    if not (math.isfinite(beta) and beta * state.tensors[source].quant.scale * (1 << 26) > 1):
        raise QuantizationError(
            f"{op}: beta {beta} times the input scale is no positive number of useful size"
        )
    return Softmax((source,), _probability(state, op, shape), beta)


def relu(state: Lowering, op: RawOperator) -> Op:
    source, output = _requantized(state, op)
    return Relu((source,), output, clamp_bounds(state.tensors[output].quant, op.name))


def logistic(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 1)
    source = state.activation(op)
    return Logistic((source,), _probability(state, op, state.tensors[source].shape))


def requantize(state: Lowering, op: RawOperator) -> Op:
    source, output = _requantized(state, op)
    return Requantize((source,), output)


def _requantized(state: Lowering, op: RawOperator) -> tuple[int, int]:
    state.arity(op, 1)
    source = state.activation(op)
    output = state.define(op, state.tensors[source].shape)
    ratio = state.tensors[source].quant.scale / state.tensors[output].quant.scale
    if quantize_multiplier(ratio)[1] > _MAX_SHIFT:
        raise QuantizationError(f"{op}: input and output scales are too far apart; quantize the model again")
    return source, output


def _probability(state: Lowering, op: RawOperator, shape: tuple[int, ...]) -> int:
    output = state.define(op, shape)
    quantization = state.tensors[output].quant
    if (quantization.scale, quantization.zero_point) != (1 / 256, -128):
        raise QuantizationError(
            f"{op}: the output must have scale 1/256 and zero point -128, got {quantization.scale:g} and "
            f"{quantization.zero_point}"
        )
    return output
