"""Networks that people bring, at sizes for tests, with random weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

layers = keras.layers


def _randomized(model: Any) -> Any:
    """The model, with what batch normalization would have measured; other weights are random as they are."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model


def _normalized(x: Any, layer: Any, activation: str | None = "relu") -> Any:
    x = layers.BatchNormalization()(layer(x))
    return layers.Activation(activation)(x) if activation else x


def _application(name: str, **options: Any) -> Callable[[], Any]:
    """A network of Keras's own collection for ten classes of 32 x 32 images."""
    make = getattr(keras.applications, name)
    return lambda: make(input_shape=(32, 32, 3), weights=None, classes=10, **options)


def efficient() -> Any:
    """Inverted bottlenecks as in EfficientNet-Lite, one of them with the gate that Lite leaves out."""
    image = keras.Input((48, 48, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = _normalized(x, layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False), "relu6")
    for channels, stride, size in ((8, 1, 3), (12, 2, 5), (12, 1, 5)):
        y = _normalized(x, layers.Conv2D(4 * x.shape[-1], 1, use_bias=False), "relu6")
        y = _normalized(
            y, layers.DepthwiseConv2D(size, strides=stride, padding="same", use_bias=False), "swish"
        )
        gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
        gate = layers.Conv2D(4, 1, activation="swish")(gate)
        y = layers.Multiply()([y, layers.Conv2D(y.shape[-1], 1, activation="sigmoid")(gate)])
        y = _normalized(y, layers.Conv2D(channels, 1, use_bias=False), None)
        x = layers.Add()([x, layers.Dropout(0.1)(y)]) if x.shape == y.shape else y
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


def residual() -> Any:
    """ResNet-style blocks, with and without a convolution on the shortcut."""
    image = keras.Input((32, 32, 3))
    x = layers.RandomFlip("horizontal")(image)
    x = _normalized(x, layers.Conv2D(8, 3, padding="same"))
    for channels, stride in ((8, 1), (16, 2)):
        y = _normalized(x, layers.Conv2D(channels, 3, strides=stride, padding="same"))
        y = _normalized(y, layers.Conv2D(channels, 3, padding="same"), None)
        short = x if x.shape == y.shape else _normalized(x, layers.Conv2D(channels, 1, strides=stride), None)
        x = layers.ReLU()(layers.Add()([short, y]))
    return keras.Model(image, layers.Dense(10)(layers.Flatten()(layers.AveragePooling2D(4)(x))))


def segmentation() -> Any:
    """A small U-Net: two steps down, two up, one of them learned, with the maps of each size joined."""
    image = keras.Input((32, 32, 1))
    first = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    second = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.MaxPooling2D()(first))
    x = layers.Conv2D(8, 3, padding="same", activation="relu", dilation_rate=2)(layers.MaxPooling2D()(second))
    x = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(8, 3, padding="same")(layers.Concatenate()([x, second]))
    x = layers.UpSampling2D(interpolation="bilinear")(layers.LeakyReLU(0.1)(x))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(layers.Concatenate()([x, first]))
    return keras.Model(image, layers.Conv2D(2, 1, activation="softmax")(x))


def keywords() -> Any:
    """A DS-CNN of spectrograms."""
    image = keras.Input((49, 10, 1))
    x = _normalized(image, layers.Conv2D(16, (10, 4), strides=2, padding="same"))
    for _ in range(2):
        x = _normalized(x, layers.DepthwiseConv2D(3, padding="same"))
        x = _normalized(x, layers.Conv2D(16, 1))
    x = layers.AveragePooling2D(x.shape[1:3])(layers.Dropout(0.2)(x))
    return keras.Model(image, layers.Dense(12, activation="softmax")(layers.Flatten()(x)))


def activity() -> Any:
    """A network of one-dimensional convolutions over readings of an accelerometer."""
    readings = keras.Input((64, 3))
    x = layers.Normalization(mean=[0.1, -0.2, 9.8], variance=[1.0, 1.2, 2.0])(readings)
    x = layers.MaxPooling1D()(layers.Conv1D(8, 5, activation="relu", padding="causal")(x))
    x = layers.SpatialDropout1D(0.1)(layers.SeparableConv1D(8, 3, activation="relu")(x))
    x = layers.PReLU(shared_axes=[1])(layers.Conv1D(12, 3, strides=2)(x))
    x = layers.Concatenate()([layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)])
    return keras.Model(readings, layers.Dense(6, activation="softmax")(x))


def detector() -> Any:
    """A backbone with the two heads of an SSD: classes and boxes of all anchors, from maps of two sizes."""
    image = keras.Input((48, 48, 3))
    x = _normalized(image, layers.Conv2D(8, 3, strides=2, padding="same"), "relu6")
    x = _normalized(x, layers.SeparableConv2D(16, 3, strides=2, padding="same"), "relu6")
    y = _normalized(x, layers.SeparableConv2D(16, 3, strides=2, padding="same"), "relu6")
    boxes = layers.Conv2D(8, 3, padding="same")  # one head for maps of both sizes
    classes, places = [], []
    for features in (x, y):
        found = layers.Conv2D(6, 3, padding="same")(features)
        classes.append(layers.Reshape((-1, 3))(found))
        places.append(layers.Reshape((-1, 4))(boxes(features)))
    scores = layers.Activation("sigmoid")(layers.Concatenate(axis=1)(classes))
    return keras.Model(image, [scores, layers.Concatenate(axis=1)(places)])


NETWORKS: dict[str, Callable[[], Any]] = {
    "MobileNet": _application("MobileNet", alpha=0.25),
    "MobileNetV2": _application("MobileNetV2", alpha=0.1),
    "MobileNetV3": _application("MobileNetV3Small", alpha=0.25, include_preprocessing=True),
    "efficient": efficient,
    "residual": residual,
    "segmentation": segmentation,
    "keywords": keywords,
    "activity": activity,
    "detector": detector,
}


def network(name: str) -> Any:
    """One of NETWORKS."""
    keras.utils.set_random_seed(0)
    return _randomized(NETWORKS[name]())


class _Stream(tf.Module):
    """Convolutions over time that get one frame an inference and keep those before it in a variable."""

    def __init__(self, frames: int, features: int) -> None:
        super().__init__()
        self.past = tf.Variable(tf.zeros((1, frames - 1, 1, features)), trainable=False)
        rng = np.random.default_rng(0)
        self._kernels = [
            tf.constant(rng.normal(size=shape) / 3, tf.float32)
            for shape in ((frames, 1, features, 8), (1, 1, 8, 4))
        ]

    def __call__(self, frame: Any) -> Any:
        """One inference, float32 [1, 1, 1, features] to [1, 1, 1, 4]."""
        window = tf.concat((self.past, frame), 1)
        self.past.assign(window[:, 1:])
        x = tf.nn.relu(tf.nn.conv2d(window, self._kernels[0], 1, "VALID"))
        return tf.nn.softmax(tf.nn.conv2d(x, self._kernels[1], 1, "VALID"))


def streaming() -> bytes:
    """An int8 `.tflite` of a network with state."""
    frames, features = 5, 8
    network = _Stream(frames, features)
    signature = [tf.TensorSpec((1, 1, 1, features), tf.float32)]
    concrete = tf.function(network.__call__).get_concrete_function(*signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], network)
    rng = np.random.default_rng(0)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [rng.normal(size=(1, 1, 1, features)).astype(np.float32)] for _ in range(32)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.experimental_enable_resource_variables = True
    converter._experimental_variable_quantization = True
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())
