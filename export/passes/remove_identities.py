"""Removes operators whose output equals their input."""

from __future__ import annotations

from export.ir.graph import Graph
from export.ir.ops import Op
from export.ir.rewrite import bypass
from export.operators.table import operator_of


def remove_identities(graph: Graph) -> Graph:
    """Removes reshapes to the same shape, paddings by nothing, and tables that map each value to itself.

    A table between tensors of different quantizations stays: what reads its output computes with that scale.
    So does an operator that leads straight from an input of the network to an output.
    """
    same: dict[int, int] = {}
    for op in graph.ops:
        source = same.get(op.inputs[0], op.inputs[0])
        if _changes_nothing(graph, op) and not (source in graph.sources and op.output in graph.results):
            same[op.output] = source
    return bypass(graph, same)


def _changes_nothing(graph: Graph, op: Op) -> bool:
    before, after = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    if before.shape != after.shape or before.quantization != after.quantization:
        return False
    return operator_of(op).identity(graph, op)
