"""A small exploration problem, and records that are made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import keras_approx
from keras_approx import Budget, Grid
from keras_approx.compat import keras
from keras_approx.exploration.design import Design
from keras_approx.exploration.front.pareto_front import ParetoFront
from keras_approx.exploration.records import EvaluatedDesign
from keras_approx.skipping.granularity import group_sums
from tests.keras_approx import models

IMAGES = 600  # so that there is more than one block
VALUES = [1.0, 0.8, 0.6, 0.4, 0.2]
SMALL = Budget(budgets=2, rounds=0)


@dataclass(frozen=True)
class Small:
    """A calibrated model, and images whose labels are mostly what it says itself."""

    model: Any
    calibration: np.ndarray
    images: np.ndarray
    labels: np.ndarray

    @property
    def arguments(self) -> dict[str, Any]:
        """For `explore`."""
        validation = (self.images, self.labels)
        return {"calibration": self.calibration, "validation": validation, "price": price, "verbose": False}

    def right(self) -> int:
        """Images that plain `predict` classifies right with the masks that the model has."""
        predicted = self.model.predict(self.images, verbose=0).argmax(axis=1)
        return int(np.count_nonzero(predicted == self.labels))


def small() -> Small:
    model = keras_approx.wrap(models.small(), compensate=True)
    calibration = models.inputs(model)
    keras_approx.calibrate(model, calibration, verbose=False)
    images = models.inputs(model, IMAGES, seed=5)
    labels = model.predict(images, verbose=0).argmax(axis=1)
    labels[::7] = (labels[::7] + 1) % 4
    return Small(model, calibration, images, labels)


def price(masks: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Cycles by pairs, flash by weights, and the same RAM for all."""
    times = {"first": 36, "second": 9, "third": 1}
    cycles = sum(times[name] * np.count_nonzero(group_sums(mask, "pair")) for name, mask in masks.items())
    return {"cycles": 500.0 + cycles, "flash": float(sum(mask.sum() for mask in masks.values())), "ram": 64.0}


def explored(problem: Small, out: Path, **options: Any) -> ParetoFront:
    """The front of a grid, or of other options."""
    grid: Mapping[str, Any] = {"search": Grid(), "values": VALUES}
    return keras_approx.explore(problem.model, out=out, **{**problem.arguments, **grid, **options})


def residual() -> Any:
    """Two residual blocks, one with a masked shortcut, ReLUs before and after maxima, and a branch without masks."""
    layers = keras.layers
    image = keras.Input((12, 12, 3))
    x = layers.Conv2D(6, 3, padding="same", name="stem")(image)
    x = layers.MaxPooling2D()(layers.ReLU()(layers.BatchNormalization()(x)))
    y = layers.Conv2D(6, 3, padding="same", activation="relu", name="a1")(x)
    y = layers.Conv2D(6, 3, padding="same", name="a2")(y)
    x = layers.ReLU()(layers.Add()([x, y]))
    shortcut = layers.Conv2D(8, 1, strides=2, name="b0")(x)
    y = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="b1")(x)
    y = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same", use_bias=False, name="b2")(y))
    y = layers.Add()([shortcut, y])
    side = layers.AveragePooling2D()(x)
    y = layers.MaxPooling2D(2, 1, padding="same")(layers.ReLU(6.0)(layers.Concatenate()([y, side])))
    outputs = layers.Dense(5, name="out")(layers.Flatten()(y))
    return models.randomize(keras.Model(image, outputs, name="residual"))


def record(
    values: Mapping[str, float],
    correct: int,
    cycles: float,
    *,
    images: int = 1000,
    dropped: bool = False,
    **costs: float,
) -> EvaluatedDesign:
    kept = {name: values.get(name, 1.0) for name in ("a", "b")}
    return EvaluatedDesign(
        Design(values=values),
        correct / images,
        images,
        dropped,
        {"cycles": cycles, **costs},
        sum(kept.values()) / 2,
        kept,
        0.125,
    )
