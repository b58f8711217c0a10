"""Elimination on whole models: fewer products at nearly the same outputs, without training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx.compat import keras, tf
from keras_approx.errors import CalibrationError, OptionError
from keras_approx.layers.skip_wrapper import skip_wrappers
from keras_approx.measure.moments import measure_moments
from keras_approx.measure.summaries import mask_positions
from keras_approx.skipping.masks import kept_fraction
from keras_approx.skipping.selection import LayerSetting
from keras_approx.training.eliminate import measure_refits
from tests.keras_approx import models


def _kept(model: Any) -> float:
    return kept_fraction(keras_approx.get_masks(model), mask_positions(model))


def _network(*, bias: bool, norm: bool, strides: int = 1, padding: str = "valid") -> Any:
    inputs = keras.Input((9, 8, 3))
    x = keras.layers.Conv2D(8, 3, strides, padding, use_bias=bias, name="first")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x) if norm else x
    x = keras.layers.ReLU(name="relu")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    return keras.Model(inputs, keras.layers.Dense(5, use_bias=bias, name="second")(x))


def _images(count: int) -> np.ndarray:
    """Smooth images, so that neighboring pixels resemble each other."""
    rng = np.random.default_rng(4)
    coarse = rng.normal(size=(count, 3, 3, 3)).astype(np.float32)
    return np.asarray(tf.image.resize(coarse, (9, 8))) + 0.5


@pytest.mark.parametrize(
    ("bias", "norm", "compensate"),
    [(True, False, True), (True, False, False), (False, True, True), (False, False, True)],
)
def test_outputs_stay_where_masks_alone_lose_them(bias: bool, norm: bool, compensate: bool) -> None:
    network, images = _network(bias=bias, norm=norm), _images(600)
    if norm:
        keras_approx.recalibrate_batch_norm(network, images)
    wrapped = keras_approx.wrap(network, compensate=compensate)
    model = keras_approx.eliminate(wrapped, images, kept=0.6, verbose=False)
    assert model is wrapped
    assert _kept(model) == pytest.approx(0.6, abs=0.02)
    plain = keras_approx.wrap(network, compensate=compensate)
    keras_approx.calibrate(plain, images, verbose=False)
    keras_approx.set_masks(plain, keras_approx.get_masks(model))
    if norm:
        keras_approx.recalibrate_batch_norm(plain, images)
    exact = network.predict(images, verbose=0)
    spread = exact.std()
    error, masked = (np.abs(found.predict(images, verbose=0) - exact).mean() for found in (model, plain))
    assert error < 0.12 * spread
    assert error < 0.6 * masked


def test_keeping_everything_changes_no_weight() -> None:
    network, images = _network(bias=True, norm=True), _images(50)
    model = keras_approx.eliminate(network, images, kept=1.0, verbose=False)
    for name in ("first", "second"):
        for one, two in zip(
            network.get_layer(name).get_weights(), model.get_layer(name).layer.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(one, two)
    for one, two in zip(
        network.get_layer("norm").get_weights(), model.get_layer("norm").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, two)


def test_normalization_before_what_skips_is_left_as_trained() -> None:
    inputs = keras.Input((9, 8, 3))
    x = keras.layers.BatchNormalization(name="before")(inputs)
    x = keras.layers.Conv2D(4, 3, name="first")(x)
    x = keras.layers.Flatten()(keras.layers.BatchNormalization(name="behind")(x))
    network = keras.Model(inputs, keras.layers.Dense(3, name="second")(x))
    model = keras_approx.eliminate(network, _images(50), kept=0.5, exempt=["second"], verbose=False)
    moved = {name: model.get_layer(name).moving_mean.numpy().any() for name in ("before", "behind")}
    assert moved == {"before": False, "behind": True}


@pytest.mark.parametrize(("strides", "padding"), [(1, "valid"), (2, "valid"), (1, "same"), (2, "same")])
def test_moments_are_those_of_the_inputs(strides: int, padding: str) -> None:
    network, images = _network(bias=True, norm=False, strides=strides, padding=padding), _images(7)
    wrapped = keras_approx.wrap(network)
    found = measure_moments(wrapped, images, batch_size=3, verbose=False)["first"]
    # Outputs are linear in the inputs: their moments follow, whatever the kernel.
    kernel, bias = (np.asarray(weight, np.float64) for weight in network.get_layer("first").get_weights())
    outputs = keras.Model(network.inputs, network.get_layer("first").output).predict(images, verbose=0)
    outputs = outputs.reshape(-1, outputs.shape[-1]).astype(np.float64)
    flat = kernel.reshape(-1, kernel.shape[-1])
    np.testing.assert_allclose(found.mean @ flat + bias, outputs.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        flat.T @ found.covariance @ flat, np.cov(outputs.T, bias=True), rtol=1e-3, atol=1e-4
    )


def test_sensitivity_is_the_squared_gradient_of_the_outputs() -> None:
    inputs = keras.Input((5, 4, 2))
    x = keras.layers.Flatten()(keras.layers.Conv2D(3, 2, name="first")(inputs))
    network = keras.Model(inputs, keras.layers.Dense(4, name="second")(x))
    images = np.random.default_rng(2).normal(size=(2000, 5, 4, 2)).astype(np.float32)
    found = measure_moments(keras_approx.wrap(network), images, verbose=False)
    np.testing.assert_allclose(found["second"].sensitivity, np.ones(4))
    # The network is linear: the gradient is the same everywhere.
    gradient = network.get_layer("second").kernel.numpy().reshape(4, 3, 3, 4)
    np.testing.assert_allclose(found["first"].sensitivity, np.square(gradient).sum(axis=(0, 1, 3)), rtol=0.06)
    again = measure_moments(keras_approx.wrap(network), images, verbose=False)
    np.testing.assert_array_equal(again["first"].sensitivity, found["first"].sensitivity)


def test_selection_is_that_of_callbacks() -> None:
    model = keras_approx.eliminate(
        _network(bias=True, norm=False),
        _images(300),
        kept=0.5,
        granularity="block",
        exempt=("second",),
        layers={"first": LayerSetting(least=0.2)},
        verbose=False,
    )
    masks = keras_approx.get_masks(model)
    assert masks["second"].all()
    assert masks["first"].mean() == pytest.approx(0.5, abs=0.05)
    blocks = masks["first"].reshape(3, 3, 3, 2, 4)
    assert np.array_equal(blocks.any(axis=-1), blocks.all(axis=-1))


def test_whole_kernels_leave_beside_pairs_of_another_layer() -> None:
    """Three input channels: the last is alone; a 3x2 kernel."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((9, 8, 3))
    x = keras.layers.Conv2D(5, (3, 2), activation="relu", name="first")(inputs)
    x = keras.layers.Conv2D(4, 3, activation="relu", name="second")(x)
    x = keras.layers.Dense(5, name="third")(keras.layers.Flatten()(x))
    network, images = keras.Model(inputs, x), _images(400)
    model = keras_approx.eliminate(
        network,
        images,
        granularity={"second": "pair", "*": "kernel"},
        layers={name: LayerSetting(0.6) for name in ("first", "second", "third")},
        verbose=False,
    )
    masks = keras_approx.get_masks(model)
    by_tap = masks["first"].reshape(6, 3, 5)
    assert np.array_equal(by_tap.any(axis=0), by_tap.all(axis=0))
    assert np.array_equal(by_tap[0, 0], by_tap[0, 1])
    assert masks["first"].mean() == pytest.approx(0.5, abs=0.1)
    by_tap = masks["second"].reshape(9, 5, 4)
    assert not np.array_equal(by_tap.any(axis=0), by_tap.all(axis=0))
    exact, found = (one.predict(images, verbose=0) for one in (network, model))
    wrapped = keras_approx.wrap(network, compensate=True)
    keras_approx.calibrate(wrapped, images, verbose=False)
    keras_approx.set_masks(wrapped, masks)
    assert np.abs(found - exact).mean() < 0.9 * np.abs(wrapped.predict(images, verbose=0) - exact).mean()


