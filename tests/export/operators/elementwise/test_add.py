"""Sums against the reference kernels."""

from hypothesis import given
from hypothesis import strategies as st

from tests.export.comparison import assert_interpreter_is_exact
from tests.export.models.networks import ACTIVATIONS
from tests.export.models.strategies import SIZES, layers


@given(layers(), SIZES, st.sampled_from(ACTIVATIONS))
def test_add(network, size, activation):
    x = network.input(size)
    y = network.like(network.input(size), x)
    assert_interpreter_is_exact(network.builder.finish(x, network.add(x, y, activation)))
