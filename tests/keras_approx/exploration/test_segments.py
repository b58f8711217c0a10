"""A model in segments gives what it gives whole, to the last bit, and is traced once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx.errors import NotWrappedError
from keras_approx.exploration.segments import cut_model, masked_layers, masked_weights
from keras_approx.skip_wrapper import skip_wrappers
from tests.keras_approx import models
from tests.keras_approx.exploration.problems import residual


def _run(model: Any, masks: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    cut = cut_model(model)
    layers = {layer.name: layer for layer in skip_wrappers(model)}
    tensors = cut.begin(images)
    for segment in cut.segments:
        weights = masked_weights(layers[segment.layer], masks[segment.layer])
        tensors = segment.run(tensors, weights.kernel, weights.bias)
    [outputs] = tensors
    return np.asarray(outputs)


@pytest.mark.parametrize(
    ("network", "compensate"),
    [(models.small, True), (models.small, False), (models.every_layer, True), (residual, False)],
)
def test_segments_give_what_predict_gives(network: Callable[[], Any], compensate: bool) -> None:
    model = keras_approx.wrap(network(), compensate=compensate)
    images = models.inputs(model, 40)
    keras_approx.calibrate(model, models.inputs(model), verbose=False)
    masks = models.random_masks(model, kept=0.7)
    outputs = _run(model, masks, images)
    keras_approx.set_masks(model, masks)
    whole = model.predict(images, batch_size=len(images), verbose=0)
    assert np.ptp(whole) > 0
    np.testing.assert_array_equal(outputs, whole)


def test_branches_that_are_open_at_a_cut() -> None:
    model = keras_approx.wrap(residual())
    keras_approx.calibrate(model, models.inputs(model), verbose=False)
    cut = cut_model(model)
    assert [segment.layer for segment in cut.segments] == masked_layers(model)
    assert sorted(masked_layers(model)) == sorted(layer.name for layer in skip_wrappers(model))
    alive = [cut.begin(models.inputs(model, 2))]
    layers = {layer.name: layer for layer in skip_wrappers(model)}
    for segment in cut.segments:
        weights = masked_weights(layers[segment.layer], layers[segment.layer].get_mask())
        alive.append(segment.run(alive[-1], weights.kernel, weights.bias))
    counts = {segment.layer: len(tensors) for segment, tensors in zip(cut.segments, alive, strict=False)}
    # Before a2 both the block's input and a1's output are needed; before b2 also the shortcut and the pooled branch.
    assert (counts["stem"], counts["a1"], counts["a2"], counts["out"]) == (1, 1, 2, 1)
    assert counts["b2"] == 3
    assert len(alive[-1]) == 1


def test_an_uncalibrated_model() -> None:
    model = keras_approx.wrap(models.small())
    images = models.inputs(model, 8)
    masks = models.random_masks(model)
    outputs = _run(model, masks, images)
    keras_approx.set_masks(model, masks)
    np.testing.assert_array_equal(outputs, model.predict(images, verbose=0))


def test_a_plain_model() -> None:
    with pytest.raises(NotWrappedError, match="carries a mask"):
        cut_model(models.small())
