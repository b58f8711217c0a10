"""Convolutions, depthwise ones too, against the reference kernels."""

from hypothesis import given
from hypothesis import strategies as st

from tests.export.comparison import assert_interpreter_is_exact
from tests.export.models.networks import ACTIVATIONS
from tests.export.models.strategies import PADDINGS, PAIRS, SIZES, fits, layers


@given(
    layers(),
    SIZES,
    st.integers(1, 9),
    PAIRS,
    PAIRS,
    PAIRS,
    PADDINGS,
    st.sampled_from(ACTIVATIONS),
    st.booleans(),
)
def test_conv_2d(network, size, channels, kernel, stride, dilation, padding, activation, per_channel):
    if 1 not in stride:
        dilation = (1, 1)  # TFLite's converter never combines the two
    if not fits(size, kernel, dilation, padding):
        padding = "SAME"
    x = network.input(size)
    y = network.conv(
        x,
        channels,
        kernel,
        stride=stride,
        dilation=dilation,
        padding=padding,
        activation=activation,
        per_channel=per_channel,
    )
    assert_interpreter_is_exact(network.builder.finish(x, y))


@given(
    layers(),
    SIZES,
    st.integers(1, 3),
    PAIRS,
    PAIRS,
    PADDINGS,
    st.sampled_from(ACTIVATIONS),
    st.booleans(),
    st.booleans(),
)
def test_depthwise_conv_2d(network, size, multiplier, kernel, stride, padding, activation, per_channel, bias):
    if not fits(size, kernel, (1, 1), padding):
        padding = "SAME"
    x = network.input(size)
    y = network.depthwise(
        x,
        multiplier,
        kernel,
        stride=stride,
        padding=padding,
        activation=activation,
        per_channel=per_channel,
        bias=bias,
    )
    assert_interpreter_is_exact(network.builder.finish(x, y))
