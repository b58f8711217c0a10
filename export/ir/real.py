"""Real numbers as int8 values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PROBABILITY = 1 / 256, -128
"""Scale and zero point of outputs of SOFTMAX and LOGISTIC."""


def quantize(values: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.int8]:
    """The nearest int8 values, as TFLite's QUANTIZE and the generated header give them.

    Args:
        values: Finite real numbers, of any shape; taken as float32.
        scale: Of the tensor.
        zero_point: Likewise.

    Returns:
        int8 of the same shape. Halves are rounded away from zero, before the zero point is added.
    """
    with np.errstate(over="ignore"):  # what overflows is saturated
        scaled = values.astype(np.float32) / np.float32(scale)
    scaled = np.clip(scaled, np.float32(-128 - zero_point), np.float32(127 - zero_point))
    whole = np.trunc(scaled)
    rest = scaled - whole
    rounded = whole + (rest >= 0.5) - (rest <= -0.5)
    return (rounded.astype(np.int32) + zero_point).astype(np.int8)
