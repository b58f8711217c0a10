"""Statistics equal those computed by hand, from any kind of data, and bad data is refused before anything changes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx.compat import keras, tf
from keras_approx.errors import CalibrationError, NotCalibratedError, NotWrappedError, OptionError
from keras_approx.layers.quantized_layers import QuantizeActivation
from keras_approx.layers.skip_wrapper import skip_wrappers
from keras_approx.skipping.significance import RELATIVE_FLOOR
from tests.keras_approx import models

layers = keras.layers


def _patches(x: np.ndarray, layer: Any) -> np.ndarray:
    """What each kernel position and input channel sees, [samples * positions, kernel inputs]."""
    if isinstance(layer, layers.Dense):
        return x
    (height, width), strides, dilations = layer.kernel_size, layer.strides, layer.dilation_rate
    if layer.padding == "same":
        padding = [(0, 0)]
        for size, kernel, stride, dilation in zip(
            x.shape[1:3], layer.kernel_size, strides, dilations, strict=True
        ):
            total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
            padding.append((total // 2, total - total // 2))
        x = np.pad(x, [*padding, (0, 0)])
    rows, columns = (
        (x.shape[axis + 1] - (layer.kernel_size[axis] - 1) * dilations[axis] - 1) // strides[axis] + 1
        for axis in (0, 1)
    )
    seen = [
        x[
            :,
            ky * dilations[0] : ky * dilations[0] + (rows - 1) * strides[0] + 1 : strides[0],
            kx * dilations[1] : kx * dilations[1] + (columns - 1) * strides[1] + 1 : strides[1],
        ]
        for ky, kx in itertools.product(range(height), range(width))
    ]
    return np.stack(seen, axis=3).reshape(-1, height * width * x.shape[-1])


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.Conv2D(4, 3, name="layer"),
        lambda: layers.Conv2D(4, (3, 2), strides=(2, 2), padding="same", name="layer"),
        lambda: layers.Conv2D(2, (2, 3), strides=(1, 2), name="layer"),
        lambda: layers.Conv2D(3, 3, dilation_rate=2, padding="same", name="layer"),
        lambda: layers.Dense(5, name="layer"),
    ],
)
def test_statistics(layer: Any) -> None:
    layer = layer()
    image = keras.Input((6,) if isinstance(layer, layers.Dense) else (7, 8, 3))
    model = models.randomize(keras.Model(image, layer(image)))
    wrapped = keras_approx.wrap(model)
    x = models.inputs(model, 10)
    keras_approx.calibrate(wrapped, x, batch_size=4, verbose=False)
    found = wrapped.get_layer("layer").get_statistics()

    a = _patches(x, layer).astype(np.float64)
    kernel = layer.kernel.numpy().astype(np.float64)
    flat = kernel.reshape(-1, kernel.shape[-1])
    sums = np.maximum(np.abs(a @ flat), RELATIVE_FLOOR * (np.abs(a) @ np.abs(flat)))
    assert found.mean.shape == kernel.shape[:-1]
    np.testing.assert_allclose(found.mean.ravel(), a.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.mean_square.ravel(), (a**2).mean(0), rtol=1e-4)
    relative = (np.abs(a).T @ (1 / sums)) / len(a)
    np.testing.assert_allclose(found.relative.reshape(relative.shape), relative, rtol=1e-3)


def test_gradients() -> None:
    """Against those that training takes, of weights that are skipped as if they were used as 0."""
    wrapped = keras_approx.wrap(models.small(softmax=False), skipped_gradient="straight_through")
    x, y = models.inputs(wrapped, 10), models.labels(10)
    keras_approx.calibrate(wrapped, x, verbose=False)
    assert all(layer.get_statistics().gradient is None for layer in skip_wrappers(wrapped))
    keras_approx.set_masks(wrapped, models.random_masks(wrapped))
    wrapped.get_layer("first").trainable = False
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    batches = [(x[:6], y[:6]), (x[6:], y[6:])]
    kernels = [layer.kernel for layer in skip_wrappers(wrapped)]
    expected = [0.0, 0.0, 0.0]
    for inputs, targets in batches:
        with tf.GradientTape() as tape:
            tape.watch(kernels)
            value = loss(targets, wrapped(inputs, training=False))
        gradients = tape.gradient(value, kernels)
        expected = [
            total + len(inputs) / 10 * np.abs(gradient)
            for total, gradient in zip(expected, gradients, strict=True)
        ]
    keras_approx.calibrate(wrapped, batches, loss=loss, verbose=False)
    gradient: Any
    for layer, gradient in zip(skip_wrappers(wrapped), expected, strict=True):
        measured = layer.get_statistics().gradient
        assert gradient[~layer.get_mask()].max() > 0
        np.testing.assert_allclose(measured, gradient, rtol=1e-3, atol=1e-6)
    keras_approx.calibrate(wrapped, x, verbose=False)
    assert all(layer.get_statistics().gradient is None for layer in skip_wrappers(wrapped))


def test_gradients_of_several_inputs_count_the_samples() -> None:
    """Two inputs of unlike shapes, two batches of unlike sizes: the mean over all samples."""
    image, facts = keras.Input((4, 4, 2)), keras.Input((3,))
    x = keras.layers.Flatten()(keras.layers.Conv2D(3, 3, name="first")(image))
    x = keras.layers.Concatenate()([x, keras.layers.Dense(2, name="second")(facts)])
    network = keras.Model([image, facts], keras.layers.Dense(2, name="third")(x))
    rng = np.random.default_rng(0)
    x, y = (
        tuple(rng.normal(size=(6, *shape)).astype(np.float32) for shape in ((4, 4, 2), (3,))),
        np.ones((6, 2)),
    )
    found = []
    for batches in ([(x, y)], [(tuple(one[:3] for one in x), y[:3]), (tuple(one[3:] for one in x), y[3:])]):
        wrapped = keras_approx.wrap(network)
        keras_approx.calibrate(wrapped, batches, loss="mse", verbose=False)
        found.append([layer.get_statistics().gradient for layer in skip_wrappers(wrapped)])
    wrapped = keras_approx.wrap(network)
    with tf.GradientTape() as tape:
        kernels = [layer.kernel for layer in skip_wrappers(wrapped)]
        value = tf.reduce_mean(keras.losses.get("mse")(y, wrapped(x)))
    for one, gradient in zip(found[0], tape.gradient(value, kernels), strict=True):
        np.testing.assert_allclose(one, np.abs(gradient), rtol=1e-3, atol=1e-6)
    assert all(
        (two >= one - 1e-6).all() for one, two in zip(*found, strict=True)
    )  # of each batch the magnitude


def _state(model: Any) -> list[np.ndarray]:
    return [weight.copy() for weight in model.get_weights()]


def _same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_every_kind_of_data_gives_the_same() -> None:
    model = models.small()
    x, y = models.inputs(model, 20), models.labels(20)

    def generator() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, 20, 8):
            yield x[start : start + 8], y[start : start + 8]

    sources = [
        x,
        tf.constant(x),
        tf.data.Dataset.from_tensor_slices(x).batch(8),
        tf.data.Dataset.from_tensor_slices((x, y)).batch(8),
        tf.data.Dataset.from_tensor_slices((x, y, np.ones(20))).batch(8),
        generator(),
        [x[:8], x[8:16], x[16:]],
    ]
    states = []
    for source in sources:
        wrapped = keras_approx.wrap(model)
        keras_approx.calibrate(wrapped, source, batch_size=8, verbose=False)
        states.append(_state(wrapped))
    assert all(_same(states[0], state) for state in states)


def test_integers_are_taken_as_numbers() -> None:
    wrapped = keras_approx.wrap(models.small())
    x = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), dtype=np.uint8)
    keras_approx.calibrate(wrapped, x, verbose=False)
    assert wrapped.layers[1].get_range() == (0, 255)


def test_ranges_hold_zero_and_all_that_was_seen() -> None:
    model = models.every_layer()
    wrapped = keras_approx.wrap(model)
    x = models.inputs(model)
    quantizers = [layer for layer in wrapped.layers if isinstance(layer, QuantizeActivation)]
    assert all(layer.get_range() is None for layer in quantizers)
    seen = {
        layer.name: [
            keras.Model(wrapped.inputs, layer.get_input_at(node))(x).numpy()
            for node in range(len(layer._inbound_nodes))
        ]
        for layer in quantizers
    }
    keras_approx.calibrate(wrapped, x, verbose=False)
    for layer in quantizers:
        limits = layer.get_range()
        assert limits is not None
        low, high = limits
        step = (high - low) / 255
        zero_point = -128 - low / step
        assert zero_point == pytest.approx(round(zero_point), abs=1e-3)
        if layer.fixed_range is None:
            values = np.concatenate([tensor.ravel() for tensor in seen[layer.name]])
            assert low - step / 2 <= values.min()
            assert values.max() <= high + step / 2
            assert high - low <= max(values.max(), 0) - min(values.min(), 0) + step
        else:
            assert (low, high) == (0, 255 / 256)
    relu = wrapped.get_layer("conv2d_relu_range") if "conv2d_relu_range" in seen else None
    assert relu is None or relu.get_range()[0] == 0


def test_given_input_range() -> None:
    wrapped = keras_approx.wrap(models.small(), input_range=(-1, 127 / 128))
    x = np.clip(models.inputs(wrapped), -0.9, 0.9)
    keras_approx.calibrate(wrapped, x, verbose=False)
    assert wrapped.layers[1].get_range() == (-1, 127 / 128)
    with pytest.raises(CalibrationError, match="outside the input_range"):
        keras_approx.calibrate(wrapped, 2 * x, verbose=False)
    with pytest.raises(CalibrationError, match="they look like pixels from 0 to 255 that were not scaled"):
        keras_approx.calibrate(wrapped, np.full_like(x, 200).astype(np.uint8), verbose=False)
    with pytest.raises(OptionError, match="the smallest and the largest value"):
        keras_approx.wrap(models.small(), input_range=(1, -1))


def test_calibration_switches_quantization_on_and_is_repeatable() -> None:
    model = models.small()
    wrapped = keras_approx.wrap(model)
    x = models.inputs(model)
    with pytest.raises(NotCalibratedError, match="calibrate"):
        skip_wrappers(wrapped)[0].get_statistics()
    keras_approx.calibrate(wrapped, x, verbose=False)
    difference = np.abs(model.predict(x, verbose=0) - wrapped.predict(x, verbose=0)).max()
    assert 0 < difference < 0.1


def test_dead_activations_get_a_range() -> None:
    model = models.small()
    model.get_layer("second").bias.assign([-1e3] * 5)
    wrapped = keras_approx.wrap(model)
    keras_approx.calibrate(wrapped, models.inputs(model), verbose=False)
    assert wrapped.get_layer("second_relu_range").get_range() == (0, 1)


def _with(value: float) -> np.ndarray:
    x = np.zeros((4, 8, 8, 3), np.float32)
    x[3, 1, 2, 0] = value
    return x


def _good() -> np.ndarray:
    return np.ones((4, 8, 8, 3), np.float32)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (np.zeros((0, 8, 8, 3)), "no calibration data"),
        ([], "no calibration data"),
        (iter(()), "no calibration data"),
        (np.zeros((4, 8, 8, 1)), r"shape \(4, 8, 8, 1\), expected \(n, 8, 8, 3\)"),
        (np.zeros((8, 8, 3)), "add a batch axis"),
        ([_good(), np.zeros((4, 8, 3, 8))], "batch 1 of the calibration data has shape"),
        ((_good(), np.zeros(4)), "looks like inputs and labels: give the inputs alone"),
        ((_good(), [0, 1, 0, 1]), "looks like inputs and labels: give the inputs alone"),
        (_good().astype(np.complex64), "complex values"),
        ([_good()[:0]], "is empty"),
        ([_good(), _with(np.nan)], "batch 1 .* NaN or infinity"),
        (_with(np.inf), "NaN or infinity"),
        (_with(3e38), "finite"),
        ([[["a"]]], "not numbers"),
        ({"x": _good()}, "by name or in this order; got those for x"),
        ("images.npy", "got str"),
        (None, "got NoneType"),
    ],
)
def test_bad_data_changes_nothing(data: Any, says: str) -> None:
    wrapped = keras_approx.wrap(models.small())
    before = _state(wrapped)
    with pytest.raises(CalibrationError, match=says):
        keras_approx.calibrate(wrapped, data, verbose=False)
    assert _same(before, _state(wrapped))


def test_bad_datasets() -> None:
    wrapped = keras_approx.wrap(models.small())
    dataset = tf.data.Dataset.from_tensor_slices(_good())
    with pytest.raises(CalibrationError, match=r"dataset.batch\(n\)"):
        keras_approx.calibrate(wrapped, dataset, verbose=False)
    with pytest.raises(CalibrationError, match="never ends"):
        keras_approx.calibrate(wrapped, dataset.batch(2).repeat(), verbose=False)
    keras_approx.calibrate(wrapped, dataset.batch(2).repeat(), steps=3, verbose=False)
    with pytest.raises(CalibrationError, match="at least 1"):
        keras_approx.calibrate(wrapped, _good(), steps=0, verbose=False)


def test_no_more_batches_are_taken_than_asked_for() -> None:
    wrapped = keras_approx.wrap(models.small())
    batches = iter([_good()] * 5)
    keras_approx.calibrate(wrapped, batches, steps=2, verbose=False)
    assert len(list(batches)) == 3


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (_good(), "batch 0 .* has no labels"),
        ([(_good(), np.zeros(4)), (_good(),)], "batch 1 .* has no labels"),
        ([(_good(), np.zeros(3))], r"labels of shape \(3,\)"),
        ([(_good(), ["a", {}, 1, 2])], "type object"),
    ],
)
def test_bad_labels_change_nothing(data: Any, says: str) -> None:
    wrapped = keras_approx.wrap(models.small())
    before = _state(wrapped)
    with pytest.raises(CalibrationError, match=says):
        keras_approx.calibrate(wrapped, data, loss="mse", verbose=False)
    assert _same(before, _state(wrapped))


def test_model_that_is_not_wrapped() -> None:
    with pytest.raises(NotWrappedError, match=r"keras_approx.wrap\(model\) first"):
        keras_approx.calibrate(models.small(), _good())


def test_progress_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    wrapped = keras_approx.wrap(models.small())
    keras_approx.calibrate(wrapped, _good(), batch_size=2)
    assert "calibrating: 2 batches" in capsys.readouterr().err
    keras_approx.calibrate(wrapped, _good(), verbose=False)
    assert tuple(capsys.readouterr()) == ("", "")
