"""The networks that examples and benchmarks train, as plain tf_keras models with batch normalization.

Every network takes `[batch, 32, 32, 3]` float32 images scaled by `cifar10.to_float`, and returns `[batch,
10]` float32 logits (no softmax: arg max needs none, and neither does a microcontroller). Batch normalization
stands between a convolution and its activation, so that it folds into the convolution when the network is
quantized.

Sources: `lenet` and `alexnet` have the spatial sizes of Armeniakos et al., "Accelerating TinyML Inference on
Microcontrollers through Approximate Kernels", 2024; `resnet8` is ResNet-8 of the MLPerf Tiny benchmark
(Banbury et al., 2021); `dscnn` is a small network in the manner of MobileNet (Howard et al., 2017).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
import tf_keras as keras

WEIGHTS = Path(__file__).parent / "weights"
INPUT_SHAPE = (32, 32, 3)
CLASSES = 10


def _conv(
    x: tf.Tensor,
    filters: int,
    name: str,
    *,
    kernel: int = 3,
    stride: int = 1,
    padding: str = "valid",
    relu: bool = True,
) -> tf.Tensor:
    x = keras.layers.Conv2D(filters, kernel, stride, padding, use_bias=False, name=name)(x)
    x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _separable(x: tf.Tensor, filters: int, name: str, *, stride: int = 1) -> tf.Tensor:
    x = keras.layers.DepthwiseConv2D(3, stride, "same", use_bias=False, name=f"{name}_depthwise")(x)
    x = keras.layers.BatchNormalization(name=f"{name}_depthwise_bn")(x)
    x = keras.layers.ReLU(name=f"{name}_depthwise_relu")(x)
    return _conv(x, filters, f"{name}_pointwise", kernel=1)


def lenet() -> keras.Model:
    """Three 3x3 convolutions (32, 64, 64) with valid padding, two max-pools, dense 64, dense 10."""
    return _lenet("lenet", 32)


def lenet_wide() -> keras.Model:
    """`lenet` with 1.5 times the channels (48, 96, 96, dense 96). It has more to skip."""
    return _lenet("lenet_wide", 48)


def _lenet(name: str, filters: int) -> keras.Model:
    inputs = keras.Input(INPUT_SHAPE, name="image")
    x = _conv(inputs, filters, "conv1")
    x = keras.layers.MaxPooling2D(name="pool1")(x)
    x = _conv(x, 2 * filters, "conv2")
    x = keras.layers.MaxPooling2D(name="pool2")(x)
    x = _conv(x, 2 * filters, "conv3")
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(2 * filters, activation="relu", name="dense1")(x)
    x = keras.layers.Dropout(0.2, name="dropout")(x)
    return keras.Model(inputs, keras.layers.Dense(CLASSES, name="logits")(x), name=name)


def alexnet() -> keras.Model:
    """Five 3x3 convolutions (32, 64, 96, 64, 64) with valid padding, three max-pools, dense 128, dense 10."""
    inputs = keras.Input(INPUT_SHAPE, name="image")
    x = _conv(inputs, 32, "conv1")
    x = keras.layers.MaxPooling2D(name="pool1")(x)
    x = _conv(x, 64, "conv2")
    x = _conv(x, 96, "conv3")
    x = _conv(x, 64, "conv4")
    x = keras.layers.MaxPooling2D(name="pool2")(x)
    x = _conv(x, 64, "conv5")
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(128, activation="relu", name="dense1")(x)
    x = keras.layers.Dropout(0.3, name="dropout")(x)
    return keras.Model(inputs, keras.layers.Dense(CLASSES, name="logits")(x), name="alexnet")


def resnet8() -> keras.Model:
    """A 3x3 convolution, three residual stacks of two (16, 32, 64 channels), average pool, dense 10."""
    inputs = keras.Input(INPUT_SHAPE, name="image")
    x = _conv(inputs, 16, "conv1", padding="same")
    for stack, (filters, stride) in enumerate(((16, 1), (32, 2), (64, 2)), start=1):
        name = f"stack{stack}"
        y = _conv(x, filters, f"{name}_conv1", stride=stride, padding="same")
        y = _conv(y, filters, f"{name}_conv2", padding="same", relu=False)
        if stride > 1:
            x = keras.layers.Conv2D(filters, 1, stride, name=f"{name}_shortcut")(x)
        x = keras.layers.Add(name=f"{name}_add")([x, y])
        x = keras.layers.ReLU(name=f"{name}_relu")(x)
    x = keras.layers.AveragePooling2D(8, name="pool")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    return keras.Model(inputs, keras.layers.Dense(CLASSES, name="logits")(x), name="resnet8")


def dscnn() -> keras.Model:
    """A 3x3 convolution, five depthwise-separable ones (32 to 128 channels), average pool, dense 10."""
    inputs = keras.Input(INPUT_SHAPE, name="image")
    x = _conv(inputs, 32, "conv1", padding="same")
    for block, (filters, stride) in enumerate(((32, 1), (64, 2), (64, 1), (128, 2), (128, 1)), start=1):
        x = _separable(x, filters, f"block{block}", stride=stride)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(CLASSES, name="logits")(x), name="dscnn")


NETWORKS: dict[str, Callable[[], keras.Model]] = {
    "lenet": lenet,
    "lenet_wide": lenet_wide,
    "alexnet": alexnet,
    "resnet8": resnet8,
    "dscnn": dscnn,
}


PRETRAINED = tuple(name for name in NETWORKS if (WEIGHTS / f"{name}.h5").is_file())
"""The networks that have weights."""


def pretrained(name: str) -> keras.Model:
    """A network with the float weights that `train.py` made on the JPEG version's 45,000 training images.

    `weights/<name>.json` is the record of that training.

    Raises:
        FileNotFoundError: No weights of that name are shipped.
    """
    path = WEIGHTS / f"{name}.h5"
    if name not in PRETRAINED:
        shipped = ", ".join(PRETRAINED)
        raise FileNotFoundError(f"no weights {path}: there are weights for {shipped}; train.py makes others")
    model = NETWORKS[name]()
    model.load_weights(path)
    return model
