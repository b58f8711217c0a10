"""The score of outputs by any metric: accuracy, an area under a curve, an error, a user's function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit, softmax
from scipy.stats import rankdata

from keras_approx.compat import keras
from keras_approx.errors import OptionError
from keras_approx.exploration.quality import ACCURACY, Quality
from keras_approx.keras3 import converted
from keras_approx.text import plural
from keras_approx.training.tasks import higher_is_better, last_activation, plain_name

_OF_PROBABILITIES = (
    *("accuracy", "crossentropy", "precision", "recall", "sensitivity", "specificity", "f1", "fbeta", "iou"),
    *("divergence", "positives", "negatives"),
)
"""Parts of the plain names of Keras's metrics that always take probabilities, whatever the last layer is."""
_KNOWN = "'accuracy', 'auc', 'mae', 'mse', 'binary_accuracy', or another of Keras"


@dataclass(frozen=True)
class Scorer:
    """A metric, made to fit a model's outputs and the labels. It can be sent to other processes.

    Attributes:
        name: For tables and plots.
        higher_is_better: Whether more is better.
        function: Gives a number, or one for each sample, of which the mean counts; from labels and outputs.
        right: Whether each sample is right, bool (n,), where that is all the metric counts; else None.
    """

    name: str
    higher_is_better: bool
    function: Callable[[np.ndarray, np.ndarray], Any]
    right: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None

    def score(self, labels: np.ndarray, outputs: np.ndarray) -> float:
        """The metric of some outputs.

        Raises:
            OptionError: If it fails on them, or is no finite number.
        """
        shapes = f"labels of shape {labels.shape} and outputs of shape {outputs.shape}"
        try:
            found = float(np.mean(np.asarray(self.function(labels, outputs), np.float64)))
        except OptionError:
            raise
        except Exception as error:
            raise OptionError(
                f"the metric {self.name} failed on {shapes}, with {type(error).__name__}: "
                f"{str(error).splitlines()[0] if str(error) else 'no message'}; give one that takes these, "
                f"such as {_KNOWN}"
            ) from error
        if not np.isfinite(found):
            raise OptionError(
                f"the metric {self.name} is {found} for {shapes}, where a finite number was expected for any "
                "outputs; a design may give the same output for all samples"
            )
        return found


def scorer_of(metric: Any, model: Any, labels: np.ndarray) -> Scorer:
    """The metric that a user asked for.

    Args:
        metric: See `explore`.
        model: The model whose outputs it is about.
        labels: What it compares them with; see `checked_labels`.

    Raises:
        OptionError: If there is no such metric, it does not fit, or it is unknown which way is better.
    """
    quality = metric if isinstance(metric, Quality) else Quality(metric)
    given = converted("metric", quality.metric)
    if isinstance(given, str):
        found = _named(given, model, labels)
    elif isinstance(given, keras.metrics.Metric):
        make = partial(type(given).from_config, given.get_config())
        found = _Found(given.name, partial(_measured, make))
    elif callable(given):
        found = _Found(getattr(given, "__name__", type(given).__name__), given)
    else:
        raise OptionError(
            f"metric must be {_KNOWN}, a tf_keras metric, or keras_approx.Quality(function, higher_is_better=...); "
            f"got {given!r}"
        )
    better = quality.higher_is_better
    if better is None:
        better = higher_is_better(found.name)
    if better is None:
        raise OptionError(
            f"which way is better does not follow from the name of the metric {found.name!r}: give "
            f"metric=keras_approx.Quality({found.name if callable(given) else repr(given)}, higher_is_better=...)"
        )
    return Scorer(quality.name or found.name, better, found.function, found.right)


