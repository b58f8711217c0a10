"""LOG_SOFTMAX of the reference kernels in integers: the exponentials of `ir.softmax`, and the logarithm of their sum.

    total = sum of rounding_shift_right(exponential of max(x) - x[i], 12)           Q12.19
    log = logarithm(total)                                                          Q5.26
    out[i] = clip(rounding_shift_right(scaled difference of x[i] - log, 22) + 127)

An element that lies so far below its row's maximum that its difference less the logarithm would leave 32 bits is -128.
"""

from __future__ import annotations

import numpy as np

from export.ir.fixed_point import (
    INT32_MIN,
    Ints,
    Multiplier,
    doubling_high_multiply,
    quantize_multiplier,
    rounding_shift_right,
    saturate_int32,
)
from export.ir.softmax import (
    ACCUMULATION_BITS,
    leading_zeros,
    reciprocal_above_one,
    scaled_differences,
    softmax_multiplier,
)

OUTPUT_SHIFT = 22  # from Q5.26 to sixteenths
LOG_2 = 1488522236
SQRT_HALF = 1518500250
FOURTH_ROOT_OF_HALF = 1805811301
# Of a rational function that is ln(x) between sqrt(1/2) and sqrt(2) but for its factor, with f = 2^(1/4).
CUBIC = 117049297  # 11 / 240 f
SQUARE = 127690142  # f / 20
CONSTANT = 1057819769  # 2 / f - f
LINEAR = 638450708  # f / 4
POWER_SHIFT = 25  # of a power of two in Q6.25
QUARTER = 1 << (POWER_SHIFT - 2)


def logarithm(total: Ints) -> Ints:
    """Natural logarithms of Q12.19 values from 1 on, as Q5.26.

    The value is r * 2^k, with r around 1 and k a multiple of a half less a quarter: of the two ways to choose them, the
    one with the smaller r.
    """
    spare = leading_zeros(total) - 1
    r = saturate_int32(doubling_high_multiply(total << spare, SQRT_HALF) << 1)
    k = ((ACCUMULATION_BITS - 1 - spare) << POWER_SHIFT) + QUARTER
    spare = leading_zeros(doubling_high_multiply(total, SQRT_HALF)) - 1
    r = np.minimum(r, saturate_int32(total << spare))
    k = np.maximum(k, ((ACCUMULATION_BITS - spare) << POWER_SHIFT) - QUARTER)
    p = (r + FOURTH_ROOT_OF_HALF + 1) >> 1
    q = (r - FOURTH_ROOT_OF_HALF) << 1
    square = doubling_high_multiply(q, q)
    cube = doubling_high_multiply(q, square)
    above = doubling_high_multiply(q, r) + doubling_high_multiply(cube, CUBIC)
    below = CONSTANT + q + doubling_high_multiply(square, SQUARE)
    below = doubling_high_multiply(p, below) + doubling_high_multiply(q, LINEAR)
    ratio = doubling_high_multiply(rounding_shift_right(above, 6), reciprocal_above_one(below))
    return saturate_int32((doubling_high_multiply(k, LOG_2) + ratio) << 1)


def reverse_multiplier(scale: float) -> Multiplier:
    """Turns a Q5.26 value into input steps; never a left shift."""
    mult, shift = softmax_multiplier(scale, 1.0)
    return quantize_multiplier((1 << (31 - shift)) / mult)


def reach(log: Ints, scale: float) -> Ints:
    """How far below its row's maximum an element is -128: from so many input steps on.

    Args:
        log: Of the row's sum, Q5.26.
        scale: Of the input.
    """
    mult, shift = reverse_multiplier(scale)
    steps = -rounding_shift_right(doubling_high_multiply(log + INT32_MIN, mult), -shift)
    return np.minimum(steps, len(scaled_differences(scale, 1.0)))
