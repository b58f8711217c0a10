"""Small models that use every supported layer, in tf_keras or Keras 3, and their weights and inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

import keras_approx
from keras_approx.compat import keras as tf_keras


def small(keras: Any = tf_keras, *, softmax: bool = True) -> Any:
    """A convolution without bias before a batch normalization, one with, and a dense layer."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(6, 3, use_bias=False, name="first"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(5, 3, activation="relu", padding="same", name="second"),
            layers.Flatten(),
            layers.Dense(4, activation="softmax" if softmax else None, name="third"),
        ],
        name="small",
    )
    return randomize(model)


def every_layer(keras: Any = tf_keras) -> Any:
    """Every supported layer, branches, a nested model, and batch normalization in every place it may be."""
    layers = keras.layers
    image = keras.Input((12, 12, 3), name="image")
    x = layers.ZeroPadding2D(((1, 0), (0, 1)))(image)
    x = layers.Conv2D(
        7, 3, strides=2, padding="same", activation="relu", kernel_regularizer=keras.regularizers.L2(1e-3)
    )(x)
    depthwise = layers.DepthwiseConv2D(3, padding="same")(x)
    depthwise = layers.ReLU(6.0)(layers.BatchNormalization()(depthwise))
    separable = layers.SeparableConv2D(7, 3, padding="same", depth_multiplier=2, activation="relu")(x)
    added = layers.ReLU()(layers.Add()([depthwise, separable]))
    inside = keras.Input(tuple(added.shape)[1:], name="inside")
    nested = layers.Conv2D(5, 1, use_bias=False)(inside)
    nested = layers.Activation("sigmoid")(layers.BatchNormalization(scale=False)(nested))
    nested = keras.Model(inside, nested, name="nested")(added)
    x = layers.Concatenate()([added, x, nested])
    most = layers.MaxPooling2D(2, padding="same")(x)
    mean = layers.AveragePooling2D(2, padding="same")(x)
    x = layers.Dropout(0.3)(layers.Concatenate()([most, mean]))
    x = layers.BatchNormalization()(x)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    x = layers.Flatten()(layers.Reshape((2, -1))(x))
    x = layers.BatchNormalization()(layers.ReLU(6.0)(layers.Dense(9)(x)))
    x = layers.Activation("relu")(layers.BatchNormalization()(layers.Dense(8)(x)))
    x = layers.Softmax()(layers.Activation("linear")(layers.Dense(4)(x)))
    return randomize(keras.Model(image, x, name="every_layer"))


def randomize(model: Any, seed: int = 0) -> Any:
    """Gives every weight a value that no initializer would; variances and scales stay positive."""
    rng = np.random.default_rng(seed)
    model.set_weights(
        [
            rng.uniform(0.3, 1, weight.shape) if weight.ndim == 1 else rng.normal(0, 0.3, weight.shape)
            for weight in model.get_weights()
        ]
    )
    return model


def inputs(model: Any, count: int = 64, seed: int = 1) -> np.ndarray:
    """Normally distributed inputs, float32."""
    return np.random.default_rng(seed).normal(size=(count, *model.input_shape[1:])).astype(np.float32)


def labels(count: int = 64, classes: int = 4, seed: int = 2) -> np.ndarray:
    """Class numbers."""
    return np.random.default_rng(seed).integers(0, classes, count)


def random_masks(model: Any, kept: float = 0.5, seed: int = 3) -> dict[str, np.ndarray]:
    """Masks of a wrapped model, each product kept with this probability."""
    rng = np.random.default_rng(seed)
    return {name: rng.random(mask.shape) < kept for name, mask in keras_approx.get_masks(model).items()}


def functional(*chain: Any, shape: tuple[int | None, ...] = (8, 8, 2)) -> Any:
    """A model of layers one after the other."""
    image = tensor = tf_keras.Input(shape)
    for layer in chain:
        tensor = layer(tensor)
    return tf_keras.Model(image, tensor)
