"""Concatenation against the reference kernels."""

from hypothesis import given
from hypothesis import strategies as st

from tests.export.comparison import assert_interpreter_is_exact
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.strategies import SIZES


@given(SIZES, st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(1, 3))
def test_concatenation(size, widths, axis):
    builder = ModelBuilder()
    x = builder.tensor((1, *size), 0.1, 3)
    y = builder.concatenation([x] * len(widths), axis=axis)
    assert_interpreter_is_exact(builder.finish(x, y))
