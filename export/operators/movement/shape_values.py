"""Folds SHAPE, and STRIDED_SLICE and PACK of its values.

Converters emit chains of them to compute the target of a RESHAPE from the batch size, which is 1 here.
"""

from __future__ import annotations

import numpy as np

from export.errors import UnsupportedModelError
from export.operators.operator import Alias
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering
from export.reading.slices import sliced

_MAX_RANK = 8


def _shape(state: Lowering, op: RawOperator) -> None:
    state.arity(op, 1)
    state.known[op.outputs[0]] = np.array(state.shape(state.activation(op)), np.int64)


def strided_slice_of_shape(state: Lowering, op: RawOperator) -> None:
    """STRIDED_SLICE of known integers."""
    state.known[op.outputs[0]] = sliced(state, op, state.integers(op, 0))


def pack_of_shape(state: Lowering, op: RawOperator) -> None:
    """PACK of known integers."""
    if not 1 <= len(op.inputs) <= _MAX_RANK or len(op.outputs) != 1:
        raise UnsupportedModelError(f"{op}: only the parts of a shape can be packed")
    values = [state.integers(op, position) for position in range(len(op.inputs))]
    if state.option(op, "PackOptions", "Axis") != 0 or any(value.shape != () for value in values):
        raise UnsupportedModelError(f"{op}: only single integers can be packed")
    state.known[op.outputs[0]] = np.array(values, np.int64)


SHAPES = Alias({"SHAPE": _shape}, "folded, with STRIDED_SLICE and PACK of its values")
