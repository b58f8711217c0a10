"""Layers to count, and the pipelines to count them for."""

from __future__ import annotations

import numpy as np

from export.kernels.direct.loops import Geometry
from export.kernels.direct.plan import ConvProblem
from export.kernels.requantize import Requantization
from tests.export.timings import timing_of

TIMINGS = [timing_of(name) for name in ("cortex-m33", "cortex-m4", "cortex-m7")]
ENTRY = Requantization(1, 1 << 30, 0, 3, "round", None, None)


def conv(
    weights: np.ndarray,
    *,
    rows: int = 3,
    columns: int = 4,
    stride: int = 1,
    dilation: int = 1,
    width: int | None = None,
    pooled: bool = False,
    widened: bool = False,
    entries: tuple[Requantization, ...] | None = None,
) -> ConvProblem:
    """A convolution over an image as wide as need be, or `width` pixels."""
    out, _, wide, channels = weights.shape
    size = 1 if widened else 2
    pixel = size * (channels + -channels % (4 if widened else 2))
    extent = (columns - 1) * stride + (wide - 1) * dilation + 1
    row = pixel * max(extent, width or 0)
    down = 2 if pooled else 1
    geometry = Geometry(
        rows=rows,
        columns=columns,
        in_x=stride * pixel,
        in_y=stride * row,
        out_x=2 * out,
        out_y=2 * out * (columns // down),
        out_bytes=2,
        pooled=pooled,
    )
    return ConvProblem(
        geometry=geometry,
        weights=weights.astype(np.int32),
        bias=np.zeros(out, np.int64),
        requantization=entries or (ENTRY,) * out,
        tap_y=dilation * row,
        tap_x=dilation * pixel,
        source=0,
        target=0,
        output_offsets=tuple(2 * channel for channel in range(out)),
        output_step=2,
        widened=widened,
    )


def random_weights(
    shape: tuple[int, ...], kept: float, seed: int, granularity: tuple[int, int]
) -> np.ndarray:
    """Weights of which groups of input and output channels are kept at random."""
    rng = np.random.default_rng(seed)
    inputs, outputs = granularity
    out, high, wide, channels = shape
    groups = rng.random((-(-out // outputs), high, wide, -(-channels // inputs))) < kept
    spread = groups.repeat(outputs, axis=0)[:out].repeat(inputs, axis=3)[..., :channels]
    return np.where(spread, rng.integers(1, 100, shape), 0)
