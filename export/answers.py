"""Which class a network's outputs stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.ir.real import PROBABILITY


def class_count(outputs: int) -> int:
    """How many classes so many outputs tell apart: a single one decides between two."""
    return max(2, outputs)


def classified(outputs: NDArray[Any], threshold: float) -> NDArray[np.int64]:
    """The class of each sample: that of the largest output.

    Args:
        outputs: [n, outputs].
        threshold: A single output stands for class 1 above it, for class 0 otherwise.
    """
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > threshold).astype(np.int64)
    return outputs.argmax(axis=1)


def decision(scale: float, zero_point: int) -> float:
    """The threshold of a single int8 output: a logit of 0, or half where LOGISTIC gives a probability, by its scale."""
    real = 0.5 if (scale, zero_point) == PROBABILITY else 0.0
    return real / scale + zero_point
