"""Training on two devices gives the masks of training on one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx.compat import keras, tf
from keras_approx.skipping.schedules import Polynomial
from keras_approx.training.callbacks import EliminateInRounds, UpdateSkipMasks
from tests.keras_approx import models


@pytest.mark.slow
def test_two_devices_are_as_one() -> None:
    # TensorFlow splits the processor only before it starts: a process of its own.
    code = "from tests.keras_approx.test_distribution import compare; compare()"
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, env={**os.environ, "PYTHONPATH": "."})


def compare() -> None:
    """Trains on one device and on two, with distillation, and compares."""
    device = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [device] * 2)
    for callback in (_updates, _eliminates):
        one, one_losses = _train(tf.distribute.get_strategy(), callback)
        two, two_losses = _train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), callback)
        np.testing.assert_allclose(one_losses, two_losses, rtol=1e-5)
        for name, mask in one.items():
            assert np.array_equal(mask, two[name])
            assert 0 < mask.mean() < 1


def _updates(inputs: np.ndarray) -> keras.callbacks.Callback:
    return UpdateSkipMasks(Polynomial(1.0, 0.4, end_step=6), frequency=2)


def _eliminates(inputs: np.ndarray) -> keras.callbacks.Callback:
    return EliminateInRounds(Polynomial(0.6, 0.4, end_step=4), inputs, steps=(0, 4))


def _train(
    strategy: Any, callback: Callable[[np.ndarray], keras.callbacks.Callback]
) -> tuple[dict[str, np.ndarray], list[float]]:
    layers = keras.layers
    with strategy.scope():
        # Without batch normalization, whose statistics are those of each device's part of a batch.
        network = keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                layers.Conv2D(6, 3, activation="relu", name="first"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(4, activation="softmax", name="second"),
            ]
        )
        student = keras_approx.wrap(models.randomize(network), compensate=True)
        inputs = models.inputs(student)
        keras_approx.calibrate(student, inputs, verbose=False)
        trained = keras_approx.distill(student, network)
        trained.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    data = tf.data.Dataset.from_tensor_slices((inputs, models.labels())).batch(16)
    history = trained.fit(data, epochs=2, callbacks=[callback(inputs)], verbose=0)
    return keras_approx.get_masks(student), history.history["loss"]
