"""Which floating-point type sums integer products exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_INPUT = 255  # |int8 - int8 zero point|


def exact_float(weights: NDArray[Any], axis: int | tuple[int, ...]) -> Any:
    """The type in which dot products with int8 inputs are exact, whatever the order of summation.

    Args:
        weights: int8.
        axis: The dimensions that are summed over.

    Returns:
        np.float32 or np.float64.
    """
    largest = _MAX_INPUT * int(np.abs(weights.astype(np.int64)).sum(axis=axis).max())
    return np.float32 if largest < 1 << 24 else np.float64
