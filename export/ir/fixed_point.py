"""Integer arithmetic of TFLite's reference kernels, and the multipliers they derive from scales.

The one place where a real scale becomes a multiplier and a shift: the interpreter, the passes and the code
generator all take their numbers from here. A multiplier is a pair (mult, shift) with mult in [2^30, 2^31) (or
0) that stands for mult * 2^(shift - 31); a positive shift is to the left. Arrays hold int32 values in int64,
so that no step overflows unseen. Checked against TensorFlow 2.21 (`OpResolverType.BUILTIN_REF`); the
primitives are those of gemmlowp's fixedpoint.h.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from export.errors import QuantizationError
from export.ir.graph import Graph
from export.ir.ops import Add, Conv2D, DepthwiseConv2D, FullyConnected, Mean, Relu
from export.ir.tensor import Quantization

Ints: TypeAlias = NDArray[np.int64]
Multiplier: TypeAlias = tuple[int, int]

ADD_LEFT_SHIFT = 20
INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1


def quantize_multiplier(real: float) -> Multiplier:
    """The closest (mult, shift) to a positive real; (0, 0) where every result would round to zero.

    Raises:
        QuantizationError: The real is infinite or no number, as ratios of extreme scales are.
    """
    if not math.isfinite(real):
        raise QuantizationError(
            f"expected scales whose ratio is a finite number, got {real}; quantize the model again"
        )
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    mult = math.floor(fraction * (1 << 31) + 0.5)
    if mult == 1 << 31:
        mult, shift = mult >> 1, shift + 1
    return (mult, shift) if shift >= -31 else (0, 0)


def fits_shifted(most: Ints, shifts: Ints) -> bool:
    """Whether accumulators stay in 32 bits where multipliers shift them to the left first.

    Args:
        most: The largest magnitude of each channel, int64.
        shifts: Of each channel's multiplier, to the left where positive.
    """
    left = np.maximum(shifts, 0)
    return bool((left < 31).all() and (most >> (31 - left) == 0).all())


def saturate_int32(x: Ints) -> Ints:
    return np.clip(x, INT32_MIN, INT32_MAX)


def doubling_high_multiply(a: Ints, b: Ints | int) -> Ints:
    """Rounded a * b / 2^31, ties up, saturated (gemmlowp's SaturatingRoundingDoublingHighMul)."""
    return np.minimum((a * np.int64(b) + (1 << 30)) >> 31, INT32_MAX)


def rounding_shift_right(x: Ints, exponent: Ints | int) -> Ints:
    """Rounded x / 2^exponent, ties away from zero (gemmlowp's RoundingDivideByPOT)."""
    mask = (np.int64(1) << np.int64(exponent)) - 1
    threshold = (mask >> 1) + (x < 0)
    return (x >> np.int64(exponent)) + ((x & mask) > threshold)


def multiply_two_roundings(x: Ints, mult: Ints | int, shift: Ints | int) -> Ints:
    """Scales x by mult * 2^(shift - 31), rounded after the multiply and again after the shift.

    What every kernel but FULLY_CONNECTED does. A left shift acts first; its result must fit in 32 bits.
    """
    left, right = np.maximum(shift, 0), np.maximum(np.negative(shift), 0)
    return rounding_shift_right(doubling_high_multiply(x << left, mult), right)


def multiply_one_rounding(x: Ints, mult: Ints | int, shift: Ints | int) -> Ints:
    """Scales x by mult * 2^(shift - 31), rounded once, ties up: FULLY_CONNECTED's requantization.

    The result must fit in 32 bits.
    """
    total = np.int64(31) - np.asarray(shift, np.int64)
    return (x * np.int64(mult) + (np.int64(1) << (total - 1))) >> total


def conv_multipliers(graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected) -> tuple[Multiplier, ...]:
    """One multiplier per output channel: input scale * weight scale / output scale, in double precision.

    For Conv2D and DepthwiseConv2D to be used with `multiply_two_roundings`, for FullyConnected with
    `multiply_one_rounding`. Per-tensor weights give the same multiplier for each channel.
    """
    weights = graph.tensors[op.weights]
    channels = weights.shape[3] if isinstance(op, DepthwiseConv2D) else weights.shape[0]
    scale_in, scale_out = graph.tensors[op.inputs[0]].quant.scale, graph.tensors[op.output].quant.scale
    multipliers = _multipliers(scale_in, weights.quant.scales, scale_out)
    return multipliers * channels if len(multipliers) == 1 else multipliers


@lru_cache(maxsize=256)
def _multipliers(scale_in: float, scales: tuple[float, ...], scale_out: float) -> tuple[Multiplier, ...]:
    return tuple(quantize_multiplier(scale_in * scale / scale_out) for scale in scales)


@dataclass(frozen=True)
class AddParameters:
    """Numbers of an ADD.

    out = clamp(zp_out + M(M((a - zp_a) << 20, input1) + M((b - zp_b) << 20, input2), output)) where M is
    `multiply_two_roundings`; all shifts are <= 0.
    """

    input1: Multiplier
    input2: Multiplier
    output: Multiplier
    left_shift: int = ADD_LEFT_SHIFT


def add_parameters(graph: Graph, op: Add) -> AddParameters:
    first, second, out = (graph.tensors[tensor].quant for tensor in (*op.inputs, op.output))
    return sum_parameters(first, second, out)


def sum_parameters(first: Quantization, second: Quantization, out: Quantization) -> AddParameters:
    """The numbers of a sum or a difference."""
    twice_max = 2.0 * max(first.scale, second.scale)
    return AddParameters(
        quantize_multiplier(first.scale / twice_max),
        quantize_multiplier(second.scale / twice_max),
        quantize_multiplier(twice_max / ((1 << ADD_LEFT_SHIFT) * out.scale)),
    )


@dataclass(frozen=True)
class MeanParameters:
    """Numbers of a MEAN.

    out = clamp8(zp_out + M(sum - count * zp_in, multiplier)) where M is `multiply_two_roundings`.

    Attributes:
        count: Elements that are averaged.
        multiplier: Holds the division by `count`; its mult may lie below 2^30.
    """

    count: int
    multiplier: Multiplier


def mean_parameters(graph: Graph, op: Mean) -> MeanParameters:
    x = graph.tensors[op.inputs[0]]
    return reduction_parameters(x.shape[1] * x.shape[2], x.quant, graph.tensors[op.output].quant)


def reduction_parameters(count: int, x: Quantization, out: Quantization) -> MeanParameters:
    """The numbers of a mean over any axes."""
    mult, shift = quantize_multiplier(x.scale / out.scale)
    up = min(count.bit_length() - 1, 32, 31 + shift)
    return MeanParameters(count, ((mult << up) // count, shift - up))


def relu_multiplier(graph: Graph, op: Relu) -> Multiplier:
    """Input scale / output scale in single precision, for `multiply_two_roundings`."""
    scale_in, scale_out = graph.tensors[op.inputs[0]].quant.scale, graph.tensors[op.output].quant.scale
    return quantize_multiplier(float(np.float32(scale_in) / np.float32(scale_out)))


def rounded_mean(total: Ints, count: Ints | int) -> Ints:
    """Total / count to the nearest integer, ties away from zero: AVERAGE_POOL_2D's division."""
    magnitude = (np.abs(total) + np.int64(count) // 2) // np.int64(count)
    return np.where(total < 0, -magnitude, magnitude)
