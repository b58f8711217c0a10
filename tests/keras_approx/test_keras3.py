"""Objects of Keras 3 and global settings of tf_keras: converted, refused with one clear error, or without effect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras as keras3
import numpy as np
import pytest

import keras_approx
from keras_approx.compat import keras
from keras_approx.errors import OptionError
from keras_approx.keras3 import check_callbacks, converted, converted_data
from tests.keras_approx import models


class _Batches(keras3.utils.PyDataset):
    def __init__(self) -> None:
        super().__init__(max_queue_size=3)
        self.epochs = 0

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(16 * index, 16 * (index + 1))
        return models.inputs(models.small())[part], models.labels()[part]

    def on_epoch_end(self) -> None:
        self.epochs += 1


class _Own(keras3.metrics.Metric):
    pass


def test_optimizers_metrics_and_losses_are_converted() -> None:
    rate = keras3.optimizers.schedules.CosineDecay(0.2, 10)
    optimizer = converted("optimizer", keras3.optimizers.SGD(rate, momentum=0.9, nesterov=True, clipnorm=1.0))
    assert isinstance(optimizer, keras.optimizers.SGD)
    assert (optimizer.momentum, optimizer.nesterov, optimizer.clipnorm) == (0.9, True, 1.0)
    assert isinstance(optimizer._learning_rate, keras.optimizers.schedules.CosineDecay)
    assert float(optimizer._learning_rate(5)) == pytest.approx(0.1)
    adam = converted("optimizer", keras3.optimizers.Adam(1e-3, beta_2=0.99, epsilon=1e-5))
    assert (float(adam.learning_rate), adam.beta_2, adam.epsilon) == (pytest.approx(1e-3), 0.99, 1e-5)
    found = converted("metric", [keras3.metrics.AUC(num_thresholds=50, name="area"), "accuracy"])
    assert isinstance(found[0], keras.metrics.AUC)
    assert (found[0].name, found[0].num_thresholds, found[1]) == ("area", 50, "accuracy")
    loss = converted("loss", keras3.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert isinstance(loss, keras.losses.SparseCategoricalCrossentropy)
    labels, logits = np.array([1, 0]), np.array([[0.3, -2.0], [4.0, 1.0]], np.float32)
    expected = keras3.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    assert float(loss(labels, logits)) == pytest.approx(float(expected))
    own = keras.optimizers.SGD(0.1)
    assert converted("optimizer", own) is own


@pytest.mark.parametrize(
    ("kind", "make", "says"),
    [
        ("optimizer", keras3.optimizers.Lamb, "give an object of tf_keras.*optimizers"),
        (
            "optimizer",
            lambda: keras3.optimizers.Adam(gradient_accumulation_steps=4),
            "gradient_accumulation_steps=4",
        ),
        ("metric", lambda: _Own(name="own"), "metric _Own is of Keras 3"),
        ("metric", lambda: [keras3.metrics.AUC], r"metric AUC is a class: give an object of it, AUC\(...\)"),
        ("optimizer", lambda: keras.optimizers.SGD, "optimizer SGD is a class"),
    ],
)
def test_what_has_no_equivalent(kind: Any, make: Any, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        converted(kind, make())


def test_callbacks_are_refused_by_name() -> None:
    with pytest.raises(OptionError, match=r"give tf_keras\.callbacks\.EarlyStopping"):
        check_callbacks([keras.callbacks.History(), keras3.callbacks.EarlyStopping()])
    own = type("Own", (keras3.callbacks.Callback,), {"__module__": "user"})()
    for given in (own, type(own)):
        with pytest.raises(
            OptionError, match=r"Own is of Keras 3.*derived from tf_keras\.callbacks\.Callback"
        ):
            check_callbacks(given)


def test_training_in_keras_3_terms(tmp_path: Path) -> None:
    model = keras_approx.wrap(models.small())
    keras_approx.calibrate(model, models.inputs(model), verbose=False)
    model.compile(
        keras3.optimizers.Adam(1e-3),
        keras3.losses.SparseCategoricalCrossentropy(),
        [keras3.metrics.SparseCategoricalAccuracy(name="right")],
        weighted_metrics=[keras3.metrics.SparseCategoricalAccuracy(name="weighted")],
    )
    batches = _Batches()
    history = model.fit(batches, validation_data=_Batches(), epochs=2, verbose=0).history
    assert batches.epochs == 2
    assert {"right", "val_right"} <= set(history)
    found = model.evaluate(_Batches(), verbose=0)
    outputs = model.predict(_Batches(), verbose=0)
    right = np.mean(outputs.argmax(axis=1) == models.labels())
    assert found[1:] == [history["val_right"][-1], history["val_weighted"][-1]] == [pytest.approx(right)] * 2
    for run in (model.fit, model.evaluate, model.predict):
        with pytest.raises(OptionError, match="EarlyStopping is of Keras 3"):
            run(batches, callbacks=[keras3.callbacks.EarlyStopping()])
    model.save(tmp_path / "model.keras")
    with keras_approx.approx_scope():
        loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    sequence = converted_data(batches)
    assert isinstance(sequence, keras.utils.Sequence)
    assert sequence.fit_arguments["max_queue_size"] == 3


@pytest.fixture(params=["mixed_float16", "channels_first", "float64"])
def _setting(request: pytest.FixtureRequest) -> Iterator[str]:
    backend = keras.backend
    if request.param == "mixed_float16":
        keras.mixed_precision.set_global_policy("mixed_float16")
    elif request.param == "channels_first":
        backend.set_image_data_format("channels_first")
    else:
        backend.set_floatx("float64")
    yield request.param
    backend.set_floatx("float32")
    backend.set_image_data_format("channels_last")
    keras.mixed_precision.set_global_policy("float32")


def test_global_settings_have_no_effect(_setting: str, tmp_path: Path) -> None:
    image = keras3.Input((8, 8, 3))
    x = keras3.layers.MaxPooling2D()(keras3.layers.Conv2D(4, 3, activation="relu")(image))
    x = keras3.layers.BatchNormalization()(keras3.layers.Conv2D(4, 1)(x))
    network = keras3.Model(image, keras3.layers.Dense(4)(keras3.layers.Flatten()(x)))
    model = keras_approx.wrap(network)
    x, y = models.inputs(model), models.labels()
    keras_approx.calibrate(model, x, verbose=False)
    trained = keras_approx.distill(model, network)
    trained.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert type(trained.optimizer) is keras.optimizers.SGD
    trained.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    with keras_approx.approx_scope():
        loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.dtype_policy.name == "float32"
    assert np.array_equal(loaded(x), model(x))
    assert keras_approx.strip(model)(x).dtype == np.float32
    if _setting == "mixed_float16":
        assert keras.mixed_precision.global_policy().name == "mixed_float16"
    elif _setting == "channels_first":
        assert keras.backend.image_data_format() == "channels_first"
    else:
        assert keras.backend.floatx() == "float64"
