"""The arithmetic primitives against their definitions in exact rational numbers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from export.ir.fixed_point import (
    doubling_high_multiply,
    multiply_one_rounding,
    multiply_two_roundings,
    quantize_multiplier,
    rounded_mean,
    rounding_shift_right,
)

INT32 = st.integers(-(2**31), 2**31 - 1)
MULTIPLIERS = st.integers(2**30, 2**31 - 1)


def nearest_away(value: Fraction) -> int:
    """To the nearest integer, ties away from zero."""
    magnitude = int(abs(value) + Fraction(1, 2))
    return magnitude if value >= 0 else -magnitude


def one(x: int) -> np.ndarray:
    return np.array([x], np.int64)


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (0.5, (1 << 30, 0)),
        (1.0, (1 << 30, 1)),
        (0.75, (3 << 29, 0)),
        (3.0, (3 << 29, 2)),
        (0.1, (1717986918, -3)),
        (1 - 2.0**-40, (1 << 30, 1)),  # the fraction rounds up to one
        (2.0**-32, (1 << 30, -31)),
        (2.0**-33, (0, 0)),  # every result would round to zero
        (0.0, (0, 0)),
    ],
)
def test_quantize_multiplier_goldens(real, expected):
    assert quantize_multiplier(real) == expected


@given(st.floats(2.0**-31, 2.0**20))
def test_quantize_multiplier_is_the_closest_31_bit_fraction(real):
    mult, shift = quantize_multiplier(real)
    assert 2**30 <= mult < 2**31
    error = abs(Fraction(mult) * Fraction(2) ** (shift - 31) - Fraction(real))
    assert error <= Fraction(2) ** (shift - 32)


@given(INT32, INT32)
@example(-(2**31), -(2**31))  # the one product that saturates
def test_doubling_high_multiply(a, b):
    nearest_up = (Fraction(a * b, 2**31) + Fraction(1, 2)).__floor__()
    assert doubling_high_multiply(one(a), b)[0] == min(nearest_up, 2**31 - 1)


@given(INT32, st.integers(0, 31))
def test_rounding_shift_right(x, exponent):
    assert rounding_shift_right(one(x), exponent)[0] == nearest_away(Fraction(x, 2**exponent))


@given(st.integers(-(2**24), 2**24), MULTIPLIERS, st.integers(-31, 7))
def test_two_roundings_shift_left_first_and_right_last(x, mult, shift):
    high = doubling_high_multiply(one(x << max(shift, 0)), mult)
    assert multiply_two_roundings(one(x), mult, shift) == rounding_shift_right(high, max(-shift, 0))


@given(st.integers(-(2**24), 2**24), MULTIPLIERS, st.integers(-31, 6))
def test_one_rounding_is_the_nearest_with_ties_up(x, mult, shift):
    exact = Fraction(x * mult) * Fraction(2) ** (shift - 31)
    assert multiply_one_rounding(one(x), mult, shift)[0] == (exact + Fraction(1, 2)).__floor__()


def test_the_two_ways_of_rounding_differ():
    quarter = (1 << 30, -1)
    assert (
        multiply_two_roundings(one(5), *quarter)[0] == 2
    )  # of 1.25: first 2.5 becomes 3, then 1.5 becomes 2
    assert multiply_one_rounding(one(5), *quarter)[0] == 1


@given(st.integers(-(2**20), 2**20), st.integers(1, 4096))
def test_rounded_mean(total, count):
    expected = (abs(total) + count // 2) // count * (1 if total >= 0 else -1)
    assert rounded_mean(one(total), count)[0] == expected


@given(st.lists(st.tuples(INT32, MULTIPLIERS, st.integers(-31, 0)), min_size=1, max_size=8))
def test_arrays_are_treated_element_by_element(rows):
    x, mult, shift = np.array(rows, np.int64).T
    together = multiply_two_roundings(x, mult, shift)
    assert together.tolist() == [int(multiply_two_roundings(one(a), m, s)[0]) for a, m, s in rows]
