"""Batches of model inputs from an array, a dataset or an iterable, checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from keras_approx.compat import tf
from keras_approx.errors import CalibrationError, OptionError
from keras_approx.graph.outputs import by_name
from keras_approx.text import plural

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Batches:
    """An iterable of float32 batches: arrays, or tuples of an array for each input of a model of several.

    Attributes:
        source: Gives the elements.
        shapes: Of one sample of each input.
        names: Of the inputs, for elements that are dictionaries.
        count: How many batches there are, if that is known.
    """

    source: Iterable[Any]
    shapes: tuple[Shape, ...]
    names: tuple[str, ...]
    count: int | None

    def __iter__(self) -> Iterator[Any]:
        return (self._checked(element, number) for number, element in self._elements())

    def with_labels(self) -> Iterator[tuple[Any, np.ndarray]]:
        """The same batches, each with its labels.

        Raises:
            CalibrationError: While iterating, also on the first batch that is not (inputs, labels, ...).
        """
        for number, element in self._elements():
            inputs = self._checked(element, number)
            yield inputs, _labels(element, batch_length(inputs), number)

    def _elements(self) -> Iterator[tuple[int, Any]]:
        return enumerate(islice(self.source, self.count))  # which takes none that it does not give

    def _checked(self, element: Any, number: int) -> Any:
        if len(self.shapes) == 1:
            inputs = element[0] if isinstance(element, (tuple, list)) and element else element
            if isinstance(inputs, Mapping) and set(inputs) == set(self.names):
                inputs = inputs[self.names[0]]
            return _checked(inputs, self.shapes[0], number)
        first = element[0] if isinstance(element, (tuple, list)) and element else None
        inputs = first if isinstance(first, (tuple, list, Mapping)) else element
        arrays = tuple(
            _checked(array, shape, number)
            for array, shape in zip(
                _several(inputs, self.names, f"batch {number} of the calibration data"),
                self.shapes,
                strict=True,
            )
        )
        if len({len(array) for array in arrays}) != 1:
            raise CalibrationError(
                f"batch {number} of the calibration data has {', '.join(str(len(array)) for array in arrays)} samples "
                "for the inputs, expected as many for each"
            )
        return arrays


def batch_length(batch: Any) -> int:
    """How many samples a batch has."""
    return len(batch[0] if isinstance(batch, tuple) else batch)


def arrays_of(batch: Any) -> tuple[Any, ...]:
    """The array of each input of a batch."""
    return batch if isinstance(batch, tuple) else (batch,)


def chosen_samples(batch: Any, chosen: Any) -> Any:
    """Some samples of a batch, as an index of an array names them."""
    return tuple(array[chosen] for array in batch) if isinstance(batch, tuple) else batch[chosen]


def for_keras(batch: Any) -> Any:
    """A batch as `predict` takes it, for which a tuple would hold labels too."""
    return list(batch) if isinstance(batch, tuple) else batch


def _several(inputs: Any, names: tuple[str, ...], what: str) -> list[Any]:
    """What is given for each of several inputs."""
    try:
        return list(by_name(what, inputs, names, "inputs").values())
    except OptionError as error:
        raise CalibrationError(str(error)) from error


def model_batches(model: Any, data: Any, batch_size: int, steps: int | None) -> Batches:
    """Makes batches of a model's inputs.

    Args:
        model: A functional model.
        data: An array, a batched tf.data.Dataset, or an iterable of batches; see keras_approx.calibrate. For several
            inputs arrays and batches are tuples, or dictionaries by the inputs' names.
        batch_size: Samples in a batch, for arrays.
        steps: How many batches at most; None for all.

    Returns:
        An iterable of float32 arrays (n, *input shape), tuples of them for several inputs; iterating raises
        CalibrationError on the first bad batch.

    Raises:
        CalibrationError: If the data is of another kind, endless, or an array of another shape.
    """
    shapes = tuple(tuple(tensor.shape)[1:] for tensor in model.inputs)
    names = tuple(model.input_names)
    if (steps is not None and steps < 1) or batch_size < 1:
        raise CalibrationError(f"steps and batch_size must be at least 1, got {steps} and {batch_size}")
    _check_without_labels(data, shapes)
    if len(shapes) == 1 and isinstance(data, (np.ndarray, tf.Tensor)):
        array = np.asarray(data)
        if array.shape[1:] != shapes[0]:
            raise CalibrationError(_shape_message("calibration data", array.shape, shapes[0]))
        starts = range(0, len(array), batch_size)
        parts = (array[start : start + batch_size] for start in starts)
        return Batches(parts, shapes, names, _least(len(starts), steps))
    if isinstance(data, Mapping) or (len(shapes) > 1 and _are_arrays(data)):
        arrays = [np.asarray(array) for array in _several(data, names, "calibration data")]
        starts = range(0, max(map(len, arrays)), batch_size)
        slices = (tuple(array[start : start + batch_size] for array in arrays) for start in starts)
        return Batches(slices, shapes, names, _least(len(starts), steps))
    if isinstance(data, tf.data.Dataset):
        size = int(data.cardinality())
        if size == tf.data.INFINITE_CARDINALITY and steps is None:
            raise CalibrationError("the dataset never ends: give steps=, or use dataset.take(n)")
        return Batches(data, shapes, names, _least(size if size >= 0 else None, steps))
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes)):
        length = len(data) if isinstance(data, Sized) else None
        return Batches(data, shapes, names, _least(length, steps))
    raise CalibrationError(
        "calibration data must be an array, a tf.data.Dataset or an iterable of batches, got "
        f"{type(data).__name__}"
    )


def _check_without_labels(data: Any, shapes: tuple[Shape, ...]) -> None:
    """Refuses a pair of inputs and labels, which would be read as two batches."""
    if not isinstance(data, tuple) or len(data) != 2 or isinstance(data[1], (tuple, Mapping)):
        return
    inputs, labels = data
    if len(shapes) == 1:
        pair = _are_arrays([inputs]) and tuple(inputs.shape)[1:] == shapes[0]
    else:
        pair = isinstance(inputs, Mapping) or _are_arrays(inputs)
    try:
        pair = pair and (len(shapes) > 1 or np.shape(labels)[1:] != shapes[0])
    except ValueError:  # of parts of different shapes
        return
    if pair:
        raise CalibrationError(
            f"calibration data is a pair of a {type(inputs).__name__} and a {type(labels).__name__}, which looks like "
            "inputs and labels: give the inputs alone, or a tf.data.Dataset of batches (inputs, labels)"
        )


def _are_arrays(data: Any) -> bool:
    return isinstance(data, (tuple, list)) and all(
        isinstance(array, (np.ndarray, tf.Tensor)) for array in data
    )


def _least(size: int | None, steps: int | None) -> int | None:
    counts = [count for count in (size, steps) if count is not None]
    return min(counts, default=None)


def _checked(inputs: Any, shape: Shape, number: int) -> np.ndarray:
    if np.iscomplexobj(inputs):
        raise CalibrationError(
            f"batch {number} of the calibration data has complex values: expected real ones, for instance the real and "
            "the imaginary part as two channels"
        )
    try:
        batch = np.asarray(inputs, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise CalibrationError(
            f"batch {number} of the calibration data is a {type(inputs).__name__} that is not numbers: "
            f"{error}"
        ) from error
    if batch.shape[1:] != shape or batch.ndim != len(shape) + 1:
        raise CalibrationError(_shape_message(f"batch {number} of the calibration data", batch.shape, shape))
    if not len(batch):
        raise CalibrationError(f"batch {number} of the calibration data is empty: drop empty batches")
    if not np.all(np.isfinite(batch)):
        raise CalibrationError(
            f"batch {number} of the calibration data contains NaN or infinity: expected finite values; "
            "clean the data"
        )
    return batch


def _labels(element: Any, count: int, number: int) -> np.ndarray:
    if not isinstance(element, (tuple, list)) or len(element) < 2:
        raise CalibrationError(
            f"batch {number} of the calibration data has no labels: a loss needs batches (inputs, labels), such "
            "as those of tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(n)"
        )
    labels = np.asarray(element[1])
    if labels.shape[:1] != (count,) or labels.dtype == object:
        raise CalibrationError(
            f"batch {number} of the calibration data has labels of shape {labels.shape} and type "
            f"{labels.dtype}, expected an array with the labels of {plural(count, 'sample')}"
        )
    return labels


def _shape_message(what: str, got: tuple[int, ...], shape: tuple[int, ...]) -> str:
    fix = "; add a batch axis, or call dataset.batch(n)" if got == shape else ""
    wanted = ", ".join(["n", *map(str, shape)])
    return f"{what} has shape {got}, expected ({wanted}){fix}"
