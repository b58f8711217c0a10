"""Plain Keras models with representative data become exact C, from tf_keras and Keras 3."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras as keras3
import numpy as np
import pytest
import tf_keras

import export
import keras_approx
from tests.integration.exactness import assert_exact, quantized, real

SHAPE = (9, 8, 2)


def separable(keras: Any) -> Any:
    """Depthwise-separable layers, as in MobileNet."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
            layers.DepthwiseConv2D(3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
            layers.Conv2D(5, 1, activation="relu"),
            layers.SeparableConv2D(7, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, activation="softmax"),
        ]
    )


def branches(keras: Any, activation: str = "sigmoid") -> Any:
    """A residual block, and branches that are concatenated."""
    layers = keras.layers
    x = start = keras.Input(SHAPE)
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    y = layers.Conv2D(4, 3, padding="same")(x)
    x = layers.ReLU()(layers.Add()([x, y]))
    left = layers.MaxPooling2D(2)(x)
    right = layers.AveragePooling2D(2)(layers.Conv2D(3, 1, activation=activation)(x))
    x = layers.Flatten()(layers.Concatenate()([left, right]))
    return keras.Model(start, layers.Dense(3)(x))


def inputs(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, *SHAPE)).astype(np.float32)


@pytest.mark.parametrize("keras", [tf_keras, keras3], ids=["tf_keras", "keras3"])
@pytest.mark.parametrize("make", [separable, branches])
def test_a_plain_model(tmp_path: Path, keras: Any, make: Callable[[Any], Any]) -> None:
    keras.utils.set_random_seed(3)
    model = make(keras)
    data = inputs(20)
    result = export.to_c(model, tmp_path / "out", representative_data=data)
    outputs = assert_exact(result, quantized(result, data))
    expected = model.predict(data, verbose=0)
    assert np.abs(real(result, outputs) - expected).max() < 0.1 * np.abs(expected).max()


@pytest.mark.parametrize("activations", ["int16", "int8"])
def test_a_wrapped_model_of_branches(tmp_path: Path, activations: str) -> None:
    keras3.utils.set_random_seed(3)
    model = keras_approx.wrap(branches(keras3, "relu"))
    data = inputs(20)
    keras_approx.calibrate(model, data, verbose=False)
    rng = np.random.default_rng(4)
    masks = {name: rng.random(mask.shape) < 0.4 for name, mask in keras_approx.get_masks(model).items()}
    keras_approx.set_masks(model, masks)
    result = export.to_c(model, tmp_path / "out", activations=activations)
    outputs = assert_exact(result, quantized(result, data))
    expected = model.predict(data, verbose=0)
    assert np.abs(real(result, outputs) - expected).max() < 0.1 * np.abs(expected).max()
