"""Sliding windows over the two spatial dimensions of an NHWC batch."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from export.ir.ops import Padding

Number = TypeVar("Number", np.int64, np.float32, np.float64)


def windows(
    x: NDArray[Number],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: Padding,
    *,
    fill: float,
) -> NDArray[Number]:
    """What each output position sees.

    Returns:
        A view of [n, y, x, kernel y, kernel x, channels].
    """
    rows, columns = (padding.top, padding.bottom), (padding.left, padding.right)
    padded = np.pad(x, ((0, 0), rows, columns, (0, 0)), constant_values=fill)
    extent = [(kernel[i] - 1) * dilation[i] + 1 for i in range(2)]
    view = sliding_window_view(padded, extent, axis=(1, 2))
    taken = view[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return taken.transpose(0, 1, 2, 4, 5, 3)
