"""Merges chains of lookup tables."""

from __future__ import annotations

from dataclasses import replace

from export.ir.graph import Graph
from export.ir.ops import Lookup, Op


def merge_lookups(graph: Graph) -> Graph:
    """Merges every Lookup that reads another one with it, into one table."""
    lookups: dict[int, Lookup] = {}
    ops: list[Op] = []
    for op in graph.ops:
        if isinstance(op, Lookup):
            first = lookups.get(op.inputs[0])
            if first is not None:
                table = tuple(op.table[value + 128] for value in first.table)
                op = Lookup(first.inputs, op.output, table)  # noqa: PLW2901
            lookups[op.output] = op
        ops.append(op)
    return replace(graph, ops=tuple(ops))
