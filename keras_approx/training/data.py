"""Training data, checked against the task of the model, and the part set apart for validation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from numbers import Real
from typing import Any

import numpy as np

from keras_approx.checks import check_whole
from keras_approx.compat import keras, tf
from keras_approx.errors import OptionError
from keras_approx.graph.outputs import by_name, by_output
from keras_approx.keras3 import PyDatasetSequence, converted_data
from keras_approx.text import plural
from keras_approx.training.tasks import Task

HELD_OUT = 0.1
"""Share of arrays that is set apart where no validation data are given."""

Batch = tuple[Any, ...]
"""Inputs, labels, and weights of the samples if there are any. Several inputs and labels of several outputs are
dictionaries by name, and weights may be."""


@dataclass(frozen=True)
class TrainingData:
    """What `fit` is given.

    Attributes:
        source: Arrays of inputs, labels and perhaps weights; or a dataset of batches of them.
        batch_size: Samples in a step, of arrays; None for a dataset.
        steps: In an epoch.
        validation: As for `fit`: what training does not see; None if there is none.
        first: The first batches of `source`, as they are before training.
    """

    source: Batch | Any
    batch_size: int | None
    steps: int
    validation: Any
    first: tuple[Batch, ...]

    @property
    def weighted(self) -> bool:
        """Whether samples have weights."""
        return len(self.first[0]) > 2

    def labels(self, task: Task) -> np.ndarray:
        """Labels of an output in the first batches."""
        return np.concatenate(
            [batch[1][task.output] if isinstance(batch[1], dict) else batch[1] for batch in self.first]
        )

    def inputs(self, batches: int) -> list[Any]:
        """Inputs of the first batches."""
        return [batch[0] for batch in self.first[:batches]]

    def dataset(self, batches: int) -> Any:
        """The first batches, as a tf.data.Dataset of (inputs, labels) and perhaps weights."""
        shown = self.first[:batches]
        signature = _each(
            lambda array: tf.TensorSpec((None, *array.shape[1:]), tf.as_dtype(array.dtype)), shown[0]
        )
        return tf.data.Dataset.from_generator(lambda: iter(shown), output_signature=signature)

    def judge(self, model: Any) -> dict[str, float]:
        """Loss and metrics of a compiled model by name: on the validation data, else on the first batches."""
        names = ("x", "y", "sample_weight")
        if isinstance(self.validation, tuple):
            given = {**dict(zip(names, self.validation, strict=False)), "batch_size": self.batch_size or 128}
        else:
            given = {"x": self.dataset(len(self.first)) if self.validation is None else self.validation}
        found = model.evaluate(**given, verbose=0, return_dict=True)
        model.reset_metrics()
        return {name: float(value) for name, value in found.items()}

    @property
    def fit_arguments(self) -> dict[str, Any]:
        """What `fit` takes: x, y, batch_size and so on."""
        if not isinstance(self.source, tuple):
            return {"x": self.source, **getattr(self.source, "fit_arguments", {})}
        names = ("x", "y", "sample_weight")
        return {**dict(zip(names, self.source, strict=False)), "batch_size": self.batch_size}


def training_data(
    data: Any,
    model: Any,
    tasks: Sequence[Task],
    *,
    batch_size: int,
    steps_per_epoch: int | None = None,
    sample_weight: Any = None,
    validation_data: Any = None,
    validation_split: float | None = None,
    first: int = 40,
) -> TrainingData:
    """Checks what a model is to train on.

    Args:
        data: (inputs, labels) or (inputs, labels, weights), arrays, or for several outputs arrays by name or in their
            order; a batched tf.data.Dataset; or a Sequence of tf_keras or PyDataset of Keras 3.
        model: The model.
        tasks: What its outputs learn.
        batch_size: Samples in a step, for arrays.
        steps_per_epoch: Needed for datasets that do not know their length.
        sample_weight: Of the samples of arrays.
        validation_data: As for `fit`.
        validation_split: Share of arrays to set apart, by chance; None for HELD_OUT if there are no validation data.
        first: How many batches to keep at hand.

    Raises:
        OptionError: If anything does not fit; the message says what was expected.
    """
    for name, number in (("batch_size", batch_size), ("steps_per_epoch", steps_per_epoch)):
        if number is not None:
            check_whole(name, number)
    validation = converted_data(validation_data)
    if _is_empty(validation):
        raise OptionError("validation_data is empty: give at least one batch, or leave it out")
    if isinstance(data, (tuple, list)):
        arrays = _checked(
            "data", (*data, sample_weight) if sample_weight is not None else tuple(data), model, tasks
        )
        if isinstance(validation, (tuple, list)):
            validation = _checked("validation_data", tuple(validation), model, tasks)
        arrays, validation = _split(arrays, validation, validation_split, batch_size)
        starts = range(0, _count(arrays), batch_size)
        at_hand = tuple(_part(arrays, slice(at, at + batch_size)) for at in starts[:first])
        return TrainingData(arrays, batch_size, steps_per_epoch or len(starts), validation, at_hand)
    if sample_weight is not None or validation_split:
        raise OptionError(
            "sample_weight= and validation_split= are for arrays: let the dataset give (inputs, labels, weights), and "
            "give validation_data="
        )
    if isinstance(validation, (tuple, list)):
        validation = _checked("validation_data", tuple(validation), model, tasks)
    source = converted_data(data)
    steps = _steps(source, steps_per_epoch)
    at_hand = tuple(
        _checked(f"batch {number} of data", batch, model, tasks)
        for number, batch in enumerate(islice(_batches(source), min(first, steps)))
    )
    if not at_hand:
        raise OptionError("there is no data: expected at least one batch of inputs and labels, got none")
    return TrainingData(source, None, steps, validation, at_hand)


def check_class_weight(class_weight: Any, tasks: Sequence[Task]) -> None:
    """Checks the weights of classes, which Keras does in the middle of training.

    Raises:
        OptionError: If they are not for one output that tells classes, or not a number for each of them.
    """
    if class_weight is None:
        return
    if len(tasks) > 1:
        raise OptionError(
            f"class_weight= is for models of one output, this one has {', '.join(task.output for task in tasks)}: give "
            "sample_weight= by output"
        )
    (task,) = tasks
    if task.kind == "values" or len(task.shape) > 1:
        raise OptionError(
            f"class_weight= is for outputs that tell one class for each input, not those of shape {task.shape} with "
            f"the loss {task.name}: give sample_weight="
        )
    classes = max(task.shape[-1], 2)
    if not isinstance(class_weight, Mapping) or set(class_weight) != set(range(classes)):
        got = (
            f"weights for {', '.join(map(repr, class_weight)) or 'none'}"
            if isinstance(class_weight, Mapping)
            else type(class_weight).__name__
        )
        raise OptionError(
            f"class_weight must be a dictionary with a weight for each of the classes 0 to {classes - 1}; got {got}"
        )
    for number, weight in class_weight.items():
        if not isinstance(weight, Real) or not 0 <= float(weight) < math.inf:
            raise OptionError(
                f"class_weight of class {number} must be a finite number of at least 0, got {weight!r}"
            )


def _is_empty(validation: Any) -> bool:
    if isinstance(validation, tf.data.Dataset):
        return next(iter(validation.take(1)), None) is None
    return isinstance(validation, (keras.utils.Sequence, PyDatasetSequence)) and not len(validation)


def _steps(source: Any, steps_per_epoch: int | None) -> int:
    """Steps in an epoch."""
    dataset = isinstance(source, tf.data.Dataset)
    if not dataset and not isinstance(source, (keras.utils.Sequence, PyDatasetSequence)):
        raise OptionError(
            "data must be arrays (inputs, labels), a tf.data.Dataset, a tf_keras.utils.Sequence or a PyDataset, which "
            f"can be read more than once; got {type(source).__name__}"
        )
    if steps_per_epoch is not None:
        return steps_per_epoch
    if not dataset:
        return len(source)
    if int(source.cardinality()) >= 0:
        return int(source.cardinality())
    raise OptionError("the dataset does not know how many batches it has: give steps_per_epoch=")


def _batches(source: Any) -> Iterator[Any]:
    if isinstance(source, tf.data.Dataset):
        return iter(source.as_numpy_iterator())
    return (source[number] for number in range(len(source)))


def _split(arrays: Batch, validation: Any, share: float | None, batch_size: int) -> tuple[Batch, Any]:
    """Arrays without what is set apart to judge by, and that."""
    if share is not None and not 0 <= share < 1:
        raise OptionError(f"validation_split must be a share from 0 to below 1, got {share!r}")
    if validation is not None:
        if share:
            raise OptionError("give validation_data= or validation_split=, not both")
        return arrays, validation
    count = _count(arrays)
    apart = round(count * (HELD_OUT if share is None else share))
    if share is None and count - apart <= batch_size:  # too few to set any apart unasked
        apart = 0
    if not apart:
        return arrays, None
    if apart == count:
        raise OptionError(
            f"validation_split={share:g} of {plural(count, 'sample')} leaves none to train on: give a smaller share"
        )
    order = np.random.default_rng(0).permutation(count)
    rest, chosen = np.sort(order[apart:]), np.sort(order[:apart])
    return _part(arrays, rest), _part(arrays, chosen)


def _each(function: Callable[[np.ndarray], Any], batch: Batch) -> Batch:
    """A function of every array of a batch."""
    return tuple(
        {name: function(array) for name, array in one.items()} if isinstance(one, dict) else function(one)
        for one in batch
    )


def _count(batch: Batch) -> int:
    """How many samples a batch has."""
    inputs = batch[0]
    return len(next(iter(inputs.values())) if isinstance(inputs, dict) else inputs)


def _part(batch: Batch, chosen: Any) -> Batch:
    """Some samples of a batch."""
    return _each(lambda array: array[chosen], batch)


def _checked(what: str, batch: Any, model: Any, tasks: Sequence[Task]) -> Batch:
    """Inputs, labels and perhaps weights as arrays, which fit the model and its tasks."""
    if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
        raise OptionError(
            f"{what} must be (inputs, labels), or with weights of samples as a third; got {_shown(batch)}"
        )
    inputs = _of_inputs(f"inputs of {what}", batch[0], model)
    labels, *weights = (
        _of_outputs(f"{name} of {what}", value, tasks, shared=name == "weights")
        for name, value in zip(("labels", "weights"), batch[1:], strict=False)
    )
    count = _count((inputs,))
    for name, given in (("inputs", inputs), ("labels", labels), *(("weights", one) for one in weights)):
        for array in given.values() if isinstance(given, dict) else [given]:
            if not array.ndim or len(array) != count:
                raise OptionError(
                    f"{what} has {plural(count, 'input')}, but {name} of shape {array.shape}: expected one for "
                    "each input"
                )
    for given in weights:
        for array in given.values() if isinstance(given, dict) else [given]:
            if (array < 0).any():
                raise OptionError(f"weights of {what} reach down to {array.min():g}: expected none below 0")
    for task in tasks:
        if isinstance(labels, dict):
            _check_labels(f"{what} for {task.output}", labels[task.output], task)
        else:
            _check_labels(what, labels, task)
    return (inputs, labels, *weights)


def _of_inputs(what: str, given: Any, model: Any) -> Any:
    """An array, or for several inputs arrays by name; of the model's shapes."""
    names = tuple(model.input_names)
    if len(names) == 1:
        only = given.get(names[0]) if isinstance(given, Mapping) and len(given) == 1 else None
        arrays = {names[0]: _numbers(what, given if only is None else only)}
    else:
        several = by_name(what, given, names, "inputs")
        arrays = {name: _numbers(f"{what} for {name}", array) for name, array in several.items()}
    for array, tensor in zip(arrays.values(), model.inputs, strict=True):
        shape = tuple(tensor.shape)[1:]
        if array.shape[1:] != shape or not len(array):
            wanted = ", ".join(["n", *map(str, shape)])
            raise OptionError(
                f"{what} must have the shape ({wanted}) that the model takes, with n >= 1; got {array.shape}"
            )
    return arrays if len(names) > 1 else arrays[names[0]]


