"""A pricer gives for any masks what export.estimate gives for the model that carries them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import export
import keras_approx
from export.errors import InputError, QuantizationError, TargetError, UnsupportedModelError
from keras_approx.compat import keras
from keras_approx.skipping.granularity import group_sums, spread
from tests.keras_approx import models

Masks = dict[str, np.ndarray]


def residual() -> Any:
    """Strides, a pool, a residual, average pooling, a dense layer; one batch normalization inverts its channels."""
    layers = keras.layers
    image = keras.Input((12, 12, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="first")(image)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    x = y = layers.MaxPooling2D()(x)
    y = layers.Conv2D(12, 3, padding="same", activation="relu", name="second")(y)
    y = layers.Conv2D(8, 3, padding="same", name="third")(y)
    x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Conv2D(10, 1, strides=2, activation="relu", name="fourth")(x)
    x = layers.Flatten()(layers.AveragePooling2D(3)(x))
    model = models.randomize(keras.Model(image, layers.Dense(5, name="fifth")(x), name="residual"))
    gamma = model.get_layer("norm").gamma
    gamma.assign(gamma * np.where(np.arange(8) % 3 == 0, -1.0, 1.0).astype(np.float32))
    return model


def wrapped(model: Any, **options: Any) -> Any:
    found = keras_approx.wrap(model, **options)
    images = np.random.default_rng(0).normal(size=(16, *model.input_shape[1:])).astype(np.float32)
    keras_approx.calibrate(found, images)
    return found


def random_masks(model: Any, kept: float, granularity: str, seed: int) -> Masks:
    rng = np.random.default_rng(seed)
    return {
        name: spread(rng.random(group_sums(mask, granularity).shape) < kept, mask.shape, granularity)
        for name, mask in keras_approx.get_masks(model).items()
    }


def structured_masks(model: Any, kept: float) -> Masks:
    """The weights of most energy stay, so that whole channels and kernel positions go."""
    kernels = {layer.name: layer.kernel.numpy() for layer in model.layers if hasattr(layer, "get_mask")}
    rng = np.random.default_rng(1)
    found = {}
    for name, kernel in kernels.items():
        energy = (
            kernel**2 * rng.gamma(0.3, size=(*kernel.shape[:-1], 1)) * rng.gamma(0.3, size=kernel.shape[-1])
        )
        found[name] = energy >= np.quantile(energy, 1 - kept)
    return found


def estimated(model: Any, masks: Masks, target: str, **options: Any) -> dict[str, int | None]:
    before = keras_approx.get_masks(model)
    keras_approx.set_masks(model, masks)
    found = export.estimate(model, target=target, **options)
    keras_approx.set_masks(model, before)
    assert None not in [layer.cycles for layer in found.layers]
    return {"cycles": found.cycles, "flash": found.flash_bytes, "ram": found.ram_bytes}


@pytest.fixture(scope="module")
def model() -> Any:
    return wrapped(residual())


@pytest.fixture(scope="module", params=["cortex-m33", "cortex-m4"])
def pricer(request: pytest.FixtureRequest, model: Any) -> tuple[str, export.Pricer]:
    return request.param, export.Pricer(model, target=request.param)


@settings(max_examples=4)
@given(
    st.sampled_from([0.0, 0.05, 0.2, 0.5, 0.8]),
    st.sampled_from(["operand", "pair", "block"]),
    st.integers(0, 1000),
)
def test_random_masks(
    model: Any, pricer: tuple[str, export.Pricer], kept: float, granularity: str, seed: int
) -> None:
    target, price = pricer
    masks = random_masks(model, kept, granularity, seed)
    assert price(masks) == estimated(model, masks, target)


@pytest.mark.parametrize("kept", [0.02, 0.1, 0.4])
def test_structured_masks(model: Any, pricer: tuple[str, export.Pricer], kept: float) -> None:
    target, price = pricer
    masks = structured_masks(model, kept)
    assert price(masks) == estimated(model, masks, target)


@pytest.mark.parametrize("options", [{"activations": "int8"}, {"target": "stm32f405"}])
def test_options(model: Any, options: dict[str, str]) -> None:
    masks = random_masks(model, 0.3, "pair", 3)
    expected = estimated(model, masks, **{"target": "cortex-m33", **options})
    assert export.Pricer(model, **options)(masks) == expected


def test_without_compensation_and_with_every_kind_of_layer() -> None:
    model = wrapped(models.every_layer(), compensate=False)
    price = export.Pricer(model, target="cortex-m4")
    masks = random_masks(model, 0.4, "pair", 1)
    keras_approx.set_masks(model, masks)
    found = export.estimate(model, target="cortex-m4")
    assert price(masks) == {"cycles": found.cycles, "flash": found.flash_bytes, "ram": found.ram_bytes}


def test_layers_are_named_and_add_up(model: Any) -> None:
    price = export.Pricer(model)
    masks = random_masks(model, 0.5, "pair", 4)
    masks["third"][...] = False
    layers, totals = price.layers(masks), price(masks)
    assert set(masks) < set(layers)
    for figure in ("cycles", "flash"):
        assert sum(layer[figure] for layer in layers.values()) == totals[figure]


def test_models_are_priced_as_they_are_and_left_so(model: Any) -> None:
    price = export.Pricer(model)
    before = keras_approx.get_masks(model)
    kernel = model.get_layer("second").kernel
    weights = kernel.numpy()
    try:
        masks = random_masks(model, 0.4, "pair", 5)
        keras_approx.set_masks(model, masks)
        small = np.random.default_rng(5).random(weights.shape) < 0.8
        kernel.assign(np.where(small, weights * 1e-3, weights))  # too small for int8
        changed = estimated(model, masks, "cortex-m33")
        assert price.cycles(model) == changed["cycles"] == sum(price.layer_cycles(model).values())
        assert price(masks)["cycles"] > changed["cycles"]  # the weights it was made with
        again = export.Pricer(model)
        assert again(masks) == changed
        assert all((mask == masks[name]).all() for name, mask in keras_approx.get_masks(model).items())
    finally:
        kernel.assign(weights)
        keras_approx.set_masks(model, before)


def test_prices_of_pairs(model: Any) -> None:
    price = export.Pricer(model)
    prices = keras_approx.measure_prices(model, price.cycles)
    masks = random_masks(model, 0.35, "pair", 6)
    assert prices.cycles(masks) == pytest.approx(price(masks)["cycles"], rel=0.1)


def test_masks_that_do_not_fit(model: Any) -> None:
    price = export.Pricer(model)
    with pytest.raises(InputError, match="no layer named sixth carries a mask; these do: first, second"):
        price({"sixth": np.ones((1, 1), bool)})
    with pytest.raises(
        InputError, match=r"'fifth' must be bool of shape \(10, 5\), got bool of shape \(5, 10\)"
    ):
        price({"fifth": np.ones((5, 10), bool)})
    with pytest.raises(InputError, match="got float32"):
        price({"fifth": np.ones((10, 5), np.float32)})


@pytest.mark.parametrize("target", ["host", "cortex-m3", "cortex-m0plus"])
def test_a_target_whose_kernels_have_no_prices(model: Any, target: str) -> None:
    with pytest.raises(TargetError, match=f"{target} have no prices"):
        export.Pricer(model, target=target)


def test_models_that_are_not_wrapped_or_not_calibrated() -> None:
    with pytest.raises(UnsupportedModelError, match=r"call keras_approx\.wrap"):
        export.Pricer(models.small())
    for compensate in (False, True):
        with pytest.raises(QuantizationError, match=r"keras_approx\.calibrate"):
            export.Pricer(keras_approx.wrap(models.small(), compensate=compensate))
