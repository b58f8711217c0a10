"""Replaces functions of single int8 values by tables of 256 entries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from export.ir.graph import Graph
from export.ir.ops import Lookup, Op
from export.operators.elementwise.arithmetic import Arithmetic
from export.operators.table import operator_of

_ALL = np.arange(-128, 128, dtype=np.int8)


def tabulate(graph: Graph) -> Graph:
    """Replaces such operators by a Lookup.

    They are the functions of one tensor; arithmetic with a constant that is the same everywhere; and arithmetic of two
    tensors that are both functions of a third one, such as x * sigmoid(x).
    """
    ops: list[Op] = []
    functions: dict[int, tuple[int, NDArray[np.int8]]] = {}
    for op in graph.ops:
        made = _lookup(graph, op, functions)
        if made is not None:
            root, before = functions.get(made.inputs[0], (made.inputs[0], _ALL))
            functions[op.output] = root, np.array(made.table, np.int8)[before.astype(np.int64) + 128]
        ops.append(op if made is None else made)
    return replace(graph, ops=tuple(ops))


def _lookup(graph: Graph, op: Op, functions: dict[int, tuple[int, NDArray[np.int8]]]) -> Lookup | None:
    table = operator_of(op).table
    if table is not None:
        return Lookup(op.inputs, op.output, table(graph, op))
    if not isinstance(op, Arithmetic):
        return None
    shape = graph.tensors[op.output].shape
    roots, operands = set(), []
    for tensor in op.inputs:
        if graph.is_constant(tensor):
            values = np.unique(graph.constant(tensor))
            if len(values) != 1:
                return None
            operands.append(np.repeat(values.astype(np.int8), len(_ALL)))
            continue
        if graph.tensors[tensor].shape != shape:
            return None
        root, values = functions.get(tensor, (tensor, _ALL))
        roots.add(root)
        operands.append(values)
    if len(roots) != 1:
        return None
    return Lookup((roots.pop(),), op.output, _of_one(graph, op, operands))


def _of_one(graph: Graph, op: Arithmetic, operands: list[NDArray[np.int8]]) -> tuple[int, ...]:
    """The table of arithmetic, given its operands for each value of the tensor they depend on."""
    tensors = list(graph.tensors)
    for tensor in (*op.inputs, op.output):
        tensors[tensor] = replace(tensors[tensor], shape=(1, 1), data=None)
    small = replace(graph, tensors=tuple(tensors))
    found = operator_of(op).compute(small, op, *(values[:, None] for values in operands))
    return tuple(found.ravel().tolist())
