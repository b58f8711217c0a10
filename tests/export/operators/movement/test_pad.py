"""Padding against the reference kernels."""

from hypothesis import given
from hypothesis import strategies as st

from tests.export.comparison import assert_interpreter_is_exact
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.strategies import SIZES


@given(SIZES, st.tuples(*[st.integers(0, 4)] * 4), st.integers(-128, 127))
def test_pad(size, amounts, zero_point):
    builder = ModelBuilder()
    x = builder.tensor((1, *size), 0.1, zero_point)
    y = builder.pad(x, (amounts[:2], amounts[2:]))
    assert_interpreter_is_exact(builder.finish(x, y))
