"""The recipe does what it says, with every kind of data, and each part can be replaced."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx.compat import keras, tf
from keras_approx.errors import OptionError
from keras_approx.layers.skip_wrapper import skip_wrappers
from keras_approx.measure.summaries import mask_positions
from keras_approx.skipping.masks import kept_fraction
from keras_approx.skipping.schedules import Constant
from tests.keras_approx import models

LOSS = "sparse_categorical_crossentropy"


def _data(count: int = 64) -> tuple[np.ndarray, np.ndarray]:
    return models.inputs(models.small(), count), models.labels(count)


def _kept(model: Any) -> float:
    return kept_fraction(keras_approx.get_masks(model), mask_positions(model))


class _Batches(keras.utils.Sequence):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(16 * index, 16 * (index + 1))
        inputs, labels = _data()
        return inputs[part], labels[part]


class _Kept(keras.callbacks.Callback):
    """Notes what masks keep at the start of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.of_steps: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.of_steps.append(_kept(self.model))


def test_recipe() -> None:
    network = models.small()
    before = [weight.copy() for weight in network.get_weights()]
    data = _data()
    rates: list[float] = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            optimizer = self.model.optimizer
            rates.append(float(optimizer.learning_rate))

    model, history = keras_approx.fine_tune(
        network,
        data,
        loss=LOSS,
        kept=0.4,
        epochs=4,
        batch_size=16,
        learning_rate=0.01,
        validation_data=data,
        callbacks=[Watch()],
        frequency=2,
        verbose=0,
    )
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))
    kept = history.history["kept"]
    assert kept[0] > kept[1] > kept[2] == kept[3]
    assert _kept(model) == pytest.approx(0.4, abs=0.02)
    assert rates[0] == pytest.approx(0.01)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.01 * (1 + np.cos(np.pi * 14 / 16)) / 2, rel=1e-3)
    assert all(layer.compensate for layer in skip_wrappers(model))
    assert model.evaluate(*data, verbose=0)[1] == pytest.approx(history.history["val_accuracy"][-1])


@pytest.mark.parametrize(
    "data",
    [
        lambda: tf.data.Dataset.from_tensor_slices(_data()).batch(16),
        lambda: tf.data.Dataset.from_tensor_slices(_data()).batch(16).repeat(),
        _Batches,
    ],
)
def test_kinds_of_data(data: Any) -> None:
    source = data()
    known = isinstance(source, _Batches) or int(source.cardinality()) > 0
    model, history = keras_approx.fine_tune(
        models.small(),
        source,
        loss=LOSS,
        kept=0.5,
        epochs=1,
        distillation=0,
        steps_per_epoch=None if known else 4,
        verbose=0,
    )
    assert int(model.optimizer.iterations) == 4
    assert history.history["kept"] == [pytest.approx(0.5, abs=0.02)]


def test_parts_can_be_replaced() -> None:
    wrapped = keras_approx.wrap(models.small(), skipped_gradient="straight_through")
    wrapped.compile("sgd", LOSS)
    optimizer = keras.optimizers.Adam(1e-3)
    model, _ = keras_approx.fine_tune(
        wrapped,
        _data(),
        kept=Constant(0.5),
        epochs=1,
        batch_size=16,
        optimizer=optimizer,
        teacher=models.randomize(models.small(), seed=7),
        verbose=0,
        granularity="block",
        significance="taylor",
        exempt=("first",),
    )
    assert model is wrapped
    assert model.optimizer is optimizer
    assert all(layer.get_statistics().gradient is not None for layer in skip_wrappers(model))
    masks = keras_approx.get_masks(model)
    assert masks["first"].all()
    assert np.array_equal(masks["second"][..., :4].any(axis=-1), masks["second"][..., :4].all(axis=-1))


