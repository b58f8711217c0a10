"""Dense layers against the reference kernels."""

from hypothesis import given
from hypothesis import strategies as st

from tests.export.comparison import assert_interpreter_is_exact
from tests.export.models.networks import ACTIVATIONS
from tests.export.models.strategies import SIZES, layers


@given(layers(), SIZES, st.integers(1, 20), st.sampled_from(ACTIVATIONS), st.booleans(), st.booleans())
def test_fully_connected(network, size, units, activation, per_channel, bias):
    x = network.input(size)
    y = network.dense(x, units, activation=activation, per_channel=per_channel, bias=bias)
    assert_interpreter_is_exact(network.builder.finish(x, y))
