"""No training makes a model worse than what it began with, whatever the rate, the scale of inputs, and the task."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx.compat import keras
from keras_approx.skipping.schedules import Constant
from keras_approx.training.callbacks import UpdateSkipMasks
from keras_approx.training.guard import Guard, Score
from keras_approx.training.rates import WarmCosine, default_rate
from keras_approx.training.tasks import higher_is_better, tasks_of
from tests.keras_approx import models

CLASSES = "sparse_categorical_crossentropy"


def _network(units: int = 4, end: str | None = "softmax", scale: float = 1.0) -> Any:
    """Weights for inputs of a scale; what it says is what there is to learn."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3, activation="relu", name="first"),
            layers.Conv2D(8, 3, activation="relu", name="second"),
            layers.Flatten(),
            layers.Dense(units, end, name="third"),
        ]
    )
    models.randomize(model)
    kernel, bias = model.get_layer("first").get_weights()
    model.get_layer("first").set_weights([kernel / scale, bias])
    before = keras.Model(model.inputs, model.layers[-2].output)
    x = (models.inputs(model) * scale).astype(np.float32)
    kernel = model.get_layer("third").get_weights()[0] / 8
    middle = np.median(before.predict(x, verbose=0) @ kernel, axis=0)  # so that no class is seldom
    model.get_layer("third").set_weights([kernel, -middle])
    return model


