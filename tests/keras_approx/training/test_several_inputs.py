"""Models of several inputs train, alone and with a teacher, and their designs are explored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras as keras3
import numpy as np
import pytest

import export
import keras_approx
from export.artifact.compiling import build_host
from export.frontend.reference import run_reference
from keras_approx.compat import keras, tf
from keras_approx.errors import OptionError
from keras_approx.exploration.evaluate.segments import cut_model, masked_weights
from keras_approx.layers.skip_wrapper import skip_wrappers
from tests.keras_approx import models

COUNT = 64
Arrays = tuple[np.ndarray, np.ndarray]


def _network(library: Any = keras) -> Any:
    """The class of an image beside a few numbers, whose name comes before the image's."""
    layers = library.layers
    image, facts = library.Input((8, 8, 3), name="view"), library.Input((5,), name="facts")
    x = layers.Conv2D(6, 3, activation="relu", strides=2, name="first")(image)
    x = layers.BatchNormalization()(layers.Conv2D(4, 1, use_bias=False, name="second")(x))
    x = layers.Concatenate()(
        [layers.GlobalAveragePooling2D()(x), layers.Dense(4, "relu", name="third")(facts)]
    )
    outputs = layers.Dense(3, "softmax", name="last")(x)
    return models.randomize(library.Model([image, facts], outputs, name="two"))


def _inputs(count: int = COUNT, seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(count, 8, 8, 3)).astype(np.float32),
        rng.normal(size=(count, 5)).astype(np.float32),
    )


def _labels(count: int = COUNT) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 3, count)


def _named(x: Arrays) -> dict[str, np.ndarray]:
    return {"view": x[0], "facts": x[1]}


def _tuned(model: Any, data: Any, **options: Any) -> tuple[Any, Any]:
    options = {
        "loss": "sparse_categorical_crossentropy",
        "kept": 0.5,
        "epochs": 2,
        "batch_size": 16,
        **options,
    }
    return keras_approx.fine_tune(model, data, verbose=0, **options)


@pytest.mark.parametrize(
    "data",
    [
        lambda x, y: (x, y),
        lambda x, y: (_named(x), y),
        lambda x, y: tf.data.Dataset.from_tensor_slices((x, y)).batch(16),
        lambda x, y: tf.data.Dataset.from_tensor_slices((_named(x), y)).batch(16),
    ],
)
@pytest.mark.filterwarnings("ignore:no epoch was better")
def test_every_kind_of_data(data: Callable[[Arrays, np.ndarray], Any]) -> None:
    tuned, history = _tuned(_network(), data(_inputs(), _labels()))
    assert history.history["kept"][-1] == pytest.approx(0.5, abs=0.05)
    assert tuned.input_names == ["view", "facts"]


@pytest.mark.filterwarnings("ignore:no epoch was better")
@pytest.mark.parametrize("library", [keras, keras3])
def test_what_was_trained_is_exported(library: Any, tmp_path: Path) -> None:
    validation = (_inputs(16, 2), _labels(16))
    ranked = keras_approx.Rank("energy", 0.5)
    options = {"validation_data": validation, "kept": None, "skipping": ranked}
    tuned, _ = _tuned(_network(library), (_named(_inputs()), _labels()), **options)
    done = export.to_c(tuned, tmp_path / "out")
    rng = np.random.default_rng(0)
    given = [rng.integers(-128, 128, values.shape).astype(np.int8) for values in _inputs(9)]
    expected = run_reference((done.path / "model.tflite").read_bytes(), given)
    np.testing.assert_array_equal(build_host(done.path).run(given), expected)


def test_inputs_that_do_not_fit() -> None:
    x, y = _inputs(), _labels()
    for given, says in (
        (x[0], "inputs of data must be one for each of the inputs view, facts"),
        ({"view": x[0]}, "got those for view"),
        ((x[0], x[1][:, :4]), r"inputs of data must have the shape \(n, 5\)"),
        ((x[0], x[1][:9]), "data has 64 inputs, but inputs of shape"),
    ):
        with pytest.raises(OptionError, match=says):
            _tuned(_network(), (given, y))


def test_a_teacher_gets_inputs_in_the_order_of_the_student() -> None:
    """However they are given, and whatever the teacher calls them."""
    a, b = keras.Input((8, 8, 3), name="b"), keras.Input((5,), name="a")
    teacher = keras.Model([a, b], _network()([a, b]))
    losses = []
    for given in (list(_inputs()), _named(_inputs())):
        student = keras_approx.distill(keras_approx.wrap(_network()), teacher, weight=1.0)
        student.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
        losses.append(student.fit(given, _labels(), shuffle=False, verbose=0).history["loss"][0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_segments_give_what_the_model_gives() -> None:
    model = keras_approx.wrap(_network())
    x = _inputs()
    keras_approx.calibrate(model, x, verbose=False)
    rng = np.random.default_rng(3)
    masks = {name: rng.random(mask.shape) < 0.6 for name, mask in keras_approx.get_masks(model).items()}
    first, *others = cut_model(model)
    layers = {layer.name: layer for layer in skip_wrappers(model)}
    none = np.zeros(0, np.float32)
    tensors = first.run(tuple(map(tf.constant, x)), none, none)
    for segment in others:
        weights = masked_weights(layers[segment.layer], masks[segment.layer])
        tensors = segment.run(tensors, weights.kernel, weights.bias)
    keras_approx.set_masks(model, masks)
    np.testing.assert_allclose(tensors[0], model.predict(list(x), verbose=0), atol=1e-6)


@pytest.mark.filterwarnings("ignore:no epoch was better")
def test_designs_are_explored_and_tuned(tmp_path: Path) -> None:
    model = keras_approx.wrap(_network(), compensate=True)
    validation = (_named(_inputs(40, 5)), _labels(40))
    with pytest.warns(UserWarning, match="40 of 40 validation images are calibration images too"):
        keras_approx.explore(
            model,
            calibration=_inputs(40, 5),
            validation=validation,
            out=tmp_path / "same",
            search=keras_approx.Grid(),
            values=[1.0, 0.5],
            verbose=False,
        )
    front = keras_approx.explore(
        model,
        calibration=_inputs(),
        validation=validation,
        out=tmp_path / "front",
        search=keras_approx.Budget(budgets=2, rounds=0),
        recalibrate=True,
        verbose=False,
    )
    record = front.designs[0]
    keras_approx.apply_design(front, record, model, calibration=_inputs())
    predicted = model.predict(list(_inputs(40, 5)), verbose=0).argmax(axis=1)
    assert record.score == pytest.approx(np.mean(predicted == validation[1]), abs=1e-6)
    data = (_inputs(), _labels())
    options = {"loss": "sparse_categorical_crossentropy", "epochs": 1, "batch_size": 16, "verbose": 0}
    ((tuned, _),) = keras_approx.fine_tune_designs(
        front, record, _network(), data, validation=validation, **options
    )
    assert tuned.input_names == ["view", "facts"]
    assert front[record.id].fine_tuned_score is not None
