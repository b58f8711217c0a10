"""The task of a model, from its loss: which labels fit, how distillation compares outputs, which metric to watch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np
from scipy.special import xlogy

from keras_approx.compat import keras, tf
from keras_approx.errors import OptionError
from keras_approx.graph.outputs import by_output, output_names
from keras_approx.graph.topology import calls_and_outputs
from keras_approx.keras3 import converted
from keras_approx.layers.quantized_layers import QuantizeActivation

Kind = Literal["classes", "labels", "values"]
"""One of several classes; independent binary labels; values to approximate."""

_OF_CLASSES = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
)
_OF_LABELS = ("binary_crossentropy", "binary_focal_crossentropy")
_OF_VALUES = (
    "mean_squared_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "huber",
    "huber_loss",
    "log_cosh",
    "cosine_similarity",
    "poisson",
)
_METRICS = {"classes": "accuracy", "labels": "binary_accuracy", "values": "mae"}
# Parts of names as `plain_name` gives them.
_HIGHER_IS_BETTER = (
    "acc",
    "auc",
    "precision",
    "recall",
    "f1score",
    "fbetascore",
    "iou",
    "r2score",
    "sensitivity",
)
_LOWER_IS_BETTER = (
    *(
        "loss",
        "error",
        "mae",
        "mse",
        "mape",
        "msle",
        "crossentropy",
        "divergence",
        "hinge",
        "poisson",
        "cosh",
    ),
    "falsepositives",
    "falsenegatives",
)


@dataclass(frozen=True)
class Task:
    """A loss of one output, and what follows from it.

    Attributes:
        output: Name of the output.
        shape: Of the output, without the batch.
        kind: What outputs stand for.
        loss: What `compile` takes.
        name: Of the loss, such as "mean_squared_error".
        logits: Whether the model ends without an activation.
    """

    output: str
    shape: tuple[int, ...]
    kind: Kind
    loss: Any
    name: str
    logits: bool

    @property
    def metric(self) -> Any:
        """What is measured beside the loss if nothing else is asked for, as `compile` takes it."""
        if self.kind == "labels" and self.logits:
            return keras.metrics.BinaryAccuracy(threshold=0.0)
        return _METRICS[self.kind]

    @property
    def sparse(self) -> bool:
        """Whether labels are class numbers."""
        return self.name == "sparse_categorical_crossentropy"

    @property
    def takes_outputs(self) -> bool:
        """Whether labels surely have the outputs' shape: Keras's losses ask for it; a user's own loss may not."""
        return not self.sparse and self.name in (*_OF_CLASSES, *_OF_LABELS, *_OF_VALUES)

    def constant_loss(self, labels: np.ndarray) -> float:
        """The least loss of outputs that do not depend on inputs, about: what lost training ends at.

        Args:
            labels: Of some samples.
        """
        if self.kind == "values":
            targets = tf.cast(labels.reshape(len(labels), -1), tf.float32)
            constant = tf.broadcast_to(tf.reduce_mean(targets, axis=0, keepdims=True), targets.shape)
            return float(np.mean(keras.losses.get(self.loss)(targets, constant)))
        if self.sparse:
            shares = np.bincount(labels.reshape(-1).astype(np.int64)) / labels.size
        else:
            shares = labels.reshape(-1, labels.shape[-1] if labels.ndim > 1 else 1).mean(axis=0)
        entropy = -xlogy(shares, shares)
        return float(
            entropy.sum() if self.kind == "classes" else np.mean(entropy - xlogy(1 - shares, 1 - shares))
        )

    def distance(self) -> Callable[[Any, Any], Any]:
        """How far outputs are from a teacher's, for values: float32 [samples], of (teacher's, student's).

        It is the loss itself, with what the teacher says in place of the labels, or the mean squared error where the
        loss is none of Keras's for values.
        """
        name = self.name if self.name in _OF_VALUES else "mean_squared_error"
        loss = (
            self.loss if name == self.name and not isinstance(self.loss, str) else getattr(keras.losses, name)
        )
        if isinstance(loss, keras.losses.Loss):
            return loss.call
        return loss