def _problem(model: Any, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    x = (models.inputs(model, 320) * scale).astype(np.float32)
    return x, model.predict(x, verbose=0).argmax(axis=1)


def _score(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(model.predict(x, verbose=0).argmax(axis=1) == y))


def _trained(scale: float) -> tuple[Any, tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """A small trained network, what it was trained on and what it was not: four shapes in noise."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 4, 768)
    x = (rng.normal(size=(4, 8, 8, 3))[y] + rng.normal(size=(768, 8, 8, 3)) * 2.5) * scale
    x = x.astype(np.float32)
    keras.utils.set_random_seed(1)
    model = keras.models.clone_model(_network())
    model.compile(keras.optimizers.Adam(3e-3), CLASSES)
    model.fit(x[:512], y[:512], epochs=3, verbose=0)
    return model, (x[:512], y[:512]), (x[512:], y[512:])


@pytest.mark.parametrize(("scale", "learning_rate"), [(1.0, None), (255.0, None), (1.0, 30.0)])
def test_what_comes_back_is_never_worse(
    scale: float, learning_rate: float | None, capsys: pytest.CaptureFixture[str]
) -> None:
    network, train, held_out = _trained(scale)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        tuned, _ = keras_approx.fine_tune(
            network,
            train,
            kept=0.15,
            epochs=4,
            batch_size=16,
            learning_rate=learning_rate,
            validation_data=held_out,
            verbose=2,
        )
    found, said = _score(tuned, *held_out), capsys.readouterr().out
    assert ("training diverged before step" in said) == (learning_rate is not None)
    assert re.search(r"keeps 1[45]\.\d% of the products that can be skipped; on the validation data", said)
    score = re.search(r"accuracy (\S+) as given, (\S+) before training(?:, (\S+) after epoch)?", said)
    assert score is not None
    assert float(score[1]) == pytest.approx(_score(network, *held_out), abs=5e-3)
    assert float(score[3] or score[2]) == pytest.approx(found, abs=1e-4)
    assert found >= float(score[2]) - 1e-4
    assert found > 0.3
    in_vain = any("no epoch was better" in str(warning.message) for warning in warned)
    assert in_vain == (score[3] is None)


@pytest.mark.parametrize(
    ("units", "end", "loss", "options"),
    [
        (1, "sigmoid", "binary_crossentropy", {}),
        (3, "sigmoid", "binary_crossentropy", {"validation_split": 0.2}),
        (2, None, keras.losses.BinaryCrossentropy(from_logits=True), {}),
        (1, None, "mse", {"sample_weight": np.linspace(1, 2, 320)}),
        (3, None, "mae", {"distillation": 0}),
        (4, "softmax", CLASSES, {"class_weight": {0: 2.0, 1: 1.0, 2: 1.0, 3: 1.0}}),
        (4, None, keras.losses.CategoricalCrossentropy(from_logits=True), {"skipping": keras_approx.Rank()}),
    ],
)
def test_tasks(units: int, end: str | None, loss: Any, options: dict[str, Any]) -> None:
    """Binary, multi-label, values one and several, weighted classes, one-hot logits."""
    network = _network(units, end)
    x = models.inputs(network, 320)
    y = network.predict(x, verbose=0)
    if units == 4:
        y = y.argmax(axis=1) if loss == CLASSES else np.eye(4)[y.argmax(axis=1)]
    elif end == "sigmoid" or units == 2:
        y = (y > np.median(y, axis=0)).astype(np.float32)
    way = {} if "skipping" in options else {"kept": 0.4}
    tuned, history = keras_approx.fine_tune(
        network, (x, y), loss=loss, epochs=4, batch_size=16, verbose=0, **way, **options
    )
    assert np.all(np.isfinite(history.history["loss"]))
    names = {"sigmoid": "binary_accuracy", None: "mae", "softmax": "accuracy"}
    name = {2: "binary_accuracy", 4: "accuracy"}.get(units, names[end])
    assert f"val_{name}" in history.history
    masks = keras_approx.get_masks(tuned)
    assert all(mask.size > mask.sum() for mask in masks.values())


def test_samples_of_no_weight_are_not_learnt() -> None:
    network, (x, y), held_out = _trained(1.0)
    wrong = np.where(np.arange(512) % 2, y, (y + 1) % 4)
    tuned, _ = keras_approx.fine_tune(
        network,
        (x, wrong),
        kept=0.9,
        sample_weight=np.arange(512) % 2,
        validation_data=held_out,
        epochs=2,
        verbose=0,
    )
    assert _score(tuned, *held_out) > 0.9 * _score(network, *held_out)


def test_scores() -> None:
    better, worse, even = (
        {"loss": 1.0, "auc_1": 0.9},
        {"loss": 0.1, "auc_1": 0.8},
        {"loss": 2.0, "auc_1": 0.9},
    )
    assert Score.of(better).at_least(Score.of(worse))
    assert not Score.of(worse).at_least(Score.of(better))
    assert not Score.of(even).at_least(Score.of(better))
    assert Score.of(worse).at_least(None)
    assert not Score.of({"loss": float("nan")}).at_least(Score.of({"loss": 1e9}))
    assert Score.of({"loss": 1.0, "mae": 0.2}).at_least(Score.of({"loss": 1.0, "mae": 0.3}))
    assert Score.of({"loss": 1.0, "my_own": 0.2}).name == "loss"
    known = {
        "val_accuracy": True,
        "mean_absolute_error": False,
        "AUC": True,
        "top_k_categorical_accuracy": True,
    }
    assert {name: higher_is_better(name) for name in known} == known
    assert higher_is_better("categorical_crossentropy") is False


def test_the_rate_follows_the_weights() -> None:
    wrapped = keras_approx.wrap(_network())
    rate = default_rate(wrapped)
    for layer in wrapped.layers:
        if hasattr(layer, "kernel"):
            layer.kernel.assign(layer.kernel / 100)
    assert default_rate(wrapped) == pytest.approx(min(rate, 2e-2 * 0.3 / 8) / 100, rel=0.2)
    way = WarmCosine(1.0, 100)
    assert [way(step) for step in (0, 4, 5)] == [0.2, 1.0, 1.0]
    assert way(100) == pytest.approx(0, abs=1e-12)


def test_an_optimizers_own_schedule_cannot_be_slowed_down() -> None:
    said: list[str] = []
    network = keras_approx.wrap(_network())
    x, y = _problem(network)
    keras_approx.calibrate(network, x, verbose=False)
    begun = network.get_weights()
    schedule = keras.optimizers.schedules.CosineDecay(1e4, 1000)
    for rate, ends in ((schedule, True), (1e4, False)):
        network.set_weights(begun)
        network.compile(keras.optimizers.SGD(rate), CLASSES)
        updates = UpdateSkipMasks(Constant(1.0))
        guard = _guard(updates, x, y, said)
        network.fit(x, y, epochs=1, batch_size=16, verbose=0, callbacks=[updates, guard])
        assert ("where training ends" in said[-1]) == ends
        assert guard.best is not None and guard.best.at_least(guard.first)


def _guard(updates: Any, x: np.ndarray, y: np.ndarray, said: list[str]) -> Guard:
    def judge(model: Any) -> dict[str, float]:
        loss = float(model.evaluate(x, y, verbose=0))
        model.reset_metrics()
        return {"loss": loss}

    return Guard(updates, judge, validated=False, rate=None, constant_loss=np.log(4), say=said.append)


def test_its_state_survives_a_file(tmp_path: Path) -> None:
    network = keras_approx.wrap(_network())
    x, y = _problem(network)
    keras_approx.calibrate(network, x, verbose=False)
    network.compile("sgd", CLASSES)
    updates = UpdateSkipMasks(Constant(1.0))
    guard, other = (_guard(updates, x, y, []) for _ in range(2))
    network.fit(x, y, epochs=1, batch_size=32, verbose=0, callbacks=[updates, guard])
    np.savez(tmp_path / "state.npz", **guard.state())
    with np.load(tmp_path / "state.npz") as state:
        other.restore(state)
    assert (other.first, other.best, other.best_epoch) == (guard.first, guard.best, guard.best_epoch)
    again = other.state()
    assert again.keys() == guard.state().keys()
    assert all(np.array_equal(again[name], value) for name, value in guard.state().items())


def test_binary_accuracy_of_logits_is_that_of_their_signs() -> None:
    metric = tasks_of(_network(2, None), keras.losses.BinaryCrossentropy(from_logits=True))[0].metric
    metric.update_state([[1, 0, 1]], [[0.2, 0.2, -3.0]])
    assert float(metric.result()) == pytest.approx(1 / 3)
    assert tasks_of(_network(2, "sigmoid"), "binary_crossentropy")[0].metric == "binary_accuracy"


@pytest.mark.parametrize(
    ("loss", "kind", "labels", "constant"),
    [
        (CLASSES, "classes", [1, 2, 3, 3], 1.5 * np.log(2)),
        ("categorical_crossentropy", "classes", [[1, 0], [0, 1]], np.log(2)),
        ("binary_crossentropy", "labels", [[1, 0], [0, 0]], np.log(2) / 2),
        ("mse", "values", [1, 2, 3], 2 / 3),
    ],
)
def test_losses_of_constant_outputs(loss: str, kind: str, labels: Any, constant: float) -> None:
    task = tasks_of(_network(), loss)[0]
    assert task.kind == kind
    assert task.constant_loss(np.array(labels, np.float32)) == pytest.approx(constant)
