"""Re-estimated batch normalization statistics: those of the data, whatever the moving averages were."""

from __future__ import annotations

import numpy as np
import pytest
import tf_keras as keras

import keras_approx
from keras_approx.errors import CalibrationError, UnsupportedModelError


def _model() -> keras.Model:
    keras.utils.set_random_seed(3)
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.Conv2D(4, 3, name="first")(inputs)
    x = keras.layers.BatchNormalization(name="first_bn")(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.Dropout(0.9)(x)
    x = keras.layers.Conv2D(3, 3, use_bias=False, name="second")(x)
    x = keras.layers.BatchNormalization(scale=False, name="second_bn")(x)
    x = keras.layers.Dense(2)(keras.layers.Flatten()(x))
    return keras.Model(inputs, x)


IMAGES = np.random.default_rng(0).normal(1, 2, (24, 6, 6, 2)).astype(np.float32)


@pytest.mark.parametrize("wrapped", [False, True])
def test_one_batch_gives_what_training_on_it_sees(wrapped: bool) -> None:
    model = _model()
    if wrapped:
        model = keras_approx.wrap(model)
        keras_approx.calibrate(model, IMAGES, verbose=False)
    for name in ("first_bn", "second_bn"):
        model.get_layer(name).momentum = 0.0  # training leaves the statistics of its last batch
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    model(IMAGES, training=True)
    seen = [model.get_layer(name).get_weights()[-2:] for name in ("first_bn", "second_bn")]
    for name in ("first_bn", "second_bn"):
        model.get_layer(name).moving_mean.assign(
            [9.0] * len(seen[0][0] if name == "first_bn" else seen[1][0])
        )
    keras_approx.recalibrate_batch_norm(model, IMAGES, batch_size=24)
    for name, (mean, variance) in zip(("first_bn", "second_bn"), seen, strict=True):
        *_, found_mean, found_variance = model.get_layer(name).get_weights()
        np.testing.assert_allclose(found_mean, mean, rtol=2e-4, atol=1e-5)
        # Keras divides by n - 1, here at least 24 * 4 - 1.
        np.testing.assert_allclose(found_variance, variance, rtol=1.1e-2)


def test_batches_are_averaged_and_nothing_else_changes() -> None:
    model = _model()
    before = {v.name: v.numpy() for v in model.trainable_variables}
    keras_approx.recalibrate_batch_norm(model, IMAGES, batch_size=8)
    parts = []
    for start in (0, 8, 16):
        other = _model()
        keras_approx.recalibrate_batch_norm(other, IMAGES[start : start + 8])
        parts.append(other.get_layer("second_bn").moving_variance.numpy())
    np.testing.assert_allclose(
        model.get_layer("second_bn").moving_variance.numpy(), np.mean(parts, axis=0), rtol=1e-5
    )
    assert all(np.array_equal(v.numpy(), before[v.name]) for v in model.trainable_variables)


def _one_norm() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(name="norm")])


def test_a_short_last_batch_counts_by_its_samples() -> None:
    """One sample alone has no variance."""
    model, samples = _one_norm(), np.random.default_rng(2).normal(0, 1, (65, 3)).astype(np.float32)
    keras_approx.recalibrate_batch_norm(model, samples, batch_size=64)
    mean, variance = _statistics(model, "norm")
    np.testing.assert_allclose(mean, samples.mean(axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(variance, samples[:64].var(axis=0) * 64 / 65, rtol=1e-4)


def test_equal_batches_count_alike_to_the_last_bit() -> None:
    model, samples = _one_norm(), np.random.default_rng(2).normal(0, 1, (21, 3)).astype(np.float32)
    parts = []
    for start in (0, 7, 14):
        keras_approx.recalibrate_batch_norm(model, samples[start : start + 7])
        parts.append(_statistics(model, "norm"))
    keras_approx.recalibrate_batch_norm(model, samples, batch_size=7)
    for found, one, two, three in zip(_statistics(model, "norm"), *parts, strict=True):
        np.testing.assert_array_equal(found, (one + two + three) / np.float32(3))


def test_a_layer_that_is_called_twice_gets_the_means_over_both_calls() -> None:
    """The second call has a quarter of the positions of the first."""
    inputs = keras.Input((4, 4, 1))
    norm = keras.layers.BatchNormalization(name="norm")
    smaller = keras.layers.MaxPooling2D()(inputs)
    outputs = [keras.layers.GlobalAveragePooling2D()(norm(x)) for x in (inputs, smaller)]
    model = keras.Model(inputs, keras.layers.Add()(outputs))
    images = np.random.default_rng(1).normal(2, 3, (30, 4, 4, 1)).astype(np.float32)
    keras_approx.recalibrate_batch_norm(model, images)
    mean, variance = _statistics(model, "norm")
    large, small = images, images.reshape(30, 2, 2, 2, 2, 1).max(axis=(2, 4))
    np.testing.assert_allclose(mean, [0.8 * large.mean() + 0.2 * small.mean()], rtol=1e-4)
    np.testing.assert_allclose(variance, [0.8 * large.var() + 0.2 * small.var()], rtol=1e-4)


def _statistics(model: keras.Model, name: str) -> list[np.ndarray]:
    return model.get_layer(name).get_weights()[-2:]


@pytest.mark.parametrize("how", ["trainable", "training"])
def test_frozen_statistics_stay(how: str) -> None:
    model = _model()
    if how == "trainable":
        model.get_layer("first_bn").trainable = False
    else:
        inputs = keras.Input((6, 6, 2))
        x = inputs
        for layer in model.layers[1:]:
            x = layer(x, training=False) if layer.name == "first_bn" else layer(x)
        model = keras.Model(inputs, x)
    model = keras_approx.wrap(model, compensate=True)
    keras_approx.calibrate(model, IMAGES, verbose=False)
    before = {name: _statistics(model, name) for name in ("first_bn", "second_bn")}
    keras_approx.recalibrate_batch_norm(model, IMAGES)
    keras_approx.eliminate(model, IMAGES, kept=0.5, verbose=False)
    model.compile(keras.optimizers.SGD(0.01), "mse")
    model.fit(IMAGES, np.zeros((24, 2)), verbose=0)
    for one, two in zip(before["first_bn"], _statistics(model, "first_bn"), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.allclose(before["second_bn"], _statistics(model, "second_bn"))
    with pytest.raises(
        UnsupportedModelError, match="each of first_bn, second_bn is frozen or was not asked for"
    ):
        keras_approx.recalibrate_batch_norm(model, IMAGES, layers=["first_bn"])


def test_what_cannot_be_recalibrated() -> None:
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="plain")
    with pytest.raises(UnsupportedModelError, match="'plain' has no batch normalization"):
        keras_approx.recalibrate_batch_norm(plain, np.zeros((3, 4), np.float32))
    with pytest.raises(CalibrationError, match="there is no data"):
        keras_approx.recalibrate_batch_norm(_model(), [])
