"""Pooling against the reference kernels."""

from hypothesis import given
from hypothesis import strategies as st

from tests.export.comparison import assert_interpreter_is_exact
from tests.export.models.networks import ACTIVATIONS
from tests.export.models.strategies import PADDINGS, PAIRS, SIZES, fits, layers


@given(
    layers(), SIZES, st.sampled_from(["max", "average"]), PAIRS, PAIRS, PADDINGS, st.sampled_from(ACTIVATIONS)
)
def test_pooling(network, size, kind, kernel, stride, padding, activation):
    if not fits(size, kernel, (1, 1), padding):
        padding = "SAME"
    x = network.input(size)
    y = network.pool(x, kind, kernel, stride=stride, padding=padding, activation=activation)
    assert_interpreter_is_exact(network.builder.finish(x, y))