def checked_labels(labels: Any, count: int) -> np.ndarray:
    """Labels as an array of numbers, one for each of so many inputs; class numbers are int64 (n,).

    Raises:
        OptionError: If they are something else.
    """
    found = np.asarray(labels)
    if found.dtype.kind not in "biuf" or not found.ndim or len(found) != count:
        raise OptionError(
            f"validation labels must be {plural(count, 'class number')}, or numbers as the model's outputs are; got "
            f"{found.dtype} of shape {found.shape}"
        )
    if found.dtype.kind == "f":
        if not np.isfinite(found).all():
            raise OptionError(
                "validation labels hold NaN or infinity: expected finite numbers; clean the data"
            )
        return found.astype(np.float32)
    found = found.astype(np.int64)
    return found.reshape(-1) if found.shape == (count, 1) else found


@dataclass(frozen=True)
class _Found:
    name: str
    function: Callable[[np.ndarray, np.ndarray], Any]
    right: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None


def _named(name: str, model: Any, labels: np.ndarray) -> _Found:
    """A metric by its name."""
    outputs, end = tuple(model.output_shape[1:]), last_activation(model)
    if name.lower() in (ACCURACY, "acc"):
        return _accuracy(model, labels)
    classes = _are_classes(labels, outputs)
    if name.lower() == "auc":
        _check_decisions(name, labels, outputs)
        return _Found("auc", partial(_area, end == "linear"))
    known = _of_keras(name)
    told = plain_name(getattr(known, "__name__", type(known).__name__))
    if told.startswith("sparse"):
        if not classes:
            raise OptionError(
                f"the metric {name!r} takes class numbers, got labels of shape {labels.shape} and {labels.dtype}"
            )
        _check_classes(labels, outputs)
    else:
        _check_shape(name, labels, outputs)
    measure: Callable[[np.ndarray, np.ndarray], Any] = known
    if isinstance(known, keras.metrics.Metric):
        measure = partial(_measured, partial(type(known).from_config, known.get_config()))
    probabilities = end == "linear" and any(part in told for part in _OF_PROBABILITIES)
    return _Found(name, partial(_shaped, measure, probabilities))


def _of_keras(name: str) -> Any:
    """A function or an object of tf_keras.metrics, by the name of either: "mae", "RootMeanSquaredError", "r2_score"."""
    classes = {plain_name(one): one for one, kind in vars(keras.metrics).items() if _is_metric(kind)}
    for one in (name, classes.get(plain_name(name))):
        try:
            found = keras.metrics.get(one)
        except ValueError:
            continue
        except TypeError as error:
            raise OptionError(
                f"the metric {name!r} needs arguments: give an object, metric=tf_keras.metrics.{one}(...)"
            ) from error
        if callable(found):
            return found
    raise OptionError(
        f"Keras has no metric {name!r}: expected {_KNOWN}, or keras_approx.Quality(function, ...)"
    )


def _is_metric(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, keras.metrics.Metric)


def _accuracy(model: Any, labels: np.ndarray) -> _Found:
    """The share of samples that are right: by the class of the highest score, or by binary labels."""
    outputs, end = tuple(model.output_shape[1:]), last_activation(model)
    if _are_classes(labels, outputs):
        _check_classes(labels, outputs)
        if len(outputs) == 1:
            return _Found(ACCURACY, _classified, _classified)
        return _Found("sparse_categorical_accuracy", _classified)  # of positions, not of samples
    if end != "sigmoid" and _are_one_hot(labels):
        raise OptionError(
            f"validation labels must be {plural(len(labels), 'class number')}, got {labels.dtype} of shape "
            f"{labels.shape}; for one-hot labels give numpy.argmax(labels, axis=1), for labels that hold each on its "
            "own metric='binary_accuracy'"
        )
    _check_decisions(ACCURACY, labels, outputs)
    decided = partial(_decided, 0.0 if end == "linear" else 0.5)
    return _Found(ACCURACY, decided, decided) if np.prod(outputs) == 1 else _Found("binary_accuracy", decided)


def _are_classes(labels: np.ndarray, outputs: tuple[int, ...]) -> bool:
    """Whether labels are numbers of classes, each of which has a score."""
    return labels.dtype.kind == "i" and labels.shape[1:] == outputs[:-1] and outputs[-1] > 1


