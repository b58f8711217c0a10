"""A network and images so small that a benchmark runs in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tf_keras as keras


def network(name: str, filters: int = 4) -> keras.Model:
    """A convolution and a dense layer, named as in the examples; its weights are always the same."""
    keras.utils.set_random_seed(4)
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(filters, 3, strides=2, use_bias=False, name="conv1")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.AveragePooling2D(5)(keras.layers.ReLU()(x))
    return keras.Model(inputs, keras.layers.Dense(10, name="logits")(keras.layers.Flatten()(x)), name=name)


def write_images(path: Path) -> None:
    """Writes 320 training and 40 test images as CIFAR-10 has them; brightness tells the label."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 320), ("test", 40)):
        arrays[f"y_{part}"] = np.arange(count) % 10
        noise = rng.integers(0, 25, (count, 32, 32, 3))
        arrays[f"x_{part}"] = (25 * arrays[f"y_{part}"][:, None, None, None] + noise).astype(np.uint8)
    np.savez(path, **arrays)
