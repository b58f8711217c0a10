"""SOFTMAX of the reference kernels in integers: gemmlowp's exp on [-32, 0] and its reciprocal.

The exponential depends only on how far an input lies below its row's maximum, 0 to 255 steps, so a table of
256 values holds it exactly. What remains is a sum, one reciprocal and one multiply an element:

    e[i] = exp_table[max(x) - x[i]]                         Q0.31
    total = sum of rounding_shift_right(e[i], 12)           Q12.19
    scale, exponent = reciprocal(total)
    out[i] = min(rounding_shift_right(doubling_high_multiply(scale, e[i]), exponent) - 128, 127)
"""

from __future__ import annotations

import math

import numpy as np

from export.ir.fixed_point import (
    INT32_MAX,
    Ints,
    Multiplier,
    doubling_high_multiply,
    quantize_multiplier,
    rounding_shift_right,
    saturate_int32,
)
from export.ir.graph import Graph
from export.ir.ops import Softmax

INTEGER_BITS = 5
ACCUMULATION_BITS = 12
_FRACTION_BITS = 31 - INTEGER_BITS
_ONE_QUARTER = 1 << (_FRACTION_BITS - 2)
# exp(-2^k) in Q0.31 for k = -2 .. 4: the bits of the argument above a quarter.
_EXP_OF_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_EXP_OF_MINUS_EIGHTH = 1895147668
_ONE_THIRD = 715827883
# Q2.29; the line that Newton's iteration for a reciprocal starts from: 48 / 17 and -32 / 17.
RECIPROCAL_START, RECIPROCAL_SLOPE = 1515870810, -1010580540


def softmax_multiplier(scale: float, beta: float) -> Multiplier:
    """Turns an input difference into Q5.26; always a left shift."""
    return quantize_multiplier(min(beta * scale * (1 << _FRACTION_BITS), float((1 << 31) - 1)))


def _exp_above_minus_quarter(a: Ints) -> Ints:
    """Exp of Q0.31 values in [-1/4, 0): a Taylor polynomial of degree 4 around -1/8."""
    x = a + (1 << 28)
    x2 = doubling_high_multiply(x, x)
    x3 = doubling_high_multiply(x2, x)
    x4 = doubling_high_multiply(x2, x2)
    tail = doubling_high_multiply(rounding_shift_right(x4, 2) + x3, _ONE_THIRD) + x2
    return _EXP_OF_MINUS_EIGHTH + doubling_high_multiply(
        x + rounding_shift_right(tail, 1), _EXP_OF_MINUS_EIGHTH
    )


def exp_on_negative_values(a: Ints) -> Ints:
    """Exp of Q5.26 values in [-32, 0], as Q0.31."""
    below = (a & (_ONE_QUARTER - 1)) - _ONE_QUARTER
    result = _exp_above_minus_quarter(saturate_int32(below << INTEGER_BITS))
    remainder = below - a
    for k, factor in enumerate(_EXP_OF_POWERS, start=-2):
        taken = (remainder >> (_FRACTION_BITS + k)) & 1
        result = np.where(taken == 1, doubling_high_multiply(result, factor), result)
    return np.where(a == 0, INT32_MAX, result)


def exp_table(graph: Graph, op: Softmax) -> tuple[int, ...]:
    """Q0.31 values of exp(-beta * scale * d) for d = 0 .. 255; 0 where it is too small to count."""
    return exponentials(graph.tensors[op.inputs[0]].quant.scale, op.beta)


def exponentials(scale: float, beta: float) -> tuple[int, ...]:
    """What `exp_table` holds of an input of some scale."""
    scaled = scaled_differences(scale, beta)
    counted = np.arange(256) < len(scaled)
    padded = np.zeros(256, np.int64)
    padded[: len(scaled)] = scaled
    return tuple(np.where(counted, exp_on_negative_values(padded), 0).tolist())


def scaled_differences(scale: float, beta: float) -> Ints:
    """Q5.26 values of -beta * scale * d for d = 0 and up to the last one that counts, at most 255."""
    mult, shift = softmax_multiplier(scale, beta)
    farthest = math.floor(((1 << INTEGER_BITS) - 1) * (1 << _FRACTION_BITS) / (1 << shift))
    return doubling_high_multiply(-np.arange(min(farthest, 255) + 1, dtype=np.int64) << shift, mult)


def reciprocal(total: Ints) -> tuple[Ints, Ints]:
    """1 / total of positive Q12.19 values.

    Returns:
        A Q0.31 factor in [1/2, 1] and the right shift that makes its product with a Q0.31 value an 8-bit one.
    """
    headroom = leading_zeros(total)
    factor = reciprocal_above_one((total << headroom) - (1 << 31))
    return factor, ACCUMULATION_BITS - headroom + 31 - 8


def leading_zeros(x: Ints) -> Ints:
    """Of positive values in 32 bits."""
    return 32 - np.frexp(x.astype(np.float64))[1].astype(np.int64)


def reciprocal_above_one(x: Ints) -> Ints:
    """1 / (1 + x) of Q0.31 values in [0, 1]."""
    half = (x + INT32_MAX + 1) >> 1
    x = RECIPROCAL_START + doubling_high_multiply(half, RECIPROCAL_SLOPE)
    for _ in range(3):
        error = (1 << 29) - doubling_high_multiply(half, x)
        x = x + saturate_int32(doubling_high_multiply(x, error) << 2)
    return saturate_int32(x << 1)