def _check_classes(labels: np.ndarray, outputs: tuple[int, ...]) -> None:
    if labels.min() < 0 or labels.max() >= outputs[-1]:
        raise OptionError(
            f"validation labels go from {labels.min()} to {labels.max()}, but the model has {outputs[-1]} classes"
        )


def _check_decisions(name: str, labels: np.ndarray, outputs: tuple[int, ...]) -> None:
    """Whether labels are binary, one for each output, or class numbers."""
    if _are_classes(labels, outputs):
        _check_classes(labels, outputs)
        return
    _check_shape(name, labels, outputs)
    if not np.isin(labels, (0, 1)).all():
        raise OptionError(
            f"the metric {name!r} takes class numbers, or labels of 0 and 1, got {labels.dtype} labels of shape "
            f"{labels.shape} from {labels.min()} to {labels.max()}; for values to come near to, give metric='mae' or "
            "'mse'"
        )


def _check_shape(name: str, labels: np.ndarray, outputs: tuple[int, ...]) -> None:
    if labels.shape[1:] != outputs and not (labels.ndim == 1 and outputs == (1,)):
        wanted = ", ".join(["n", *map(str, outputs)])
        raise OptionError(
            f"the metric {name!r} compares outputs with labels of their shape ({wanted}), got {labels.dtype} labels of "
            f"shape {labels.shape}; class numbers go with 'accuracy' and 'auc'"
        )


def _classified(labels: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    right: np.ndarray = outputs.argmax(axis=-1) == labels
    return right


def _decided(threshold: float, labels: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Which labels are right, of the outputs' shape; (n,) where there is one output."""
    right: np.ndarray = (outputs > threshold) == (labels.reshape(outputs.shape) > 0.5)
    return right.reshape(-1) if outputs[0].size == 1 else right


def _area(logits: bool, labels: np.ndarray, outputs: np.ndarray) -> float:
    """The exact area under the ROC curve, by ranks; the mean over labels, or over classes against all others."""
    if _are_classes(labels, outputs.shape[1:]):
        outputs = softmax(outputs, axis=-1) if logits else outputs
        labels = labels[..., None] == np.arange(outputs.shape[-1])
    holds = labels.reshape(len(labels), -1) > 0.5
    scores = outputs.reshape(len(outputs), -1)
    positives = holds.sum(axis=0)
    told = (positives > 0) & (positives < len(holds))
    if not told.any():
        raise OptionError(
            "the metric 'auc' needs samples for which a label holds and others for which it does not, got none"
        )
    ranks = rankdata(scores[:, told], axis=0)
    positives = positives[told].astype(np.float64)
    above = np.where(holds[:, told], ranks, 0).sum(axis=0) - positives * (positives + 1) / 2
    return float(np.mean(above / (positives * (len(holds) - positives))))


def _shaped(
    measure: Callable[[np.ndarray, np.ndarray], Any],
    probabilities: bool,
    labels: np.ndarray,
    outputs: np.ndarray,
) -> np.ndarray:
    """A metric of Keras on labels of the outputs' shape, and on probabilities where it takes them."""
    classes = _are_classes(labels, outputs.shape[1:])
    if probabilities:
        one_of_many = classes or (_are_one_hot(labels))
        outputs = softmax(outputs, axis=-1) if one_of_many else expit(outputs)
    if not classes:
        labels = labels.reshape(outputs.shape).astype(np.float32)
    return np.asarray(measure(labels, outputs))


def _are_one_hot(labels: np.ndarray) -> bool:
    return (
        labels.ndim > 1
        and labels.shape[-1] > 1
        and bool(np.isin(labels, (0, 1)).all() and (labels.sum(axis=-1) == 1).all())
    )


def _measured(make: Callable[[], Any], labels: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """What a new metric object says of all samples."""
    metric = make()
    metric.update_state(labels, outputs)
    return np.asarray(metric.result())
