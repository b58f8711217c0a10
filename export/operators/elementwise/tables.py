"""The values of functions of one int8 value, bit for bit those of the reference kernels.

Each function takes the quantization of the input and of the output and returns the outputs of -128 .. 127. Most kernels
fill their tables in single precision; HARD_SWISH and LEAKY_RELU compute in integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from export.ir.fixed_point import Ints, multiply_two_roundings, quantize_multiplier, rounding_shift_right
from export.ir.tensor import Quantization

Table: TypeAlias = tuple[int, ...]
Real: TypeAlias = NDArray[np.float32]
_ALL = np.arange(-128, 128, dtype=np.int64)
_INT16_MIN, _INT16_MAX = -(1 << 15), (1 << 15) - 1


def _clipped(values: Ints, low: int = -128, high: int = 127) -> Table:
    return tuple(np.clip(values, low, high).astype(np.int64).tolist())


def real_table(function: Callable[[Real], Real]) -> Callable[[Quantization, Quantization], Table]:
    """The table of a real function, computed in single precision as the kernels fill theirs.

    Args:
        function: Of float32 values; where a C library computes it, correctly rounded.
    """

    def table(source: Quantization, target: Quantization) -> Table:
        x = np.float32(source.scale) * (_ALL - source.zero_point).astype(np.float32)
        scaled = function(x) * (np.float32(1) / np.float32(target.scale))
        rounded = np.where(
            scaled < 0, -np.floor(-scaled + np.float32(0.5)), np.floor(scaled + np.float32(0.5))
        )
        return _clipped(np.clip(rounded + np.float32(target.zero_point), -1e9, 1e9).astype(np.int64))

    return table


def _in_double(function: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Callable[[Real], Real]:
    """A function of the C library: its double precision value, rounded."""

    def rounded(x: Real) -> Real:
        with np.errstate(over="ignore"):
            return function(x.astype(np.float64)).astype(np.float32)

    return rounded


def _sigmoid(x: Real) -> Real:
    with np.errstate(over="ignore"):
        return np.float32(1) / (np.float32(1) + _in_double(np.exp)(-x))


def _elu(x: Real) -> Real:
    return np.where(x < 0, _in_double(np.expm1)(x), x)


logistic = real_table(_sigmoid)
tanh = real_table(_in_double(np.tanh))
elu = real_table(_elu)
exp = real_table(_in_double(np.exp))


def requantized(source: Quantization, target: Quantization) -> Table:
    """QUANTIZE from int8 to int8."""
    multiplier = quantize_multiplier(source.scale / target.scale)
    return _clipped(multiply_two_roundings(_ALL - source.zero_point, *multiplier) + target.zero_point)


def leaky_relu(alpha: float) -> Callable[[Quantization, Quantization], Table]:
    """LEAKY_RELU of a slope, positive or negative."""

    def table(source: Quantization, target: Quantization) -> Table:
        x = _ALL - source.zero_point
        scale_in, scale_out = np.float32(source.scale), np.float32(target.scale)
        identity = quantize_multiplier(float(scale_in) / float(scale_out))
        slope = float(scale_in) * float(np.float32(abs(alpha))) / float(scale_out)
        negative = multiply_two_roundings(x, *quantize_multiplier(slope)) * (-1 if alpha < 0 else 1)
        positive = multiply_two_roundings(x, *identity)
        return _clipped(np.where(x >= 0, positive, negative) + target.zero_point)

    return table


def hard_swish(source: Quantization, target: Quantization) -> Table:
    """HARD_SWISH in 16-bit fixed point."""
    hires = (_ALL - source.zero_point) * (1 << 7)
    scale_in, scale_out = np.float32(source.scale), np.float32(target.scale)
    hires_scale = np.float32(1 / 128) * scale_in
    factor, exponent = _int16_multiplier(float(hires_scale / scale_out))
    preshift = _doubling_high(hires, factor)
    three_factor, three_exponent = _int16_multiplier(float(hires_scale / np.float32(3 / 32768)))
    gate = hires
    if three_exponent > 0:
        gate = _saturated(gate << (three_exponent - 1))
    gate = _doubling_high(gate, three_factor)
    if three_exponent > 0:
        gate = _saturated(gate << 1)
    if three_exponent < 0:
        gate = rounding_shift_right(gate, -three_exponent)
    gate = (gate + (1 << 15)) >> 1
    product = gate * preshift
    value = np.where(product < 0, -((-product) >> 15), product >> 15)  # truncated, not rounded
    return _clipped(rounding_shift_right(value, -exponent) + target.zero_point)


def _int16_multiplier(real: float) -> tuple[int, int]:
    """A real as an int16 fraction of 2^15 and an exponent."""
    mult, shift = quantize_multiplier(real)
    return min((mult + (1 << 15)) >> 16, _INT16_MAX), shift


def _saturated(x: Ints) -> Ints:
    return np.clip(x, _INT16_MIN, _INT16_MAX)


def _doubling_high(x: Ints, factor: int) -> Ints:
    """Rounded x * factor / 2^15, ties up for positive products and away from zero."""
    product = x * factor
    nudge = np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    total = product + nudge
    return _saturated(np.where(total < 0, -((-total) >> 15), total >> 15))


def hard_swish_fits(source: Quantization, target: Quantization) -> bool:
    """Whether the kernel's last shift is one to the right, as it demands."""
    return (
        _int16_multiplier(float(np.float32(1 / 128) * np.float32(source.scale) / np.float32(target.scale)))[1]
        <= 0
    )


def far_apart(real: float) -> bool:
    """Whether a multiplier would shift (q - zero point), of 9 bits, out of 32."""
    return not math.isfinite(real) or quantize_multiplier(real)[1] > 22
