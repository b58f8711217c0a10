"""Sizes and paddings of sliding windows."""

from __future__ import annotations

from dataclasses import dataclass

from export.errors import ModelFormatError, UnsupportedModelError
from export.ir.ops import Padding
from export.ir.tensor import Tensor
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

_MAX_STEP = 1 << 16


@dataclass(frozen=True)
class Window:
    """Where a sliding window goes: its strides and padding, and the (y, x) size of what it makes."""

    stride: tuple[int, int]
    padding: Padding
    size: tuple[int, int]


def pair(state: Lowering, op: RawOperator, options_type: str, y: str, x: str) -> tuple[int, int]:
    """Two options that are positive numbers of steps."""
    values = (state.option(op, options_type, y), state.option(op, options_type, x))
    if min(values) < 1:
        raise ModelFormatError(f"{op}: {y} and {x} must be positive, got {values}; the file is damaged")
    if max(values) > _MAX_STEP:
        raise UnsupportedModelError(f"{op}: {y} and {x} must be at most {_MAX_STEP:,}, got {values}")
    return values


def window(state: Lowering, op: RawOperator, options_type: str, x: Tensor, extent: tuple[int, int]) -> Window:
    """The window of `extent` (with its dilation) over the NHWC tensor `x`, placed as TFLite does."""
    stride = pair(state, op, options_type, "StrideH", "StrideW")
    if "ExplicitPadding" in op.options:  # see `export.reading.dilation`
        return _explicit(op, x, extent, Padding(*op.options["ExplicitPadding"]))
    scheme = state.option(op, options_type, "Padding")
    if scheme not in (0, 1):
        raise ModelFormatError(f"{op}: expected padding SAME or VALID, got {scheme}; the file is damaged")
    size = (x.shape[1], x.shape[2])
    if scheme == 1:
        out = ((size[0] - extent[0]) // stride[0] + 1, (size[1] - extent[1]) // stride[1] + 1)
        if min(out) < 1:
            raise UnsupportedModelError(
                f"{op}: a window of {extent} does not fit an input of {size} without padding"
            )
        return Window(stride, Padding(), out)
    out = (-(-size[0] // stride[0]), -(-size[1] // stride[1]))
    rows, columns = (max(0, (out[i] - 1) * stride[i] + extent[i] - size[i]) for i in range(2))
    padding = Padding(rows // 2, rows - rows // 2, columns // 2, columns - columns // 2)
    return Window(stride, padding, out)


def _explicit(op: RawOperator, x: Tensor, extent: tuple[int, int], padding: Padding) -> Window:
    """The window of stride 1 with this padding."""
    rows = x.shape[1] + padding.top + padding.bottom - extent[0] + 1
    columns = x.shape[2] + padding.left + padding.right - extent[1] + 1
    if min(rows, columns) < 1 or max(rows, columns) > _MAX_STEP:
        raise UnsupportedModelError(
            f"{op}: a window of {extent} does not fit an input of {x.shape[1:3]} with padding {padding}"
        )
    return Window((1, 1), padding, (rows, columns))