def _of_outputs(what: str, given: Any, tasks: Sequence[Task], *, shared: bool) -> Any:
    """An array, or for several outputs arrays by name; with `shared` one array may be for all of them."""
    if len(tasks) == 1:
        only = given.get(tasks[0].output) if isinstance(given, Mapping) and len(given) == 1 else None
        return _numbers(what, given if only is None else only)
    if shared and not isinstance(given, (Mapping, tuple, list)):
        return _numbers(what, given)
    arrays = by_output(what, given, tuple(task.output for task in tasks))
    return {name: _numbers(f"{what} for {name}", array) for name, array in arrays.items()}


def _numbers(what: str, value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind in "SUO":
        fix = (
            "number them from 0 on" if array.dtype.kind in "SU" else "build an array of numbers of one shape"
        )
        raise OptionError(f"{what} must be numbers, got {_shown(value)}: {fix}")
    if array.dtype.kind not in "biuf":
        raise OptionError(f"{what} must be numbers, got {_shown(value)}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise OptionError(f"{what} hold NaN or infinity: expected finite numbers; clean the data")
    return array


def _check_labels(what: str, labels: np.ndarray, task: Task) -> None:
    outputs = task.shape
    shape, low, high = labels.shape[1:], labels.min(), labels.max()
    classes = outputs[-1]
    if task.sparse:
        if shape not in ((), (1,), outputs[:-1]):
            fix = "give numpy.argmax(labels, axis=1), or the loss 'categorical_crossentropy'"
            one_hot = "they are one-hot: " if shape == outputs else ""
            raise OptionError(
                f"labels of {what} must be one class number for each input, as the loss {task.name} takes them; got "
                f"the shape {labels.shape}; {one_hot}{fix}"
            )
        if not 0 <= low <= high < classes or (labels.dtype.kind == "f" and (labels % 1).any()):
            raise OptionError(
                f"labels of {what} go from {low} to {high}, but the model has {plural(classes, 'output')}: expected "
                f"whole numbers from 0 to {classes - 1}"
            )
        return
    if task.takes_outputs and shape != outputs and not (shape == () and outputs == (1,)):
        wanted = ", ".join(["n", *map(str, outputs)])
        fix = (
            "; for class numbers give the loss 'sparse_categorical_crossentropy'"
            if task.kind == "classes"
            else ""
        )
        raise OptionError(
            f"labels of {what} must have the shape ({wanted}) of the outputs, as the loss {task.name} takes them; got "
            f"{labels.shape}{fix}"
        )
    if task.kind == "labels" and not 0 <= low <= high <= 1:
        raise OptionError(
            f"labels of {what} go from {low} to {high}: the loss {task.name} takes 0 for a label that does not hold, 1 "
            "for one that does"
        )


def _shown(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__} of {len(value)}"
    array = np.asarray(value)
    return f"{type(value).__name__} of {array.dtype}, shape {array.shape}"
