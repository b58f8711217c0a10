"""Layers of few products, where calls and loops are most of what they take, are predicted as well as large ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tf_keras as keras

import export

layers = keras.layers


def _dense() -> keras.Model:
    inputs = keras.Input((16,))
    x = layers.Dense(4, activation="relu")(inputs)
    return keras.Model(inputs, layers.Dense(2)(x))


def _pointwise() -> keras.Model:
    inputs = keras.Input((6, 6, 4))
    x = layers.Conv2D(8, 1, activation="relu")(inputs)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x))


@pytest.mark.parametrize("make", (_dense, _pointwise))
@pytest.mark.parametrize("core", ("cortex-m33", "cortex-m4"))
def test_cycles_and_flash_of_small_layers(make: Callable[[], keras.Model], core: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = make()
    samples = np.random.default_rng(0).normal(size=(20, *model.input_shape[1:])).astype(np.float32)
    tflite = export.to_tflite(model, representative_data=samples)

    predicted = export.to_c(tflite, tmp_path / "out", target=core).estimate
    measured = export.simulate(tmp_path / "out", np.zeros((1, *model.input_shape[1:]), np.int8), core=core)

    for layer, found in zip(predicted.layers, measured.per_layer, strict=False):
        assert layer.cycles == pytest.approx(found.cycles, rel=0.02, abs=10)
        assert layer.flash_bytes == pytest.approx(found.flash_bytes, rel=0.02, abs=8)
