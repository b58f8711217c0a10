"""Random Keras networks with branches, through the converter, against the reference kernels."""

import numpy as np
import pytest
import tf_keras

from export.analysis.interpreter import run
from export.frontend import read_tflite
from export.frontend.keras import to_tflite
from export.passes import run_passes
from tests.export.comparison import assert_interpreter_is_exact, inputs_of

layers = tf_keras.layers


def block(rng, x):
    channels, kernel = int(rng.integers(2, 9)), int(rng.integers(1, 4))
    stride, padding = int(rng.integers(1, 3)), str(rng.choice(["same", "valid"]))
    if min(x.shape[1:3]) < 4:
        stride, padding = 1, "same"
    match rng.integers(0, 6):
        case 0:
            x = layers.Conv2D(channels, kernel, strides=stride, padding=padding, use_bias=False)(x)
            return layers.ReLU(rng.choice([None, 6.0]))(layers.BatchNormalization()(x))
        case 1:
            x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=int(rng.integers(1, 3)))(x)
            return layers.Conv2D(channels, 1, activation="relu")(layers.BatchNormalization()(x))
        case 2:
            y = layers.Conv2D(x.shape[-1], 3, padding="same", activation="relu")(x)
            y = layers.BatchNormalization()(layers.Conv2D(x.shape[-1], 1)(y))
            return layers.ReLU()(layers.Add()([x, y]))
        case 3:
            return layers.Concatenate()([x, layers.Conv2D(channels, kernel, padding="same")(x)])
        case 4:
            pool = layers.MaxPooling2D if rng.random() < 0.5 else layers.AveragePooling2D
            return pool(2, strides=stride, padding="same")(x)
        case _:
            x = layers.ZeroPadding2D(((1, 0), (2, 1)))(x)
            return layers.SeparableConv2D(channels, 3, strides=stride, activation="relu")(x)


def random_model(rng):
    tf_keras.utils.set_random_seed(int(rng.integers(2**31)))
    x = start = tf_keras.Input((int(rng.integers(8, 17)), int(rng.integers(8, 17)), int(rng.integers(1, 4))))
    for _ in range(rng.integers(2, 7)):
        x = block(rng, x)
    x = layers.GlobalAveragePooling2D()(x) if rng.random() < 0.5 else layers.Flatten()(x)
    model = tf_keras.Model(start, layers.Dense(5, activation=rng.choice([None, "softmax"]))(x))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return model


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_random_keras_network(seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng)
    tflite = to_tflite(model, rng.normal(size=(10, *model.input_shape[1:])))
    outputs = assert_interpreter_is_exact(tflite)
    graph = read_tflite(tflite)
    np.testing.assert_array_equal(run(run_passes(graph), inputs_of(graph)), outputs)
