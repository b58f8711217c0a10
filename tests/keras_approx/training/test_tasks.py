"""Models of several outputs train, each output by its own loss and its own distance from the teacher."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras as keras3
import numpy as np
import pytest

import keras_approx
from keras_approx.compat import keras, tf
from keras_approx.errors import OptionError
from tests.keras_approx import models

LOSSES = {"kind": "sparse_categorical_crossentropy", "tags": "binary_crossentropy", "size": "mse"}
COUNT = 64


def _network(library: Any = keras, *, by_key: bool = False) -> Any:
    """A class, two labels given as probabilities, and a value."""
    layers = library.layers
    image = library.Input((8, 8, 3))
    x = layers.Flatten()(layers.Conv2D(6, 3, activation="relu", strides=2, name="first")(image))
    outputs = {
        "kind": layers.Dense(4, "softmax", name="kind")(x),
        "size": layers.Dense(1, name="size")(x),
        "tags": layers.Dense(2, "sigmoid", name="tags")(x),
    }
    model = library.Model(image, outputs if by_key else [outputs[name] for name in LOSSES], name="several")
    return models.randomize(model)


def _labels(count: int = COUNT) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "kind": rng.integers(0, 4, count),
        "tags": rng.integers(0, 2, (count, 2)),
        "size": rng.normal(size=count).astype(np.float32),
    }


def _inputs(count: int = COUNT) -> np.ndarray:
    return models.inputs(_network(), count)


def _tuned(model: Any, data: Any, **options: Any) -> tuple[Any, Any]:
    options = {"loss": LOSSES, "kept": 0.5, "epochs": 2, "batch_size": 16, "verbose": 0, **options}
    return keras_approx.fine_tune(model, data, **options)


@pytest.mark.parametrize(
    "data",
    [
        lambda x, y: (x, y),
        lambda x, y: (x, list(y.values())),
        lambda x, y: tf.data.Dataset.from_tensor_slices((x, y)).batch(16),
        lambda x, y: tf.data.Dataset.from_tensor_slices((x, tuple(y.values()))).batch(16),
    ],
)
@pytest.mark.filterwarnings("ignore:no epoch was better")
def test_every_kind_of_data(data: Callable[[np.ndarray, dict[str, np.ndarray]], Any]) -> None:
    tuned, history = _tuned(_network(), data(_inputs(), _labels()))
    assert {"kind_accuracy", "tags_binary_accuracy", "size_mae", "kind_loss"} <= set(history.history)
    assert history.history["kept"][-1] == pytest.approx(0.5, abs=0.03)
    assert tuned.output_names == list(LOSSES)


@pytest.mark.filterwarnings("ignore:no epoch was better")
def test_a_keras_3_model_that_gives_a_dictionary() -> None:
    model = _network(keras3, by_key=True)
    model.compile("sgd", LOSSES, loss_weights={"kind": 1.0, "size": 0.0, "tags": 0.5})
    tuned, _ = _tuned(model, (_inputs(), _labels()), loss=None, epochs=1)
    assert tuned.output_names == sorted(LOSSES)
    assert tuned.get_compile_config()["loss_weights"] == {"kind": 1.0, "size": 0.0, "tags": 0.5}
    expected = dict(zip(sorted(LOSSES), [(None, 4), (None, 1), (None, 2)], strict=True))
    assert dict(zip(tuned.output_names, tuned.output_shape, strict=True)) == expected


def test_names_are_saved_and_cloned(tmp_path: Path) -> None:
    wrapped = keras_approx.wrap(_network())
    wrapped.save(tmp_path / "model.keras")
    with keras_approx.approx_scope():
        assert keras.models.load_model(tmp_path / "model.keras").output_names == list(LOSSES)
    assert keras.models.clone_model(wrapped).output_names == list(LOSSES)


def _distances(teacher: Any, student: Any, x: np.ndarray) -> list[np.ndarray]:
    """Of each output and sample, at temperature 1, in float64."""
    said, found = ([np.asarray(one, np.float64) for one in model(x)] for model in (teacher, student))
    kind = (said[0] * np.log(said[0] / found[0])).sum(axis=1)
    p, q = said[1], found[1]
    tags = (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean(axis=1)
    return [kind, tags, np.square(said[2] - found[2]).mean(axis=1)]


@pytest.mark.parametrize("weighted", ["not", "all", "each"])
def test_distances_are_those_of_each_loss(weighted: str) -> None:
    student, teacher = keras_approx.wrap(models.randomize(_network(), 5)), _network()
    trained = keras_approx.distill(student, teacher, temperature=1.0, weight=1.0)
    trained.compile("sgd", LOSSES, loss_weights={"kind": 1.0, "tags": 3.0, "size": 0.25})
    x, y = _inputs(8) / 8, {name: tf.constant(labels) for name, labels in _labels(8).items()}
    rng = np.random.default_rng(3)
    counts = {name: tf.constant(rng.uniform(size=8), tf.float32) for name in LOSSES}
    given: Any = {"not": None, "all": counts["kind"], "each": counts}[weighted]
    shared = np.ones(8) if weighted == "not" else counts["kind"]
    of = list(counts.values()) if weighted == "each" else [shared] * 3
    means = [np.mean(one * count) for one, count in zip(_distances(teacher, student, x), of, strict=True)]
    found = trained.compute_loss(x, y, trained(x), given)
    assert float(found) == pytest.approx(means[0] + 3 * means[1] + 0.25 * means[2], rel=1e-3)


@pytest.mark.filterwarnings("ignore:no epoch was better")
def test_weights_of_samples_and_a_part_set_apart() -> None:
    x, y = _inputs(), _labels()
    y["size"][:32] = 1e6  # must not count
    counts = np.ones(COUNT, np.float32)
    counts[:32] = 0
    for given in (counts, {"kind": counts, "tags": counts, "size": counts}):
        tuned, history = _tuned(
            _network(), (x, y), sample_weight=given, validation_split=0.25, metrics=[], epochs=1
        )
        assert history.history["loss"][0] < 1e3
        assert np.isfinite(history.history["val_loss"][0])
        assert all(np.isfinite(weight).all() for weight in tuned.get_weights())


def test_what_does_not_fit_is_told() -> None:
    x, y = _inputs(), _labels()
    for options, says in (
        (
            {"loss": {"kind": "mse"}},
            "losses must be one for each of the outputs kind, tags, size.* got those for kind",
        ),
        ({"loss": {**LOSSES, "size": None}}, "there is no loss for size"),
        ({"loss_weights": [1.0]}, "loss_weights must be one for each .* got list of 1"),
        (
            {"class_weight": {0: 1.0}},
            "class_weight= is for models of one output, this one has kind, tags, size",
        ),
        (
            {"skipping": keras_approx.Rank("taylor", 0.5), "kept": None},
            "'taylor' takes the gradients of one output",
        ),
    ):
        with pytest.raises(OptionError, match=says):
            _tuned(_network(), (x, y), **options)
    with pytest.raises(OptionError, match="labels of data must be one for each of the outputs"):
        _tuned(_network(), (x, y["kind"]))
    with pytest.raises(OptionError, match="labels of data for kind go from 0 to 9, but the model has 4"):
        _tuned(_network(), (x, {**y, "kind": np.arange(COUNT) % 10}))


def test_elimination_tells_of_every_output(capsys: pytest.CaptureFixture[str]) -> None:
    tuned = keras_approx.eliminate(_network(), _inputs(256), kept=0.6)
    said = capsys.readouterr().out
    assert said.count("%") >= 4 and "of their variance" in said
    assert tuned.output_names == list(LOSSES)
    a, b = keras.Input((4,)), keras.Input((4,))
    two = models.randomize(keras.Model([a, b], keras.layers.Dense(2)(keras.layers.Concatenate()([a, b]))))
    rows = np.random.default_rng(0).normal(size=(2, 64, 4)).astype(np.float32)
    keras_approx.eliminate(two, (rows[0], rows[1]), kept=0.5)
    assert "of their variance" in capsys.readouterr().out
