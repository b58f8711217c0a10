"""Checks of arguments that several functions take."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any

from keras_approx.errors import CalibrationError, OptionError


def check_whole(name: str, value: Any) -> None:
    """Checks a number of steps, samples or passes, whatever library computed it.

    Raises:
        OptionError: If it is not a whole number of at least 1.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < 1:
        raise OptionError(f"{name} must be a whole number of at least 1, got {value!r}")


def check_kept(fraction: Any) -> None:
    """Checks a fraction of products to keep.

    Raises:
        OptionError: If it is not between 0 and 1.
    """
    if not 0 <= fraction <= 1:
        raise OptionError(f"the fraction of products to keep must be between 0 and 1, got {fraction}")


def is_used_up(data: Any) -> bool:
    """Whether data are empty once they were read: a generator or another iterator."""
    return isinstance(data, Iterator)


def check_readable_again(data: Any) -> None:
    """Checks data that are read several times.

    Raises:
        CalibrationError: If they are a generator or another iterator.
    """
    if is_used_up(data):
        raise CalibrationError(
            f"the data are read several times, but a {type(data).__name__} is used up after the first: give an array, "
            "a tf.data.Dataset, or a list of batches"
        )
