"""Sigmoid and tanh of 16-bit fixed-point values, as LSTM's reference kernel computes them.

Values are int16 in int64 arrays. Exponentials are those of gemmlowp's fixedpoint.h: a polynomial below a quarter, a
product of constants above it, and Newton's method for the reciprocal.
"""

from __future__ import annotations

import numpy as np

from export.ir.fixed_point import Ints, rounding_shift_right

_MIN, _MAX = -(1 << 15), (1 << 15) - 1
# exp(-2^k) in Q0.15 for k = -2 .. 4.
EXP_OF_POWERS = tuple(
    (value + (1 << 15)) >> 16
    for value in (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
)
EXP_OF_MINUS_EIGHTH = (1895147668 + (1 << 15)) >> 16
ONE_THIRD = (715827883 + (1 << 15)) >> 16
# In Q2.13.
TWO_POINT_EIGHT = (1515870810 + (1 << 15)) >> 16  # 48 / 17
MINUS_ONE_POINT_NINE = -((1010580540 + (1 << 15)) >> 16)  # -32 / 17


def saturated(x: Ints) -> Ints:
    return np.clip(x, _MIN, _MAX)


def doubling_high(a: Ints, b: Ints | int) -> Ints:
    """Rounded a * b / 2^15, saturated."""
    product = a * np.int64(b)
    total = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return saturated(np.where(total < 0, -((-total) >> 15), total >> 15))


def _shifted_up(x: Ints, bits: int) -> Ints:
    return saturated(x << bits)


def _exp_above_minus_quarter(a: Ints) -> Ints:
    x = a + (1 << 12)
    x2 = doubling_high(x, x)
    x3, x4 = doubling_high(x2, x), doubling_high(x2, x2)
    tail = rounding_shift_right(doubling_high(rounding_shift_right(x4, 2) + x3, ONE_THIRD) + x2, 1)
    return saturated(EXP_OF_MINUS_EIGHTH + doubling_high(x + tail, EXP_OF_MINUS_EIGHTH))


def exp_on_negative_values(a: Ints, integer_bits: int) -> Ints:
    """Exp of values <= 0 with some integer bits, in Q0.15."""
    fraction = 15 - integer_bits
    quarter = 1 << (fraction - 2)
    below = (a & (quarter - 1)) - quarter
    result = _exp_above_minus_quarter(_shifted_up(below, integer_bits))
    remainder = below - a
    for k, factor in enumerate(EXP_OF_POWERS, start=-2):
        if k < integer_bits:
            taken = (remainder >> (fraction + k)) & 1
            result = np.where(taken == 1, doubling_high(result, factor), result)
    if integer_bits > 5:
        result = np.where(a < -(32 << fraction), 0, result)
    return np.where(a == 0, _MAX, result)


def _newton(a: Ints) -> Ints:
    """2 / (1 + a) of a Q0.15 value in [0, 1], in Q2.13."""
    half = _rounding_half_sum(a)
    x = saturated(TWO_POINT_EIGHT + doubling_high(half, MINUS_ONE_POINT_NINE))
    for _ in range(3):
        error = saturated((1 << 13) - doubling_high(half, x))
        x = saturated(x + _shifted_up(doubling_high(x, error), 2))
    return x


def _rounding_half_sum(a: Ints) -> Ints:
    """(a + 1) / 2, ties away from zero."""
    total = a + _MAX
    return (total + np.where(total >= 0, 1, -1)) // 2


def logistic(x: Ints) -> Ints:
    """Sigmoid of Q3.12 values, in Q0.15."""
    positive = _shifted_up(_newton(exp_on_negative_values(np.where(x < 0, x, -x), 3)), 1)
    return np.where(x == 0, 1 << 14, np.where(x > 0, positive, _MAX - positive))


def tanh(x: Ints, integer_bits: int) -> Ints:
    """Tanh of values with some integer bits, in Q0.15."""
    below = np.where(x < 0, x, -x)
    quotient = _newton(exp_on_negative_values(below, integer_bits + 1))
    negated = _shifted_up(saturated(quotient - (1 << 13)), 2)
    return np.where(x == 0, 0, np.where(x < 0, -negated, negated))
