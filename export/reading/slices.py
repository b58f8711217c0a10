"""STRIDED_SLICE as Python's own slicing."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from export.errors import ModelFormatError, UnsupportedModelError
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

_OPTIONS = "StridedSliceOptions"


def sliced(state: Lowering, op: RawOperator, values: NDArray[Any]) -> NDArray[Any]:
    """What a STRIDED_SLICE makes of an array.

    Raises:
        ModelFormatError: Begin, end and strides do not fit, or nothing is left.
        UnsupportedModelError: Ends are counted from where slices begin, or one element is taken backwards.
    """
    if state.option(op, _OPTIONS, "Offset"):
        raise UnsupportedModelError(
            f"{op}: its option offset, by which ends are counted from where slices begin, is not supported; give "
            "ends as positions in the input"
        )
    begin, end, stride = (state.integers(op, position).reshape(-1).tolist() for position in (1, 2, 3))
    masks = [
        state.option(op, _OPTIONS, name)
        for name in ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask")
    ]
    if not len(begin) == len(end) == len(stride) or 0 in stride:
        raise ModelFormatError(f"{op}: begin {begin}, end {end}, strides {stride}; the file is damaged")
    cuts: list[Any] = []
    for axis, (first, last, step) in enumerate(zip(begin, end, stride, strict=True)):
        no_begin, no_end, ellipsis, new_axis, shrink = (mask >> axis & 1 for mask in masks)
        if ellipsis:
            cuts.append(Ellipsis)
        elif new_axis:
            cuts.append(None)
        elif shrink:
            if step < 0:  # the reference kernel writes nothing then
                raise UnsupportedModelError(
                    f"{op}: stride {step} of dimension {axis}, of which one element is taken, is not supported; "
                    "expected a positive one"
                )
            cuts.append(0 if no_begin else first)
        else:
            cuts.append(slice(None if no_begin else first, None if no_end else last, step))
    try:
        found = values[tuple(cuts)]
    except IndexError as error:
        raise ModelFormatError(f"{op}: {error}; the file is damaged") from error
    if not found.size:
        raise ModelFormatError(f"{op}: nothing is left of shape {values.shape}; the file is damaged")
    return found
