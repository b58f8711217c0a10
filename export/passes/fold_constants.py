"""Computes operators whose inputs are all constants."""

from __future__ import annotations

from dataclasses import replace

from export.ir.graph import Graph
from export.ir.ops import Op
from export.operators.table import operator_of


def fold_constants(graph: Graph) -> Graph:
    """Replaces the output of every operator that reads nothing but constants by a constant."""
    ops: list[Op] = []
    for op in graph.ops:
        if op.inputs and all(graph.is_constant(tensor) for tensor in op.inputs):
            values = operator_of(op).compute(graph, op, *(graph.constant(tensor) for tensor in op.inputs))
            tensors = list(graph.tensors)
            tensors[op.output] = replace(tensors[op.output], data=values)
            graph = replace(graph, tensors=tuple(tensors))
        else:
            ops.append(op)
    return replace(graph, ops=tuple(ops))
