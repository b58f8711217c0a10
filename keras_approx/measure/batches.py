"""Batches of model inputs from an array, a dataset or an iterable, checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_approx.compat import tf
from keras_approx.errors import CalibrationError


@dataclass(frozen=True)
class Batches:
    """An iterable of float32 batches, and how many there are, if that is known."""

    source: Iterable[Any]
    shape: tuple[int, ...]
    count: int | None

    def __iter__(self) -> Iterator[np.ndarray]:
        return (_checked(element, self.shape, number) for number, element in self._elements())

    def with_labels(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The same batches, each with its labels.

        Raises:
            CalibrationError: While iterating, also on the first batch that is not (inputs, labels, ...).
        """
        for number, element in self._elements():
            inputs = _checked(element, self.shape, number)
            yield inputs, _labels(element, len(inputs), number)

    def _elements(self) -> Iterator[tuple[int, Any]]:
        for number, element in enumerate(self.source):
            if number == self.count:
                return
            yield number, element


def input_batches(data: Any, shape: tuple[int, ...], batch_size: int, steps: int | None) -> Batches:
    """Makes batches of inputs.

    Args:
        data: An array, a batched tf.data.Dataset, or an iterable of batches; see keras_approx.calibrate.
        shape: Of one sample.
        batch_size: Samples in a batch, for arrays.
        steps: How many batches at most; None for all.

    Returns:
        An iterable of arrays (n, *shape), float32; iterating raises CalibrationError on the first bad batch.

    Raises:
        CalibrationError: If the data is of another kind, endless, or an array of another shape.
    """
    if (steps is not None and steps < 1) or batch_size < 1:
        raise CalibrationError(f"steps and batch_size must be at least 1, got {steps} and {batch_size}")
    if isinstance(data, (np.ndarray, tf.Tensor)):
        array = np.asarray(data)
        if array.shape[1:] != shape:
            raise CalibrationError(_shape_message("calibration data", array.shape, shape))
        starts = range(0, len(array), batch_size)
        return Batches(
            (array[start : start + batch_size] for start in starts), shape, _least(len(starts), steps)
        )
    if isinstance(data, tf.data.Dataset):
        size = int(data.cardinality())
        if size == tf.data.INFINITE_CARDINALITY and steps is None:
            raise CalibrationError("the dataset never ends: give steps=, or use dataset.take(n)")
        return Batches(data, shape, _least(size if size >= 0 else None, steps))
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes, dict)):
        return Batches(data, shape, _least(len(data) if isinstance(data, Sized) else None, steps))
    raise CalibrationError(
        "calibration data must be an array, a tf.data.Dataset or an iterable of batches, got "
        f"{type(data).__name__}"
    )


def check_readable_again(data: Any) -> None:
    """Refuses what is empty after it was read once.

    Raises:
        CalibrationError: If the data is a generator or another iterator.
    """
    if isinstance(data, Iterator):
        raise CalibrationError(
            f"the data are read several times, but a {type(data).__name__} is used up after the first: give an array, "
            "a tf.data.Dataset, or a list of batches"
        )


def _least(size: int | None, steps: int | None) -> int | None:
    counts = [count for count in (size, steps) if count is not None]
    return min(counts, default=None)


def _checked(element: Any, shape: tuple[int, ...], number: int) -> np.ndarray:
    inputs = element[0] if isinstance(element, (tuple, list)) and element else element
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
            f"{labels.dtype}, expected an array with the labels of {count} samples"
        )
    return labels


def _shape_message(what: str, got: tuple[int, ...], shape: tuple[int, ...]) -> str:
    fix = "; add a batch axis, or call dataset.batch(n)" if got == shape else ""
    wanted = ", ".join(["n", *map(str, shape)])
    return f"{what} has shape {got}, expected ({wanted}){fix}"
