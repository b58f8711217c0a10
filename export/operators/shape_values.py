"""Folds SHAPE, STRIDED_SLICE and PACK.

Converters emit chains of them to compute the target of a RESHAPE from the batch size, which is 1 here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.errors import ModelFormatError, UnsupportedModelError
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

_MAX_RANK = 8


def shape(state: Lowering, op: RawOperator) -> None:
    state.arity(op, 1)
    state.known[op.outputs[0]] = np.array(state.tensors[state.activation(op)].shape, np.int64)


def strided_slice(state: Lowering, op: RawOperator) -> None:
    state.arity(op, 4)
    source = _vector(state, op, 0)
    masks = {
        name: state.option(op, "StridedSliceOptions", name)
        for name in ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask")
    }
    begin, end, stride = (state.integers(op, position).reshape(-1).tolist() for position in (1, 2, 3))
    if (
        not len(begin) == len(end) == len(stride) == 1
        or 0 in stride
        or masks["EllipsisMask"]
        or masks["NewAxisMask"]
    ):
        raise UnsupportedModelError(f"{op}: only a slice of a shape vector is supported")
    if masks["ShrinkAxisMask"] & 1:
        if not -len(source) <= begin[0] < len(source):
            raise ModelFormatError(f"{op}: element {begin[0]} of {len(source)}; the file is damaged")
        state.known[op.outputs[0]] = source[begin[0]]
        return
    bounds = (None if masks["BeginMask"] & 1 else begin[0], None if masks["EndMask"] & 1 else end[0])
    state.known[op.outputs[0]] = source[slice(*bounds, stride[0])]


def pack(state: Lowering, op: RawOperator) -> None:
    if not 1 <= len(op.inputs) <= _MAX_RANK or len(op.outputs) != 1:
        raise UnsupportedModelError(f"{op}: only the parts of a shape can be packed")
    values = [state.integers(op, position) for position in range(len(op.inputs))]
    if state.option(op, "PackOptions", "Axis") != 0 or any(value.shape != () for value in values):
        raise UnsupportedModelError(f"{op}: only single integers can be packed")
    state.known[op.outputs[0]] = np.array(values, np.int64)


def _vector(state: Lowering, op: RawOperator, position: int) -> NDArray[np.int64]:
    values = state.integers(op, position)
    if values.ndim != 1:
        raise UnsupportedModelError(f"{op}: only a shape vector can be sliced, got {values.ndim} dimensions")
    return values


READERS = {"SHAPE": shape, "STRIDED_SLICE": strided_slice, "PACK": pack}
