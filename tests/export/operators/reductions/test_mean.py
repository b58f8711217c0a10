"""Means against the reference kernels."""

from hypothesis import given
from hypothesis import strategies as st

from tests.export.comparison import assert_interpreter_is_exact
from tests.export.models.strategies import layers


@given(layers(), st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4)), st.booleans())
def test_mean(network, size, keep_dims):
    x = network.input(size)
    assert_interpreter_is_exact(network.builder.finish(x, network.mean(x, keep_dims)))