@pytest.mark.parametrize("rounds", [1, 3])
def test_elimination_in_rounds(rounds: int) -> None:
    kept = _Kept()
    keras_approx.fine_tune(
        models.small(),
        _data(80),
        loss=LOSS,
        kept=0.25,
        epochs=2,
        batch_size=8,
        elimination_rounds=rounds,
        callbacks=[kept],
        verbose=0,
    )
    # Over the first 8 of 20 steps; 1.6 times as much at first.
    rounded = [0.25] * 20 if rounds == 1 else [0.4] * 4 + [0.2875] * 4 + [0.25] * 12
    np.testing.assert_allclose(kept.of_steps, rounded, atol=0.02)


def test_elimination_takes_nothing_back() -> None:
    options = {"loss": LOSS, "epochs": 2, "batch_size": 16, "distillation": 0, "verbose": 0}
    kept = _Kept()
    model, _ = keras_approx.fine_tune(models.small(), _data(), kept=0.3, **options)
    keras_approx.fine_tune(model, _data(), kept=0.25, callbacks=[kept], **options)
    assert kept.of_steps[0] <= 0.31
    assert kept.of_steps[-1] == pytest.approx(0.25, abs=0.02)


def test_goes_on_from_the_masks_of_a_model() -> None:
    options = {"loss": LOSS, "epochs": 4, "batch_size": 16, "distillation": 0, "verbose": 0}
    kept = [_Kept(), _Kept(), _Kept()]
    model, _ = keras_approx.fine_tune(
        models.small(), _data(), kept=0.5, exempt=("first",), frequency=1, callbacks=[kept[0]], **options
    )
    model, _ = keras_approx.fine_tune(
        model, _data(), kept=0.5, exempt=("first",), frequency=1, callbacks=[kept[1]], **options
    )
    model, _ = keras_approx.fine_tune(
        model, _data(), kept=0.3, exempt=("first",), frequency=1, callbacks=[kept[2]], **options
    )
    first, second, third = (found.of_steps for found in kept)
    assert first[0] == 1
    # Whole pairs, some of them of one product, seldom make the same share.
    assert second == pytest.approx([first[-1]] * len(second), abs=0.01)
    assert third[0] == pytest.approx(first[-1], abs=0.01)
    assert third[0] > third[-1]


def test_a_best_epoch_before_the_final_masks_does_not_come_back() -> None:
    stop = keras.callbacks.EarlyStopping("kept", mode="max", patience=1, restore_best_weights=True)
    model, _ = keras_approx.fine_tune(
        models.small(),
        _data(),
        loss=LOSS,
        kept=0.3,
        significance="energy",
        epochs=6,
        batch_size=8,
        callbacks=[stop],
        verbose=0,
    )
    assert _kept(model) == pytest.approx(0.3, abs=0.02)


def test_the_exact_model() -> None:
    model, history = keras_approx.fine_tune(
        models.small(), _data(), loss=LOSS, kept=1, epochs=2, distillation=0, verbose=0
    )
    assert _kept(model) == 1
    assert history.history["kept"] == [1, 1]
    assert all(layer.calibrated.numpy() for layer in skip_wrappers(model))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"loss": None}, "give loss="),
        ({"batch_size": 64}, "at least two steps"),
        ({"data": iter(())}, "steps_per_epoch="),
        ({"granularity": "triple"}, "granularity must be"),
        ({"select": "threshold"}, "give kept= as a schedule of thresholds"),
        ({"elimination_rounds": 0}, "at least one round"),
        ({"elimination_rounds": 2, "significance": "energy"}, "a metric ranks these products"),
        ({"elimination_batches": 0}, "no fewer than one batch"),
        ({"distillation": 2}, "weight between 0 and 1"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], says: str) -> None:
    given = {"data": _data(), "loss": LOSS, "epochs": 1, "batch_size": 16, "verbose": 0, **options}
    with pytest.raises(OptionError, match=says):
        keras_approx.fine_tune(models.small(), **given)


def test_input_range_of_a_wrapped_model() -> None:
    wrapped = keras_approx.wrap(models.small())
    with pytest.raises(OptionError, match=r"give input_range to keras_approx\.wrap"):
        keras_approx.fine_tune(wrapped, _data(), loss=LOSS, batch_size=16, input_range=(-9, 9))
