"""Saving, loading and going on gives bit for bit what never stopping gives, in every format."""

from __future__ import annotations

import copy as copying
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx.compat import keras
from keras_approx.layers.skip_wrapper import skip_wrappers
from keras_approx.skipping.schedules import Polynomial
from keras_approx.training.callbacks import UpdateSkipMasks
from tests.keras_approx import models

OPTIONS = {"skipped_gradient": "straight_through", "compensate": True}


def _new() -> Any:
    wrapped = keras_approx.wrap(models.small(), **OPTIONS)
    wrapped.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    return wrapped


def _fit(model: Any, first: int, last: int) -> None:
    """Epochs of 4 steps; the schedule ends in the last of 3, updates fall between and on their borders."""
    x, y = models.inputs(model, 32), models.labels(32)
    update = UpdateSkipMasks(Polynomial(1.0, 0.3, end_step=10), frequency=3)
    model.fit(
        x,
        y,
        batch_size=8,
        initial_epoch=first,
        epochs=last,
        shuffle=False,
        callbacks=[update],
        verbose=0,
    )


@pytest.fixture(scope="module")
def trained() -> tuple[Any, list[np.ndarray]]:
    """A model after the first epoch, and the weights that it has after three."""
    model = _new()
    keras_approx.calibrate(model, models.inputs(model), verbose=False)
    _fit(model, 0, 1)
    paused = keras.models.clone_model(model)
    paused.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    paused.set_weights(model.get_weights())
    paused.optimizer.build(paused.trainable_variables)
    for target, source in zip(paused.optimizer.variables, model.optimizer.variables, strict=True):
        target.assign(source)
    _fit(model, 1, 3)
    return paused, model.get_weights()


def _check(loaded: Any, trained: tuple[Any, list[np.ndarray]]) -> None:
    paused, final = trained
    x = models.inputs(paused, seed=8)
    assert np.array_equal(paused.predict(x, verbose=0), loaded.predict(x, verbose=0))
    for ours, theirs in zip(skip_wrappers(paused), skip_wrappers(loaded), strict=True):
        assert np.array_equal(ours.get_mask(), theirs.get_mask())
        assert 0 < ours.get_mask().mean() < 1
        assert np.array_equal(ours.get_statistics().mean_square, theirs.get_statistics().mean_square)
        assert ours.get_config() == theirs.get_config()
    _fit(loaded, 1, 3)
    assert all(np.array_equal(a, b) for a, b in zip(final, loaded.get_weights(), strict=True))


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_whole_models(name: str, tmp_path: Path, trained: tuple[Any, list[np.ndarray]]) -> None:
    trained[0].save(tmp_path / name)
    with keras_approx.approx_scope():
        loaded = keras.models.load_model(tmp_path / name)
    _check(loaded, trained)


@pytest.mark.parametrize("name", ["checkpoint", "model.weights.h5"])
def test_weights_and_optimizer(name: str, tmp_path: Path, trained: tuple[Any, list[np.ndarray]]) -> None:
    trained[0].save_weights(tmp_path / name)
    loaded = _new()
    loaded.optimizer.build(loaded.trainable_variables)
    loaded.load_weights(tmp_path / name)
    _check(loaded, trained)


@pytest.mark.parametrize("copy", [copying.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies(copy: Any, trained: tuple[Any, list[np.ndarray]]) -> None:
    _check(copy(trained[0]), trained)


def test_loading_out_of_scope_names_the_scope(tmp_path: Path) -> None:
    keras_approx.wrap(models.small()).save(tmp_path / "model.keras")
    with pytest.raises(TypeError, match=r"keras_approx\.approx_scope"):
        keras.models.load_model(tmp_path / "model.keras")


def test_weights_alone(tmp_path: Path, trained: tuple[Any, list[np.ndarray]]) -> None:
    trained[0].save_weights(tmp_path / "weights.h5")
    loaded = _new()
    loaded.load_weights(tmp_path / "weights.h5")
    loaded.optimizer.build(loaded.trainable_variables)
    for target, source in zip(loaded.optimizer.variables, trained[0].optimizer.variables, strict=True):
        target.assign(source)
    _check(loaded, trained)
