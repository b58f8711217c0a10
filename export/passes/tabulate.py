"""Turns elementwise operators into tables of 256 values."""

from __future__ import annotations

from dataclasses import replace

from export.ir.graph import Graph
from export.ir.ops import Lookup
from export.operators.table import operator_of


def tabulate(graph: Graph) -> Graph:
    """Replaces every operator that is a function of single int8 values by a Lookup."""
    ops = tuple(
        op if (table := operator_of(op).table) is None else Lookup(op.inputs, op.output, table(graph, op))
        for op in graph.ops
    )
    return replace(graph, ops=ops)
