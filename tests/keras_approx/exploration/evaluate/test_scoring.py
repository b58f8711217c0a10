"""Metrics are those of Keras and of textbooks, of whatever the model ends in, or they are refused in one line."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from keras_approx.compat import keras, tf
from keras_approx.errors import OptionError
from keras_approx.exploration.evaluate.scoring import Scorer, checked_labels, scorer_of
from keras_approx.exploration.quality import Quality
from keras_approx.training.tasks import higher_is_better

COUNT = 200


def _model(outputs: int, end: str | None = None) -> Any:
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(outputs, activation=end)])


def _outputs(outputs: int, end: str | None, seed: int = 0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=(COUNT, outputs)).astype(np.float32)
    return np.asarray(keras.activations.get(end)(tf.constant(logits)))


def _classes(outputs: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, outputs, COUNT)


def _labels(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 2, (COUNT, *shape))


def _values(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(COUNT, *shape)).astype(np.float32)


def _scorer(metric: Any, outputs: int, end: str | None, labels: np.ndarray) -> Scorer:
    found = scorer_of(metric, _model(outputs, end), checked_labels(labels, COUNT))
    again: Scorer = pickle.loads(pickle.dumps(found))
    return again


def _score(metric: Any, end: str | None, outputs: np.ndarray, labels: np.ndarray) -> float:
    scorer = _scorer(metric, outputs.shape[-1], end, labels)
    return scorer.score(checked_labels(labels, COUNT), outputs)


def _by_keras(metric: Any, labels: np.ndarray, outputs: np.ndarray) -> float:
    metric.update_state(labels, outputs)
    return float(metric.result())


@pytest.mark.parametrize("end", [None, "softmax"])
def test_accuracy_of_class_numbers_counts_images(end: str | None) -> None:
    outputs, labels = _outputs(4, end), _classes(4)
    scorer = _scorer("accuracy", 4, end, labels[:, None])
    assert (scorer.name, scorer.higher_is_better) == ("accuracy", True)
    assert scorer.right is not None
    assert scorer.score(labels, outputs) == np.mean(outputs.argmax(axis=1) == labels)
    np.testing.assert_array_equal(scorer.right(labels, outputs), outputs.argmax(axis=1) == labels)


@pytest.mark.parametrize("end", [None, "sigmoid"])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_accuracy_of_one_decision_counts_images(end: str | None, shape: tuple[int, ...]) -> None:
    outputs, labels = _outputs(1, end), _labels(*shape)
    scorer = _scorer("accuracy", 1, end, labels)
    expected = (outputs[:, 0] > (0.5 if end else 0.0)) == labels.reshape(-1)
    assert scorer.right is not None
    np.testing.assert_array_equal(scorer.right(checked_labels(labels, COUNT), outputs), expected)


@pytest.mark.parametrize("end", [None, "sigmoid"])
def test_accuracy_of_several_labels_is_a_mean_over_labels(end: str | None) -> None:
    outputs, labels = _outputs(3, end), _labels(3)
    scorer = _scorer("accuracy", 3, end, labels)
    assert (scorer.name, scorer.right) == ("binary_accuracy", None)
    probabilities = _outputs(3, "sigmoid")
    expected = _by_keras(keras.metrics.BinaryAccuracy(), labels, probabilities)
    assert scorer.score(labels, outputs) == pytest.approx(expected)
    assert _score("binary_accuracy", end, outputs, labels) == pytest.approx(expected)


@pytest.mark.parametrize("end", [None, "sigmoid"])
def test_the_area_is_the_chance_that_a_pair_is_in_order(end: str | None) -> None:
    outputs, labels = np.round(_outputs(3, end), 1), _labels(3)
    areas = []
    for column in range(3):
        holds = labels[:, column] == 1
        above, below = outputs[holds, column][:, None], outputs[~holds, column][None]
        areas.append(np.mean((above > below) + 0.5 * (above == below)))
    assert _score("auc", end, outputs, labels) == pytest.approx(np.mean(areas))


def test_the_area_of_classes_is_that_of_each_against_the_others() -> None:
    logits, classes = _outputs(4, None), _classes(4)
    probabilities = _outputs(4, "softmax")
    one_hot = np.eye(4, dtype=int)[classes]
    expected = _score("auc", "sigmoid", probabilities, one_hot)
    assert _score("auc", "softmax", probabilities, classes) == pytest.approx(expected)
    assert _score("AUC", None, logits, classes) == pytest.approx(expected)


def test_an_area_needs_both_kinds() -> None:
    with pytest.raises(OptionError, match="samples for which a label holds and others"):
        _score("auc", "sigmoid", _outputs(1, "sigmoid"), np.ones((COUNT, 1)))


@pytest.mark.parametrize("shape", [(), (1,)])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("mae", keras.metrics.MeanAbsoluteError),
        ("mean_squared_error", keras.metrics.MeanSquaredError),
        ("RootMeanSquaredError", keras.metrics.RootMeanSquaredError),
        ("root_mean_squared_error", keras.metrics.RootMeanSquaredError),
        ("r2_score", keras.metrics.R2Score),
    ],
)
def test_errors_of_values(name: str, make: Any, shape: tuple[int, ...]) -> None:
    outputs, values = _outputs(1, None), _values(*shape)
    scorer = _scorer(name, 1, None, values)
    assert scorer.higher_is_better == (name == "r2_score")
    expected = _by_keras(make(), values.reshape(-1, 1), outputs)
    assert scorer.score(values, outputs) == pytest.approx(expected, rel=1e-5)


def test_keras_gets_probabilities_where_it_takes_them() -> None:
    classes, one_hot = _classes(4), np.eye(4)[_classes(4)]
    probabilities = _outputs(4, "softmax")
    expected = _by_keras(keras.metrics.SparseCategoricalCrossentropy(), classes, probabilities)
    for end in (None, "softmax"):
        name = "sparse_categorical_crossentropy"
        assert _score(name, end, _outputs(4, end), classes) == pytest.approx(expected, rel=1e-4)
        assert _score(name[7:], end, _outputs(4, end), one_hot) == pytest.approx(expected, rel=1e-4)
    labels, decisions = _labels(3), _outputs(3, "sigmoid")
    expected = _by_keras(keras.metrics.Precision(), labels, decisions)
    for end in (None, "sigmoid"):
        assert _score("precision", end, _outputs(3, end), labels) == pytest.approx(expected)


_LABELS, _CLASSES = _labels(3), np.eye(4)[_classes(4)]


@pytest.mark.parametrize("end", [None, "last"])
@pytest.mark.parametrize(
    ("kind", "snake", "labels", "last"),
    [
        (keras.metrics.BinaryIoU, "binary_iou", _LABELS, "sigmoid"),
        (keras.metrics.BinaryIoU, "binary_io_u", _LABELS, "sigmoid"),
        (keras.metrics.F1Score, "f1_score", _CLASSES, "softmax"),
        (keras.metrics.FBetaScore, "fbeta_score", _CLASSES, "softmax"),
        (keras.metrics.Recall, "recall", _LABELS, "sigmoid"),
        (keras.metrics.BinaryAccuracy, "binary_accuracy", _LABELS, "sigmoid"),
        (keras.metrics.CategoricalAccuracy, "categorical_accuracy", _CLASSES, "softmax"),
    ],
)
def test_metrics_by_every_name(kind: Any, snake: str, labels: np.ndarray, last: str, end: str | None) -> None:
    width, wanted = labels.shape[1], last if end else None
    outputs, probabilities = _outputs(width, wanted), _outputs(width, last)
    expected = float(np.mean(_measured_by_keras(kind(), labels, probabilities)))
    for name in (kind.__name__, snake):
        scorer = _scorer(name, width, wanted, labels)
        assert scorer.higher_is_better
        assert scorer.score(labels, outputs) == pytest.approx(expected, rel=1e-5)
    scorer = _scorer(kind(), width, last, labels)
    assert scorer.higher_is_better
    assert scorer.score(labels, probabilities) == pytest.approx(expected, rel=1e-5)


def _measured_by_keras(metric: Any, labels: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    metric.update_state(labels.astype(np.float32), outputs)
    return np.asarray(metric.result())


@pytest.mark.parametrize(
    ("name", "better"),
    [
        *((name, True) for name in ("Accuracy", "AUC", "Precision", "R2Score", "SensitivityAtSpecificity")),
        *((name, True) for name in ("IoU", "MeanIoU", "OneHotIoU", "one_hot_mean_io_u", "mean_iou")),
        *((name, False) for name in ("FalsePositives", "false_negatives", "KLDivergence", "Poisson")),
        *(
            (name, False)
            for name in ("LogCoshError", "CategoricalHinge", "BinaryCrossentropy", "MAE", "loss")
        ),
        *((name, None) for name in ("Sum", "CosineSimilarity", "opinion")),
    ],
)
def test_directions_by_every_name(name: str, better: bool | None) -> None:
    assert higher_is_better(name) is better


def test_objects_and_functions_get_what_the_model_gives() -> None:
    outputs, values = _outputs(2, None), _values(2)
    assert _score(keras.metrics.MeanSquaredError(), None, outputs, values) == pytest.approx(
        np.mean((outputs - values) ** 2), rel=1e-5
    )
    given = Quality(_worst, higher_is_better=False)
    assert _score(given, None, outputs, values) == np.abs(values - outputs).max()
    assert _scorer(given, 2, None, values).name == "_worst"
    named = _scorer(Quality(_worst, higher_is_better=False, name="worst error"), 2, None, values)
    assert (named.name, named.higher_is_better) == ("worst error", False)
    assert _scorer(Quality("mae", higher_is_better=True), 2, None, values).higher_is_better


def _worst(labels: np.ndarray, outputs: np.ndarray) -> float:
    return float(np.abs(labels - outputs).max())


def _not_a_number(labels: np.ndarray, outputs: np.ndarray) -> float:
    return float("nan")


def _fails(labels: np.ndarray, outputs: np.ndarray) -> float:
    raise IndexError("no such column")


@pytest.mark.parametrize(
    ("metric", "end", "labels", "says"),
    [
        ("accuracy", None, _values(2), "takes class numbers, or labels of 0 and 1.* give metric='mae'"),
        ("accuracy", None, _values(5), "compares outputs with labels of their shape .n, 2., got float32"),
        ("accuracy", "softmax", np.eye(2)[_classes(2)], "for one-hot labels give numpy.argmax"),
        ("accuracy", None, _classes(2) + 1, "go from 1 to 2, but the model has 2 classes"),
        ("auc", None, _values(2), "labels of 0 and 1"),
        ("mae", None, _values(), "compares outputs with labels of their shape"),
        ("sparse_top_k_categorical_accuracy", None, _values(2), "takes class numbers"),
        ("mean_opinion", None, _values(2), "Keras has no metric 'mean_opinion': expected 'accuracy', 'auc'"),
        ("kl_divergences", None, _values(2), "Keras has no metric"),
        (
            "mean_iou",
            None,
            _labels(2),
            r"'mean_iou' needs arguments.* metric=tf_keras.metrics.MeanIoU\(...\)",
        ),
        (_worst, None, _values(2), r"which way is better does not.*Quality\(_worst, higher_is_better=...\)"),
        (7, None, _values(2), "metric must be .* got 7"),
        (Quality(_not_a_number, True), None, _values(2), "_not_a_number is nan .* a finite number"),
        (Quality(_fails, True), None, _values(2), "_fails failed on labels of shape .* IndexError: no such"),
    ],
)
def test_what_does_not_fit_is_told(metric: Any, end: str | None, labels: np.ndarray, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        _score(metric, end, _outputs(2, end), labels)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (["cat"] * COUNT, "must be 200 class numbers, or numbers as the model's outputs are"),
        (np.zeros(3), "must be 200 class numbers.* shape .3,."),
        (np.full(COUNT, np.nan), "NaN or infinity"),
    ],
)
def test_labels_that_are_none(labels: Any, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        checked_labels(labels, COUNT)
