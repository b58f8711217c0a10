"""A model in segments gives what it gives whole, to the last bit, and is traced once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx.errors import NotWrappedError
from keras_approx.exploration.evaluate.segments import NO_WEIGHTS, cut_model, masked_weights
from keras_approx.layers.skip_wrapper import skip_wrappers
from keras_approx.measure.summaries import masked_layers
from tests.keras_approx import models
from tests.keras_approx.exploration.problems import residual


def _run(model: Any, masks: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    [outputs] = _cuts(model, masks, images)[-1]
    return np.asarray(outputs)


def _cuts(model: Any, masks: dict[str, np.ndarray], images: np.ndarray) -> list[Any]:
    """The tensors alive at each cut, and the output."""
    layers = {layer.name: layer for layer in skip_wrappers(model)}
    first, *others = cut_model(model)
    alive = [first.run((images,), NO_WEIGHTS.kernel, NO_WEIGHTS.bias)]
    for segment in others:
        weights = masked_weights(layers[segment.layer], masks[segment.layer])
        alive.append(segment.run(alive[-1], weights.kernel, weights.bias))
    return alive


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
    names = masked_layers(model)
    assert [segment.layer for segment in cut_model(model)] == ["", *names]
    assert sorted(names) == sorted(layer.name for layer in skip_wrappers(model))
    alive = _cuts(model, keras_approx.get_masks(model), models.inputs(model, 2))
    counts = {name: len(tensors) for name, tensors in zip(names, alive, strict=False)}
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
