"""Every operator alone, at odd sizes and extreme scales, against the reference kernels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.export.comparison import assert_interpreter_is_exact
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.networks import ACTIVATIONS, Layers, single_op_models

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 6))
PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))
CONTRAST = st.sampled_from([1e-9, 1e-3, 0.3, 1.0, 3.0, 100.0, 1e5])  # from all-zero to saturated outputs
SEEDS = st.integers(0, 2**32)
PADDINGS = st.sampled_from(["SAME", "VALID"])


@pytest.mark.parametrize(("name", "model"), single_op_models().items(), ids=single_op_models())
def test_operator(name, model):
    outputs = assert_interpreter_is_exact(model)
    assert len(np.unique(outputs)) > 2  # a constant output would prove little


@st.composite
def layers(draw):
    return Layers(
        np.random.default_rng(draw(SEEDS)), zeros=draw(st.sampled_from([0.0, 0.8])), contrast=draw(CONTRAST)
    )


def fits(size, kernel, dilation, padding):
    return padding == "SAME" or all(
        (k - 1) * d + 1 <= s for s, k, d in zip(size, kernel, dilation, strict=False)
    )


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


@given(layers(), SIZES, st.integers(1, 20), st.sampled_from(ACTIVATIONS), st.booleans(), st.booleans())
def test_fully_connected(network, size, units, activation, per_channel, bias):
    x = network.input(size)
    y = network.dense(x, units, activation=activation, per_channel=per_channel, bias=bias)
    assert_interpreter_is_exact(network.builder.finish(x, y))


@given(
    layers(), SIZES, st.sampled_from(["max", "average"]), PAIRS, PAIRS, PADDINGS, st.sampled_from(ACTIVATIONS)
)
def test_pooling(network, size, kind, kernel, stride, padding, activation):
    if not fits(size, kernel, (1, 1), padding):
        padding = "SAME"
    x = network.input(size)
    y = network.pool(x, kind, kernel, stride=stride, padding=padding, activation=activation)
    assert_interpreter_is_exact(network.builder.finish(x, y))


@given(layers(), st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4)), st.booleans())
def test_mean(network, size, keep_dims):
    x = network.input(size)
    assert_interpreter_is_exact(network.builder.finish(x, network.mean(x, keep_dims)))


@given(layers(), SIZES, st.sampled_from(ACTIVATIONS))
def test_add(network, size, activation):
    x = network.input(size)
    y = network.like(network.input(size), x)
    assert_interpreter_is_exact(network.builder.finish(x, network.add(x, y, activation)))


@given(layers(), st.sampled_from(["RELU", "RELU6", "RELU_N1_TO_1", "LOGISTIC", "QUANTIZE"]))
def test_elementwise_over_all_values(network, name):
    x = network.input((256,))
    model = network.builder.finish(x, network.elementwise(x, name))
    assert_interpreter_is_exact(model, np.arange(-128, 128).astype(np.int8)[None])


@given(st.integers(1, 511), st.floats(-4, 2), st.sampled_from([0.5, 1.0, 2.0]), st.integers(-128, 127), SEEDS)
def test_softmax(classes, magnitude, beta, zero_point, seed):
    builder = ModelBuilder()
    x = builder.tensor((1, classes), 10**magnitude, zero_point)
    model = builder.finish(x, builder.softmax(x, beta))
    rng = np.random.default_rng(seed)
    spread = rng.integers(1, 128, (16, 1))
    inputs = np.clip(rng.normal(0, spread, (16, classes)), -128, 127).astype(np.int8)
    assert_interpreter_is_exact(model, np.concatenate([inputs, np.full((1, classes), 127, np.int8)]))


@given(SIZES, st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(1, 3))
def test_concatenation(size, widths, axis):
    builder = ModelBuilder()
    x = builder.tensor((1, *size), 0.1, 3)
    y = builder.concatenation([x] * len(widths), axis=axis)
    assert_interpreter_is_exact(builder.finish(x, y))


@given(SIZES, st.tuples(*[st.integers(0, 4)] * 4), st.integers(-128, 127))
def test_pad(size, amounts, zero_point):
    builder = ModelBuilder()
    x = builder.tensor((1, *size), 0.1, zero_point)
    y = builder.pad(x, (amounts[:2], amounts[2:]))
    assert_interpreter_is_exact(builder.finish(x, y))
