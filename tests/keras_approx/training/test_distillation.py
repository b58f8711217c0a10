"""The loss is the weighted sum it says, the student alone trains, and what is saved is the student."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx.compat import keras, tf
from keras_approx.errors import OptionError, UnsupportedModelError
from keras_approx.training.callbacks import UpdateSkipMasks
from keras_approx.training.distillation import _logits_of_labels
from tests.keras_approx import models


def _pair(*, softmax: bool = True, weight: float = 0.25) -> tuple[Any, Any, Any]:
    """A student with other weights than its teacher, the teacher, and the compiled model that trains."""
    student = keras_approx.wrap(models.randomize(models.small(softmax=softmax), seed=5))
    keras_approx.calibrate(student, models.inputs(student), verbose=False)
    teacher = models.small()
    trained = keras_approx.distill(student, teacher, temperature=2.0, weight=weight)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=not softmax)
    trained.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    return student, teacher, trained


def _softened(probabilities: np.ndarray) -> np.ndarray:
    powers = probabilities.astype(np.float64) ** 0.5
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("softmax", [True, False])
def test_loss(softmax: bool) -> None:
    student, teacher, trained = _pair(softmax=softmax)
    x, y = models.inputs(student, 16), models.labels(16)
    outputs = trained(x)
    assert np.array_equal(outputs, student(x))
    found = trained.compute_loss(x, tf.constant(y), outputs, None)
    probabilities = np.asarray(outputs if softmax else keras.activations.softmax(outputs))
    label_loss = -np.log(probabilities[np.arange(16), y]).mean()
    p, q = _softened(teacher(x).numpy()), _softened(probabilities)
    divergence = (p * np.log(p / q)).sum(axis=1).mean()
    assert float(found) == pytest.approx(0.75 * label_loss + 0.25 * 4 * divergence, rel=1e-3)


def test_the_student_learns_from_the_teacher_alone_and_the_teacher_does_not_train() -> None:
    student, teacher, trained = _pair(weight=1.0)
    x, before = models.inputs(student), [weight.copy() for weight in teacher.get_weights()]
    distance = np.abs(student(x) - teacher(x)).mean()
    trained.fit(
        x, models.labels(), batch_size=16, epochs=6, verbose=0, callbacks=[UpdateSkipMasks(0.9, data=x)]
    )
    assert np.abs(student(x) - teacher(x)).mean() < 0.8 * distance
    assert all(np.array_equal(a, b) for a, b in zip(before, teacher.get_weights(), strict=True))
    assert {id(weight) for weight in trained.weights} == {id(weight) for weight in student.weights}
    assert np.mean(~keras_approx.get_masks(student)["second"]) > 0


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_what_is_saved_is_the_student(name: str, tmp_path: Path) -> None:
    student, teacher, trained = _pair()
    x, y = models.inputs(student, 16), models.labels(16)
    trained.fit(x, y, batch_size=8, verbose=0)
    trained.save(tmp_path / name)
    with keras_approx.approx_scope():
        loaded = keras.models.load_model(tmp_path / name)
    assert type(loaded) is type(student)
    assert np.array_equal(loaded(x), student(x))
    again = keras_approx.distill(loaded, teacher, temperature=2.0, weight=0.25)
    again.compile(loaded.optimizer, loaded.loss)
    for model in (trained, again):
        model.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(loaded.get_weights(), student.get_weights(), strict=True))


def test_models_and_options_that_do_not_fit() -> None:
    student = keras_approx.wrap(models.small())
    for options in ({"temperature": 0}, {"weight": 1.5}, {"weight": float("nan")}):
        with pytest.raises(OptionError, match="temperature above 0 and a weight between 0 and 1"):
            keras_approx.distill(student, models.small(), **options)
    image = keras.Input((8, 8, 3))
    flat = keras.layers.Flatten()(image)
    with pytest.raises(UnsupportedModelError, match="outputs of student and teacher"):
        keras_approx.distill(student, keras.Model(image, [keras.layers.Dense(4)(flat)] * 2))
    with pytest.raises(UnsupportedModelError, match="outputs of student and teacher"):
        keras_approx.distill(student, keras.Model(image, keras.layers.Dense(5)(flat)))
    two = keras.Model([image, keras.Input((2,))], keras.layers.Dense(4)(flat))
    with pytest.raises(UnsupportedModelError, match="inputs of student and teacher"):
        keras_approx.distill(student, two)
    trained = keras_approx.distill(student, keras.Model(image, keras.layers.Dense(4, "sigmoid")(flat)))
    with pytest.raises(UnsupportedModelError, match=r"the teacher '.*' ends in sigmoid"):
        trained.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(UnsupportedModelError, match="the student 'small' ends in softmax"):
        trained.compile("sgd", "binary_crossentropy")
    with pytest.raises(OptionError, match="there is no loss"):
        trained.compile("sgd")


def _ends_in(activation: str | None, seed: int) -> Any:
    image = keras.Input((8, 8, 3))
    flat = keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(image))
    return models.randomize(keras.Model(image, keras.layers.Dense(3, activation)(flat)), seed)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values.astype(np.float64)))


@pytest.mark.parametrize("probabilities", [True, False])
def test_labels_each_on_its_own(probabilities: bool) -> None:
    """A divergence for each label, softened like those of classes; student and teacher end alike or not."""
    student = keras_approx.wrap(_ends_in("sigmoid" if probabilities else None, 1))
    teacher = _ends_in(None, 2)
    trained = keras_approx.distill(student, teacher, temperature=2.0, weight=1.0)
    trained.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=not probabilities))
    x = models.inputs(student, 8) / 4
    outputs = trained(x)
    found = trained.compute_loss(x, tf.zeros((8, 3)), outputs, None)
    logits = np.asarray(outputs, np.float64)
    logits = np.log(logits / (1 - logits)) if probabilities else logits
    p, q = _sigmoid(np.asarray(teacher(x)) / 2), _sigmoid(logits / 2)
    divergence = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    assert float(found) == pytest.approx(4 * divergence.mean(), rel=1e-3)


@pytest.mark.parametrize(
    "loss", ["mse", "mae", keras.losses.Huber(), lambda y, p: tf.reduce_sum(y * p, axis=-1)]
)
def test_values_by_the_loss_itself(loss: Any) -> None:
    """What the teacher says stands in the labels' place; a loss that is none of Keras's is no distance."""
    student, teacher = keras_approx.wrap(_ends_in(None, 1)), _ends_in(None, 2)
    trained = keras_approx.distill(student, teacher, weight=0.75)
    trained.compile("sgd", loss)
    x, y = models.inputs(student, 8), tf.ones((8, 3))
    own = keras.losses.get(loss)
    distance = own if getattr(own, "__name__", "") != "<lambda>" else keras.losses.mse
    expected = 0.25 * np.mean(own(y, trained(x))) + 0.75 * np.mean(distance(teacher(x), trained(x)))
    assert float(trained.compute_loss(x, y, trained(x), None)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("end", "loss"), [("softmax", "categorical_crossentropy"), ("sigmoid", "bce")])
def test_probabilities_that_are_saturated_teach_as_their_logits_do(end: str, loss: str) -> None:
    """In a graph the logits themselves are taken: probabilities of 1 and of less than float32 holds say nothing."""
    logits, probabilities = _ends_in(None, 1), _ends_in(end, 1)
    for model in (logits, probabilities):
        kernel, bias = model.layers[-1].get_weights()
        model.layers[-1].set_weights([40 * kernel, bias])
    x = models.inputs(logits, 8)
    assert np.abs(logits(x)).max() > 150
    values, gradients = [], []
    for network in (logits, probabilities):
        student = keras_approx.wrap(network)
        trained = keras_approx.distill(student, _ends_in(None, 2), temperature=2.0, weight=1.0)
        own = keras.losses.get(loss)
        trained.compile("sgd", own if network is probabilities else _from_logits(loss))

        @tf.function
        def measured(trained: Any = trained) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                value = trained.compute_loss(x, tf.one_hot(np.arange(8) % 3, 3), trained(x), None)
            return value, tape.gradient(value, trained.trainable_variables)

        value, gradient = measured()
        values.append(float(value))
        gradients.append([np.asarray(one) for one in gradient])
    assert values[0] == pytest.approx(values[1], rel=1e-5)
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.abs(one).max())


def _from_logits(loss: str) -> Any:
    kind = keras.losses.BinaryCrossentropy if loss == "bce" else keras.losses.CategoricalCrossentropy
    return kind(from_logits=True)


def test_where_there_is_no_graph_a_label_of_1_is_as_sure_as_a_float_can_tell() -> None:
    found = _logits_of_labels(tf.constant([0.0, 0.5, 1.0]), True).numpy()
    assert found[1] == 0
    assert 16 < found[2] < 18
