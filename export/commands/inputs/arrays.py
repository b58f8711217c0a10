"""Arrays from .npy and .npz files that options name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from export.errors import InputError
from keras_approx.storage.arrays import array_names, read_array, read_arrays


def read_npy(path: str) -> np.ndarray:
    """The array of a .npy file.

    Raises:
        InputError: It cannot be read, is none, holds objects, or claims more than the file has.
    """
    with _reading(path, "a .npy file of one array of numbers"):
        return read_array(path)


def read_npz(path: str, names: Sequence[str], optional: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Arrays of an .npz file.

    Args:
        path: Of the file.
        names: What it must hold.
        optional: What it may hold.

    Raises:
        InputError: It cannot be read, is none, an array is missing or of objects, or claims more than the file has.
    """
    wanted = f"an .npz file with the arrays {' and '.join(names)}, as numpy.savez writes it"
    with _reading(path, wanted):
        held = array_names(path)
    missing = [name for name in names if name not in held]
    if missing:
        raise InputError(
            f"expected the array {missing[0]!r} in {path!r}, found {', '.join(held)[:200] or 'none'}; "
            "name the arrays with --inputs-array and --labels-array"
        )
    with _reading(path, wanted):
        return read_arrays(path, [*names, *(name for name in optional if name in held)])


@contextmanager
def _reading(path: str, wanted: str) -> Iterator[None]:
    """What is wrong with a file is an InputError."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"no file {path!r}; expected {wanted}: check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"expected {path!r} to be {wanted}: {reason}") from error