def test_a_budget_in_cycles() -> None:
    prices = {"first": 42.0, "second": 1.0}
    model = keras_approx.eliminate(
        _network(bias=True, norm=False),
        _images(300),
        kept=2000,
        select="budget",
        prices=prices,
        verbose=False,
    )
    pairs = {name: _pairs(mask) for name, mask in keras_approx.get_masks(model).items()}
    cycles = sum(prices[name] * count for name, count in pairs.items())
    assert 1900 < cycles <= 2000


def _pairs(mask: np.ndarray) -> int:
    padded = np.pad(mask, [*[(0, 0)] * (mask.ndim - 2), (0, mask.shape[-2] % 2), (0, 0)])
    return int(padded.reshape(*mask.shape[:-2], -1, 2, mask.shape[-1]).any(axis=-2).sum())


def test_goes_on_from_the_masks_of_a_model() -> None:
    images = _images(300)
    model = keras_approx.eliminate(_network(bias=True, norm=True), images, kept=0.6, verbose=False)
    first = keras_approx.get_masks(model)
    keras_approx.eliminate(model, images, kept=0.4, verbose=False)
    second = keras_approx.get_masks(model)
    assert _kept(model) == pytest.approx(0.4, abs=0.02)
    assert all((first[name] | ~second[name]).all() for name in first)


