"""Models and layers that cannot be wrapped, and what of users' own can: which error, and what it says."""

from __future__ import annotations

import re
from typing import Any

import keras as keras3
import numpy as np
import pytest

import keras_approx
from keras_approx.compat import keras
from keras_approx.errors import (
    UnsupportedLayerError,
    UnsupportedModelError,
)
from keras_approx.layers.skip_wrapper import skip_wrappers
from tests.keras_approx import models

layers = keras.layers


class _Subclassed(keras.Model):
    def call(self, inputs: Any) -> Any:
        return inputs


class Conv2D(keras.layers.Conv2D):
    """Has the name of a supported layer, and is none."""


def relu(x: Any) -> Any:
    """Has the name of a supported activation, and is none."""
    return x


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: 3, "expected a Keras model, got builtins.int"),
        (_Subclassed, "subclass"),
        (lambda: keras.Sequential([layers.Dense(2)]), "no input shape"),
        (lambda: models.functional(layers.Conv2D(2, 3), shape=(None, None, 3)), "must be fixed"),
        (lambda: models.functional(layers.ReLU()), "nothing to skip"),
        (lambda: keras_approx.wrap(models.small()), "wrapped already"),
    ],
)
def test_unsupported_models(make: Any, says: str) -> None:
    with pytest.raises(UnsupportedModelError, match=says):
        keras_approx.wrap(make())


def _own(weights: Any) -> Any:
    """A regularizer or constraint that Keras does not know."""
    return 0.5 * keras.backend.sum(weights)


class _Unsaved(keras.regularizers.Regularizer):
    """A regularizer without a configuration."""

    def __call__(self, weights: Any) -> Any:
        return _own(weights)


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (layers.LayerNormalization(), "LayerNormalization, which is not supported"),
        (layers.Lambda(lambda x: x), "Lambda, which is not supported"),
        (Conv2D(2, 3), "which is not supported"),
        (layers.Conv2D(2, 3, activation="gelu"), "activation 'gelu'"),
        (layers.Activation("hard_sigmoid"), "hard_sigmoid of Keras 2"),
        (layers.Conv2DTranspose(2, 3, strides=2, output_padding=1), "output_padding"),
        (layers.ELU(0.5), "alpha"),
        (layers.Activation(relu), "activation 'relu'"),
        (layers.ReLU(max_value=6, negative_slope=0.1), "negative_slope and a max_value"),
        (layers.ReLU(max_value=2), "max_value"),
        (
            layers.Conv2D(2, 3, name="c", activity_regularizer="l2"),
            r"an activity_regularizer, .* training alone: remove it with model.get_layer\('c'\)",
        ),
        (layers.Conv2D(2, 3, kernel_regularizer=_own), "kernel_regularizer=_own, .* register functions"),
        (
            layers.Conv2D(2, 3, bias_regularizer=lambda w: w),
            "bias_regularizer=<lambda>, .* register functions",
        ),
        (layers.Conv2D(2, 3, kernel_constraint=_own), "kernel_constraint=_own, .* register functions"),
        (layers.Conv2D(2, 3, kernel_regularizer=_Unsaved()), "kernel_regularizer=_Unsaved .* a get_config"),
        (layers.Softmax(axis=1), "axis 1"),
        (layers.BatchNormalization(axis=1), "axis"),
        (layers.Conv2D(2, 3, dtype="mixed_float16"), "float16"),
        (layers.MaxPooling2D(data_format="channels_first"), "channels_first"),
    ],
)
def test_unsupported_layers(layer: Any, says: str) -> None:
    with pytest.raises(UnsupportedLayerError, match=says):
        keras_approx.wrap(models.functional(layer, layers.Flatten(), layers.Dense(2)))


@pytest.mark.parametrize("library", [keras, keras3])
def test_operations_that_are_not_layers(library: Any) -> None:
    image = library.Input((4,))
    for changed, says in (
        (abs(image), "is not a layer"),
        (image + np.ones(4, np.float32), "constant of shape"),
        (image / (image + 1.0), "divides by a tensor"),
    ):
        model = library.Model(image, library.layers.Dense(2)(changed))
        with pytest.raises(UnsupportedLayerError, match=says):
            keras_approx.wrap(model)


def test_keras_3_subclass() -> None:
    class Subclassed(keras3.Model):
        def call(self, inputs: Any) -> Any:
            return inputs

    with pytest.raises(UnsupportedModelError, match="subclass"):
        keras_approx.wrap(Subclassed())


@pytest.mark.parametrize("name", ["a..b", "x" * 300, "größe", '"); system("'])
def test_names_that_nothing_may_carry(name: str) -> None:
    image = keras3.Input((3,))
    model = keras3.Model(image, keras3.layers.Dense(2, name=name)(image))
    with pytest.raises(UnsupportedLayerError, match="rename the layer"):
        keras_approx.wrap(model)
    model = keras3.Model(image, keras3.layers.Dense(2)(image), name=name)
    assert re.fullmatch(r"\w{1,128}", keras_approx.wrap(model).name, re.ASCII)


def test_registered_regularizers_and_constraints_of_users() -> None:
    with keras.utils.custom_object_scope({"_own": _own}):
        layer = layers.Dense(2, kernel_regularizer=_own, kernel_constraint=_own)
        wrapped = keras_approx.wrap(models.functional(layers.Flatten(), layer))
        copied = keras.models.clone_model(wrapped)
    for model in (wrapped, copied):
        (masked,) = skip_wrappers(model)
        assert masked.layer.kernel_regularizer is masked.layer.kernel_constraint is _own


def test_keras_3_regularizers_of_users() -> None:
    layer = keras3.layers.Dense(2, name="own", kernel_regularizer=_own)
    with pytest.raises(
        UnsupportedLayerError, match=r"'own' .* kernel_regularizer=_own, .* keras.regularizers"
    ):
        keras_approx.wrap(keras3.Sequential([keras3.Input((3,)), layer]))
