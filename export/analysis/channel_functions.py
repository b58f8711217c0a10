"""Operators as functions of single values: the output for each of the 256 inputs, by channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from export.ir.graph import Graph
from export.ir.ops import Op
from export.operators.elementwise.arithmetic import Arithmetic
from export.operators.table import operator_of

VALUES = np.arange(-128, 128, dtype=np.int8)
Functions = NDArray[np.int8]
"""Int8 [channels, 256]: the output of each channel for the inputs -128 .. 127."""


def channel_functions(graph: Graph, op: Op) -> Functions | None:
    """The functions that an operator applies to the channels of its only activation, or None if it is more than that.

    Channels are the last dimension.
    """
    table = operator_of(op).table
    if table is not None:
        one = np.array(table(graph, op), np.int8)
        return np.broadcast_to(one, (graph.tensors[op.output].shape[-1], len(VALUES)))
    return _of_arithmetic(graph, op) if isinstance(op, Arithmetic) else None


def source_of(graph: Graph, op: Op) -> int:
    """The activation that `channel_functions` are of."""
    return next(tensor for tensor in op.inputs if not graph.is_constant(tensor))


def _of_arithmetic(graph: Graph, op: Arithmetic) -> Functions | None:
    shape = graph.tensors[op.output].shape
    constants = [graph.is_constant(tensor) for tensor in op.inputs]
    if sum(constants) != 1 or not shape:
        return None
    given, constant = op.inputs[constants.index(False)], op.inputs[constants.index(True)]
    held = graph.tensors[constant].shape
    if graph.tensors[given].shape != shape or any(extent != 1 for extent in held[:-1]):
        return None
    channels = shape[-1]
    tensors = list(graph.tensors)
    for tensor in (*op.inputs, op.output):
        tensors[tensor] = replace(tensors[tensor], shape=(1, channels), data=None)
    factors = np.broadcast_to(graph.constant(constant).reshape(1, -1), (1, channels))
    values = np.repeat(VALUES[:, None], channels, axis=1)
    operands = (factors, values) if constants[0] else (values, factors)
    made: Functions = operator_of(op).compute(replace(graph, tensors=tuple(tensors)), op, *operands)
    return made.T
