"""The logarithm of LOG_SOFTMAX against real numbers."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from export.ir.log_softmax import logarithm, reach
from export.ir.softmax import scaled_differences


@given(st.integers(1 << 19, (1 << 31) - 1))
def test_logarithm(raw):
    found = int(logarithm(np.array([raw], np.int64))[0])
    assert math.isclose(found / 2**26, math.log(raw / 2**19), abs_tol=1e-6)


@given(st.floats(1e-4, 10), st.integers(0, 1 << 29))
def test_what_is_reached_has_a_difference_of_32_bits(scale, log):
    steps = int(reach(np.array([log], np.int64), scale)[0])
    scaled = scaled_differences(scale, 1.0)
    assert 0 <= steps <= len(scaled)
    assert steps == 0 or scaled[steps - 1] - log >= -(2**31)