@pytest.mark.parametrize("compensate", [True, False])
def test_means_stay_when_more_is_skipped_later(compensate: bool) -> None:
    network, images = _network(bias=True, norm=False), _images(300)
    model = keras_approx.wrap(network, compensate=compensate)
    for kept in (0.6, 0.4):
        keras_approx.eliminate(model, images, kept=kept, verbose=False)
    exact, found = (one.predict(images, verbose=0) for one in (network, model))
    error = np.abs(exact.mean(axis=0) - found.mean(axis=0)).max()
    assert error < 0.15 * exact.std()


def test_same_data_same_model() -> None:
    images = _images(200)
    one, other = (
        keras_approx.eliminate(
            models.randomize(_network(bias=True, norm=True), seed=1), images, verbose=False
        )
        for _ in range(2)
    )
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_cannot_be() -> None:
    network, images = _network(bias=True, norm=False), _images(20)
    with pytest.raises(OptionError, match="no threshold of its own"):
        keras_approx.eliminate(network, images, select="threshold", verbose=False)
    with pytest.raises(OptionError, match=r"give input_range to keras_approx\.wrap"):
        keras_approx.eliminate(keras_approx.wrap(network), images, input_range=(-9, 9), verbose=False)
    with pytest.raises(OptionError, match="between 0 and 1"):
        keras_approx.eliminate(network, images, kept=1.5, verbose=False)
    with pytest.raises(OptionError, match="a budget needs them"):
        keras_approx.eliminate(network, images, kept=100, select="budget", verbose=False)
    with pytest.raises(OptionError, match=r"prices are for a budget.* select is 'fraction'"):
        keras_approx.eliminate(network, images, prices={"first": 1, "second": 1}, verbose=False)
    with pytest.raises(OptionError, match="matches no layer"):
        keras_approx.eliminate(network, images, exempt=("third",), verbose=False)
    with pytest.raises(CalibrationError):
        keras_approx.eliminate(network, images[:, :5], verbose=False)
    with pytest.raises(CalibrationError, match="at least one batch"):
        keras_approx.eliminate(network, images[:0], verbose=False)
    with pytest.raises(CalibrationError, match="a generator is used up after the first: give an array"):
        keras_approx.eliminate(network, (batch for batch in [images]), verbose=False)
    assert all(layer.get_mask().all() for layer in skip_wrappers(keras_approx.wrap(network)))


