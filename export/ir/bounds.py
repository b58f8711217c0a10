"""How large the accumulators of a layer can become."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.ir.fixed_point import Ints


def accumulator_bounds(
    weights: NDArray[Any], bias: NDArray[Any] | None, zero_point: int, channel_axis: int
) -> tuple[Ints, Ints]:
    """Smallest and largest sum of each output channel over all int8 inputs, the bias included.

    Args:
        weights: int8, in any layout.
        bias: int32 [channels], or None.
        zero_point: of the input.
        channel_axis: dimension of `weights` that numbers output channels.

    Returns:
        Two arrays [channels]; they hold as well where padding replaces inputs by their zero point.
    """
    rows = np.moveaxis(weights, channel_axis, 0).reshape(weights.shape[channel_axis], -1).astype(np.int64)
    least, most = -128 - zero_point, 127 - zero_point
    offset = np.zeros(len(rows), np.int64) if bias is None else bias.astype(np.int64)
    low = np.minimum(rows * least, rows * most).sum(axis=1) + offset
    high = np.maximum(rows * least, rows * most).sum(axis=1) + offset
    return low, high
