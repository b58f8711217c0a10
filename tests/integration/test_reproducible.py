"""Reproducible: the same seed gives the same masks and the same bytes of C, another seed other ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tf_keras

import export
import keras_approx

CLASSES = 4


def _fine_tuned(seed: int) -> object:
    tf_keras.backend.clear_session()  # names of layers that have none are numbered
    tf_keras.utils.set_random_seed(7)
    layers = tf_keras.layers
    network = tf_keras.Sequential(
        [
            layers.Conv2D(8, 3, use_bias=False, input_shape=(12, 12, 3), name="first"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(12, 3, activation="relu", name="second"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(CLASSES, name="logits"),
        ],
        name="small",
    )
    rng = np.random.default_rng(0)
    images = rng.normal(size=(192, 12, 12, 3)).astype(np.float32)
    labels = rng.integers(0, CLASSES, 192)
    tf_keras.utils.set_random_seed(seed)
    model, _ = keras_approx.fine_tune(
        network,
        (images, labels),
        skipping=keras_approx.Rank("energy", 0.4, frequency=4),
        epochs=3,
        batch_size=16,
        loss=tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        verbose=0,
    )
    return model


def _files(model: object, folder: Path) -> dict[str, bytes]:
    export.to_c(model, folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_same_seed_same_masks_same_code(tmp_path: Path) -> None:
    first, again, other = _fine_tuned(1), _fine_tuned(1), _fine_tuned(2)
    masks, same, different = map(keras_approx.get_masks, (first, again, other))
    assert all(np.array_equal(masks[name], same[name]) for name in masks)
    assert not all(np.array_equal(masks[name], different[name]) for name in masks)
    files = _files(first, tmp_path / "first")
    assert files == _files(again, tmp_path / "again")
    assert files != _files(other, tmp_path / "other")