def tasks_of(model: Any, loss: Any) -> tuple[Task, ...]:
    """The tasks of a model that trains with a loss: one for each output.

    Args:
        model: A functional model.
        loss: As for `compile`: a name, a function or an object, of Keras 3 too; for several outputs one for all, or
            one for each, by name or in a list.

    Raises:
        OptionError: If there is no loss, Keras has none of its name, or there is not one for each output.
    """
    if loss is None:
        raise OptionError("there is no loss: give loss=, or compile the model")
    names = output_names(model)
    if not isinstance(loss, (list, tuple, Mapping)):
        losses = dict.fromkeys(names, loss)
    elif len(names) > 1:
        losses = by_output("losses", loss, names)
    elif len(loss) == 1:
        losses = {names[0]: next(iter(loss.values() if isinstance(loss, Mapping) else loss))}
    else:
        raise OptionError(f"the model has one output, so give one loss; got {len(loss)}")
    missing = [name for name, one in losses.items() if one is None]
    if missing:
        raise OptionError(
            f"there is no loss for {', '.join(missing)}, which would not learn: give one for each output, or train a "
            "model without it"
        )
    return tuple(_task(model, number, name, one) for number, (name, one) in enumerate(losses.items()))


def weights_of(tasks: Sequence[Task], loss_weights: Any) -> tuple[float, ...]:
    """What the loss of each task counts in their sum, from what `compile` takes.

    Raises:
        OptionError: If it is none of this: None, or a number for each output, by name or in a list.
    """
    names = tuple(task.output for task in tasks)
    if loss_weights is None:
        return (1.0,) * len(tasks)
    if isinstance(loss_weights, Real) and len(tasks) == 1:
        return (float(loss_weights),)
    return tuple(float(weight) for weight in by_output("loss_weights", loss_weights, names).values())


def _task(model: Any, number: int, output: str, loss: Any) -> Task:
    """The task of one output."""
    loss = converted("loss", loss)
    try:
        known = keras.losses.get(loss)
    except (ValueError, TypeError) as error:
        raise OptionError(
            f"Keras has no loss {loss!r}: give the name of one, such as 'sparse_categorical_crossentropy', a function "
            "of labels and outputs, or an object of tf_keras.losses"
        ) from error
    end = last_activation(model, number)
    name = snake_case(getattr(known, "__name__", type(known).__name__))
    if name in _OF_CLASSES:
        kind: Kind = "classes"
    elif name in _OF_LABELS:
        kind = "labels"
    else:
        kind = "classes" if name not in _OF_VALUES and end == "softmax" else "values"
    shape = tuple(model.outputs[number].shape)[1:]
    return Task(output, shape, kind, loss, name, end == "linear")


def last_activation(model: Any, output: int = 0) -> str:
    """The activation that an output of a model ends in: "softmax", "sigmoid", "linear" or another."""
    found, ends = calls_and_outputs(model)
    last = found[ends[output]]
    while isinstance(last.layer, QuantizeActivation):
        last = found[last.inputs[0]]
    if type(last.layer).__name__ == "Softmax":
        return "softmax"
    return str(getattr(getattr(last.layer, "activation", None), "__name__", "linear"))


def higher_is_better(metric: str) -> bool | None:
    """Whether a metric of Keras is better the higher it is; None if its name does not say."""
    name = plain_name(metric)
    if any(part in name for part in _LOWER_IS_BETTER):
        return False
    return True if any(part in name for part in _HIGHER_IS_BETTER) else None


def plain_name(name: str) -> str:
    """A name without what tells names of classes, functions and objects apart: "binaryiou" of "BinaryIoU"."""
    return name.replace("_", "").lower()


def snake_case(name: str) -> str:
    """A name of a class as functions are called: "mean_absolute_error" of "MeanAbsoluteError"."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