@pytest.mark.parametrize(("bias", "norm"), [(True, False), (False, False), (False, True)])
def test_fitting_in_sequence_comes_nearer(bias: bool, norm: bool) -> None:
    network, (images, others) = _network(bias=bias, norm=norm), np.split(_images(700), [500])
    exact = keras_approx.eliminate(network, images, kept=1.0, verbose=False).predict(others, verbose=0)
    alone, following = (
        keras_approx.eliminate(network, images, kept=0.3, scope="layer", in_sequence=sequence, verbose=False)
        for sequence in (False, True)
    )
    errors = [np.square(model.predict(others, verbose=0) - exact).mean() for model in (alone, following)]
    assert errors[1] < errors[0]
    for name, mask in keras_approx.get_masks(alone).items():
        np.testing.assert_array_equal(mask, keras_approx.get_masks(following)[name])


@pytest.mark.parametrize("norm", ["none", "shared", "each"])
def test_layers_that_are_called_twice_are_fitted_once(norm: str) -> None:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((9, 8, 3))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="stem")(inputs)
    conv = keras.layers.Conv2D(8, 3, padding="same", name="twice")
    norms = [keras.layers.BatchNormalization() for _ in range(2)]
    for number in range(2):
        x = conv(x)
        x = x if norm == "none" else norms[number if norm == "each" else 0](x)
        x = keras.layers.ReLU()(x)
    network = keras.Model(inputs, keras.layers.Dense(5, name="end")(keras.layers.Flatten()(x)))
    images = _images(400)
    if norm != "none":
        keras_approx.recalibrate_batch_norm(network, images)
    exact = network.predict(images, verbose=0)
    alone, following = (
        keras_approx.eliminate(network, images, kept=0.5, in_sequence=sequence, verbose=False)
        for sequence in (False, True)
    )
    errors = [np.square(model.predict(images, verbose=0) - exact).mean() for model in (alone, following)]
    assert errors[1] < 0.5 * errors[0]


def test_means_are_normalized_only_behind_every_call() -> None:
    inputs = keras.Input((9, 8, 3))
    conv = keras.layers.Conv2D(3, 3, padding="same", use_bias=False, name="twice")
    x = conv(keras.layers.BatchNormalization()(conv(inputs)))
    once = keras.layers.BatchNormalization()(keras.layers.Conv2D(3, 3, name="once")(x))
    found = measure_refits(keras_approx.wrap(keras.Model(inputs, once)), _images(9), verbose=False)
    assert {name: refit.normalized for name, refit in found.items()} == {"twice": False, "once": True}


def test_nothing_skipped_in_sequence_changes_nothing() -> None:
    network, images = _network(bias=True, norm=True), _images(50)
    models = [
        keras_approx.eliminate(network, images, kept=1.0, in_sequence=sequence, verbose=False)
        for sequence in (False, True)
    ]
    for one, two in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, two)


def test_fitting_in_sequence_knows_models_with_a_teacher() -> None:
    network, images = _network(bias=True, norm=False), _images(60)
    taught = keras_approx.distill(keras_approx.wrap(network, compensate=True), network)
    plain = keras_approx.eliminate(network, images, kept=0.5, verbose=False)
    keras_approx.eliminate(taught, images, kept=0.5, verbose=False)
    np.testing.assert_array_equal(taught.predict(images[:9], verbose=0), plain.predict(images[:9], verbose=0))


def test_few_samples_are_warned_of() -> None:
    """A dense layer has one output a sample, so it takes more samples than it has operands."""
    network = _network(bias=True, norm=False)
    operands = network.get_layer("second").kernel.shape[0]
    expected = rf"expected at least {operands + 1} samples to fit weights with, got 3: .* 'second' "
    with pytest.warns(UserWarning, match=expected):
        keras_approx.eliminate(network, _images(3), verbose=False)


def test_nothing_to_skip_is_told() -> None:
    with pytest.raises(OptionError, match=r"nothing to skip: all layers \(first, second\) .* exempt fewer"):
        keras_approx.eliminate(_network(bias=True, norm=False), _images(3), exempt=["*"], verbose=False)
