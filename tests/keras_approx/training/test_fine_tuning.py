"""The recipe does what it says, with every kind of data, and each part can be replaced."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx import Distillation, Eliminate, Rank
from keras_approx.compat import keras, tf
from keras_approx.errors import OptionError
from keras_approx.layers.skip_wrapper import skip_wrappers
from keras_approx.measure.summaries import mask_positions
from keras_approx.skipping.masks import kept_fraction
from keras_approx.skipping.schedules import Constant, Ramp
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
        epochs=4,
        batch_size=16,
        learning_rate=0.01,
        validation_data=data,
        callbacks=[Watch()],
        skipping=Rank("energy", 0.4, frequency=2),
        verbose=0,
    )
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))
    kept = history.history["kept"]
    assert kept[0] > kept[1] > kept[2] == kept[3]
    assert _kept(model) == pytest.approx(0.4, abs=0.02)
    assert rates[0] == pytest.approx(0.01)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.01 * (1 + np.cos(np.pi * 14 / 15)) / 2, rel=1e-3)
    assert all(layer.compensate for layer in skip_wrappers(model))
    final = [epoch for epoch, share in enumerate(kept) if share == kept[-1]]
    best = max(history.history["val_accuracy"][epoch] for epoch in final)
    assert model.evaluate(*data, verbose=0)[1] == pytest.approx(best)


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
        skipping=Rank("taylor", Constant(0.5), granularity="block", exempt=("first",)),
        epochs=1,
        batch_size=16,
        optimizer=optimizer,
        distillation=Distillation(teacher=models.randomize(models.small(), seed=7)),
        verbose=0,
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
        skipping=Eliminate(0.25, rounds=rounds),
        epochs=2,
        batch_size=8,
        validation_split=0,
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
    model = models.small()
    for share, watch in zip((0.5, 0.5, 0.3), kept, strict=True):
        way = Rank("energy", share, exempt=("first",), frequency=1)
        model, _ = keras_approx.fine_tune(model, _data(), skipping=way, callbacks=[watch], **options)
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
        skipping=Rank("energy", 0.3),
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


_ONE_HOT = np.eye(4)[models.labels()]


def _used_optimizer() -> Any:
    optimizer, variable = keras.optimizers.SGD(), tf.Variable(1.0)
    optimizer.apply_gradients([(variable, variable)])
    return optimizer


def _no_batches() -> Any:
    """A dataset that does not know that it is empty."""
    return tf.data.Dataset.from_tensor_slices(_data()).batch(16).filter(lambda x, y: False)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"loss": None}, "give loss="),
        ({"loss": "crossentropy"}, "Keras has no loss 'crossentropy'"),
        ({"loss": ["mse", "mse"]}, "one output, so give one loss; got 2"),
        ({"batch_size": 64, "validation_split": 0}, "at least two steps"),
        ({"batch_size": 0}, "batch_size must be a whole number"),
        ({"epochs": 0}, "epochs must be a whole number"),
        ({"data": iter(())}, "can be read more than once; got tuple_iterator"),
        ({"data": tf.data.Dataset.from_generator(list, tf.int8)}, "give steps_per_epoch="),
        ({"skipping": "energy"}, r"skipping must be Eliminate\(kept, ...\) or Rank"),
        ({"skipping": Eliminate(), "kept": 0.5}, "give kept= or skipping="),
        ({"kept": Constant(0.5)}, "give kept= as a fraction"),
        ({"kept": 1.5}, "must be between 0 and 1"),
        ({"distillation": 2}, "weight between 0 and 1"),
        ({"distillation": "teacher"}, "distillation must be keras_approx.Distillation"),
        ({"learning_rate": float("nan")}, "a finite number above 0, got nan"),
        ({"learning_rate": -1}, "a finite number above 0, got -1"),
        ({"learning_rate": 1, "optimizer": "sgd"}, "optimizer= or learning_rate="),
        ({"data": (_data()[0], _ONE_HOT)}, "they are one-hot: give numpy.argmax"),
        ({"data": _data(), "loss": "categorical_crossentropy"}, r"shape \(n, 4\).*sparse_categorical"),
        ({"data": (_data()[0], models.labels() + 1)}, "go from 1 to 4, but the model has 4 outputs"),
        ({"data": (_data()[0], models.labels() - 0.5)}, "whole numbers from 0 to 3"),
        ({"data": (_data()[0], np.array(["cat"] * 64))}, "number them from 0 on"),
        ({"data": (_data()[0], np.array([None] * 64))}, "build an array of numbers of one shape"),
        ({"data": (_data()[0], models.labels(63))}, r"64 inputs, but labels of shape \(63,\)"),
        ({"data": (_data()[0][:, :4], models.labels())}, r"must have the shape \(n, 8, 8, 3\)"),
        ({"data": (_data()[0] * np.inf, models.labels())}, "hold NaN or infinity"),
        ({"data": _data()[:1]}, "must be \\(inputs, labels\\)"),
        ({"data": (_data()[0], _ONE_HOT - 1), "loss": "binary_crossentropy"}, "go from -1.0 to 0.0"),
        ({"data": (*_data(), np.ones(63))}, "but weights of shape"),
        ({"validation_data": _data(), "validation_split": 0.5}, "not both"),
        ({"validation_split": 1.0}, "a share from 0 to below 1"),
        ({"data": _Batches(), "sample_weight": np.ones(64)}, "are for arrays"),
        ({"validation_data": (_data()[0], _ONE_HOT)}, "labels of validation_data"),
        ({"learning_rate": "0.1"}, "finite number above 0, got '0.1'"),
        (
            {"learning_rate": keras.optimizers.schedules.CosineDecay(0.1, 9)},
            "got <.*CosineDecay.*an optimizer= has a schedule",
        ),
        ({"optimizer": keras.optimizers.legacy.SGD()}, "legacy SGD.* give tf_keras.optimizers.SGD$"),
        ({"validation_split": 0.999}, "leaves none to train on"),
        ({"validation_data": _no_batches()}, "validation_data is empty"),
        (
            {"data": (*_data(), np.linspace(-1, 1, 64))},
            "weights of data reach down to -1: expected none below 0",
        ),
        ({"class_weight": [1, 1, 1, 1]}, "dictionary with a weight for each of the classes 0 to 3; got list"),
        ({"class_weight": {0: 1.0, 1: 2.0}}, "classes 0 to 3; got weights for 0, 1"),
        (
            {"class_weight": {0: 1, 1: 1, 2: "2", 3: 1}},
            "class 2 must be a finite number of at least 0, got '2'",
        ),
        (
            {"class_weight": {0: 1, 1: 1, 2: 1, 3: -1}},
            "class 3 must be a finite number of at least 0, got -1",
        ),
        (
            {"callbacks": keras.callbacks.LearningRateScheduler(lambda epoch: 0.1)},
            "LearningRateScheduler sets the learning rate, .* give learning_rate=.* or give optimizer=",
        ),
        ({"callbacks": [keras.callbacks.ReduceLROnPlateau()]}, "ReduceLROnPlateau sets the learning rate"),
        ({"distillation": True}, "or the teacher's weight, got True"),
        ({"optimizer": _used_optimizer()}, r"has taken 1 steps already.*give a new one"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], says: str) -> None:
    given = {"data": _data(), "loss": LOSS, "epochs": 1, "batch_size": 16, "verbose": 0, **options}
    with pytest.raises(OptionError, match=says):
        keras_approx.fine_tune(models.small(), **given)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Rank("energy", granularity="triple"), "granularity must be"),
        (lambda: Rank("energy", 0.5, select="threshold"), "give kept= as a schedule of thresholds"),
        (lambda: Rank("elimination"), "refits weights"),
        (lambda: Rank("enrgy"), "significance must be one of"),
        (lambda: Rank(kept=2), "between 0 and 1"),
        (lambda: Rank(batches=0), "batches must be a whole number of at least 1, got 0"),
        (lambda: Rank(frequency=1.5), "frequency must be a whole number of at least 1, got 1.5"),
        (lambda: Rank(kept=Ramp(1, 0.5), select="budget"), "a budget needs them"),
        (lambda: Rank(loss="mse"), "give data= too"),
        (lambda: Eliminate(rounds=0), "rounds must be a whole number of at least 1, got 0"),
        (lambda: Eliminate(rounds=2.5), "rounds must be a whole number of at least 1, got 2.5"),
        (lambda: Eliminate(batches=0), "batches must be a whole number of at least 1, got 0"),
        (lambda: Eliminate(batches=True), "batches must be a whole number of at least 1, got True"),
        (lambda: Eliminate(select="threshold"), "no threshold of its own"),
        (lambda: Eliminate(100, select="budget"), "a budget needs them"),
        (lambda: Eliminate(scope="globall"), "scope must be one of global, layer"),
        (lambda: Distillation(temperature=0), "temperature above 0"),
    ],
)
def test_ways_that_cannot_be(make: Any, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        make()


def test_one_metric_and_one_callback_need_no_list() -> None:
    watch = _Kept()
    options = {"loss": LOSS, "epochs": np.int64(1), "batch_size": 16, "verbose": 0}
    _, history = keras_approx.fine_tune(
        models.small(), _data(), metrics="accuracy", callbacks=watch, validation_data=_data(), **options
    )
    assert {"val_loss", "val_accuracy"} == {name for name in history.history if name.startswith("val_")}
    assert len(watch.of_steps) == 4


def test_an_option_that_there_is_not_is_named() -> None:
    with pytest.raises(TypeError, match=r"fine_tune\(\) got an unexpected keyword argument 'keep'"):
        keras_approx.fine_tune(models.small(), _data(), loss=LOSS, keep=0.5)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"Eliminate.__init__\(\) got an unexpected keyword argument 'keep'"):
        Eliminate(keep=0.5)  # type: ignore[call-arg]


def test_input_range_of_a_wrapped_model() -> None:
    wrapped = keras_approx.wrap(models.small())
    with pytest.raises(OptionError, match=r"give input_range to keras_approx\.wrap"):
        keras_approx.fine_tune(wrapped, _data(), loss=LOSS, batch_size=16, input_range=(-9, 9))
