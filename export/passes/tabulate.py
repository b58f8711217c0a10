"""Turns elementwise operators into tables of 256 values."""

from __future__ import annotations

from dataclasses import replace

from export.ir.graph import Graph
from export.ir.ops import Logistic, Lookup, Relu, Requantize
from export.ir.tables import lookup_table


def tabulate(graph: Graph) -> Graph:
    """Replaces every Relu, Logistic and Requantize by a Lookup."""
    ops = tuple(
        Lookup(op.inputs, op.output, lookup_table(graph, op))
        if isinstance(op, Relu | Logistic | Requantize)
        else op
        for op in graph.ops
    )
    return replace(graph, ops=ops)
