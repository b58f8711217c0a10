"""Quantizers keep zero at zero, and give values of the int8 grids that conversion uses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_approx.compat import keras, tf
from keras_approx.errors import MaskError, OptionError, UnsupportedLayerError
from keras_approx.layers.quantized_layers import QuantizeActivation, QuantizedWrapper
from keras_approx.layers.quantizers import KernelQuantizer, int8_range, quantize_kernel
from keras_approx.layers.skip_wrapper import SkipWrapper

floats = st.floats(-1e4, 1e4, width=32)


@given(floats, floats)
def test_int8_range_holds_its_values_and_an_exact_zero(a: float, b: float) -> None:
    low, high = int8_range(min(a, b), max(a, b))
    step = (high - low) / 255
    zero_point = -128 - low / step
    assert zero_point == pytest.approx(round(zero_point), abs=1e-6)
    assert -128 <= round(zero_point) <= 127
    assert low <= 0 <= high
    assert low - step / 2 <= min(a, b)
    assert max(a, b) <= high + step / 2


def test_int8_range_of_known_tensors() -> None:
    assert int8_range(0.25, 4.0) == (0, 4)
    assert int8_range(-1, 127 / 128) == (-1, 127 / 128)
    assert int8_range(0, 0) == (0, 1)


@given(st.integers(0, 99), st.floats(0, 1))
def test_kernels(seed: int, kept: float) -> None:
    rng = np.random.default_rng(seed)
    kernel = (rng.normal(size=(3, 2, 5, 4)) * 10.0 ** rng.integers(-3, 3, 4)).astype(np.float32)
    mask = rng.random(kernel.shape) < kept
    masked = np.where(mask, kernel, np.float32(0))
    for axes in ((3,), (2, 3)):
        numbers, peaks = quantize_kernel(masked, axes)
        quantized = numbers * (peaks / np.float32(127))
        assert np.array_equal(quantized, KernelQuantizer(axes)(tf.constant(masked), None, {}))
        assert np.all(quantized[~mask] == 0)
        others = tuple(axis for axis in range(4) if axis not in axes)
        scale = np.abs(masked).max(axis=others, keepdims=True) / 127
        assert np.all(np.abs(quantized - masked) <= scale * 0.5001)
        integers = quantized / np.where(scale == 0, 1, scale)
        np.testing.assert_allclose(integers, np.round(integers), atol=1e-4)


def test_gradients_pass_straight_through() -> None:
    kernel = tf.Variable(np.random.default_rng(0).normal(size=(3, 3, 2, 4)).astype(np.float32))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(KernelQuantizer((3,))(kernel, None, {}) * 2)
    assert np.array_equal(tape.gradient(loss, kernel), np.full(kernel.shape, 2))


def test_activations_are_untouched_without_a_range_and_shared_with_one() -> None:
    layer = QuantizeActivation()
    x = tf.constant([-3.0, -0.3, 0.0, 0.4, 9.0])
    assert np.array_equal(layer(x), x)
    layer.set_range(0, 2.55)
    np.testing.assert_allclose(layer(x), [0, 0, 0, 0.4, 2.55], atol=1e-6)
    assert layer.get_range() == pytest.approx((0, 2.55))
    with pytest.raises(OptionError, match="min < max"):
        QuantizeActivation(fixed_range=(1, 0))


def test_layers_that_cannot_be_wrapped() -> None:
    with pytest.raises(UnsupportedLayerError, match="expects a Conv2D, DepthwiseConv2D or Dense layer"):
        QuantizedWrapper(keras.layers.Flatten())
    with pytest.raises(UnsupportedLayerError, match="has an activation"):
        SkipWrapper(keras.layers.Dense(2, activation="relu"))
    with pytest.raises(UnsupportedLayerError, match="cannot be skipped"):
        SkipWrapper(keras.layers.DepthwiseConv2D(3))


def test_masks_that_do_not_fit() -> None:
    layer = SkipWrapper(keras.layers.Dense(2, name="dense"))
    layer.build((None, 3))
    with pytest.raises(MaskError, match=r"bool of shape \(3, 2\), got bool of shape \(2, 3\)"):
        layer.set_mask(np.ones((2, 3), bool))
    with pytest.raises(MaskError, match="got float64"):
        layer.set_mask(np.ones((3, 2)))
