from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.ir.fixed_point import multiply_two_roundings, sum_parameters
from export.ir.tensor import Quantization
from export.kernels.elementwise.addition import sum_numbers

VALUES = np.arange(-128, 128, dtype=np.int64)


def _tensor(scale: float, zero_point: int) -> Quantization:
    return Quantization((float(np.float32(scale)),), (zero_point,))


_SCALES = st.floats(-3, 1).map(lambda exponent: 10.0**exponent)
_ZERO_POINTS = st.one_of(st.integers(-128, 127), st.sampled_from((-128, 0, 127)))
_TENSORS = st.builds(_tensor, _SCALES, _ZERO_POINTS)


def _reference(
    first: Quantization, second: Quantization, out: Quantization, clamp: tuple[int, int], sign: int
) -> np.ndarray:
    """TFLite's ADD and SUB for every pair of operands."""
    numbers = sum_parameters(first, second, out)
    one = multiply_two_roundings((VALUES - first.zero_point) << numbers.left_shift, *numbers.input1)
    other = multiply_two_roundings((VALUES - second.zero_point) << numbers.left_shift, *numbers.input2)
    total = multiply_two_roundings(one[:, None] + sign * other[None], *numbers.output)
    return np.clip(total + out.zero_point, *clamp)


@given(_TENSORS, _TENSORS, _TENSORS, st.booleans(), st.sampled_from((1, -1)), st.integers(0, 1))
def test_every_pair_of_operands_gives_the_reference_output_in_32_bits(
    first: Quantization, second: Quantization, out: Quantization, relu: bool, sign: int, linear: int
) -> None:
    clamp = (max(-128, out.zero_point), 127) if relu else (-128, 127)

    numbers = sum_numbers(first, second, out, clamp, linear=linear, sign=sign)

    assert numbers is not None
    products, table = numbers.rate * VALUES, np.array(numbers.table)
    sums = products[:, None] + table[None] if linear == 0 else products[None] + table[:, None]
    assert max(abs(numbers.rate), np.abs(products).max(), np.abs(table).max(), np.abs(sums).max()) < 1 << 31
    saturated = np.clip(sums >> numbers.shift, -128, 127)
    low = -128 if numbers.low is None else numbers.low
    high = 127 if numbers.high is None else numbers.high
    assert np.array_equal(np.clip(saturated, low, high), _reference(first, second, out, clamp, sign))


def test_there_are_no_numbers_for_outputs_far_finer_than_the_operands() -> None:
    """One step of the operand would be more output steps than 32 bits hold."""
    assert sum_numbers(_tensor(1, 0), _tensor(1, 0), _tensor(2**-27, 0), (-128, 127), linear=0) is None


@pytest.mark.parametrize("linear", (0, 1))
def test_a_constant_clamp_gives_its_value(linear: int) -> None:
    numbers = sum_numbers(_tensor(1, 3), _tensor(0.5, -3), _tensor(1, 127), (127, 127), linear=linear)

    assert numbers is not None
    assert numbers.low == 127
