"""A small wrapped model, and what fits it."""

from __future__ import annotations

from typing import Any

import keras_approx
from keras_approx.compat import keras
from keras_approx.measure.summaries import mask_positions
from keras_approx.skipping.masks import kept_fraction
from tests.keras_approx import models


def compiled(**options: Any) -> Any:
    wrapped = keras_approx.wrap(models.small(), **options)
    keras_approx.calibrate(wrapped, models.inputs(wrapped), verbose=False)
    wrapped.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    return wrapped


def fit(model: Any, *callbacks: Any, epochs: int = 1, steps_per_epoch: int = 4) -> dict[str, list[float]]:
    x, y = models.inputs(model, 8 * steps_per_epoch), models.labels(8 * steps_per_epoch)
    return model.fit(
        x, y, batch_size=8, epochs=epochs, shuffle=False, callbacks=list(callbacks), verbose=0
    ).history


class Watch(keras.callbacks.Callback):
    """Records the share of products kept in every batch."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.kept.append(kept_fraction(keras_approx.get_masks(self.model), mask_positions(self.model)))
