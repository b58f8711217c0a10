"""Merges chains of reshapes."""

from __future__ import annotations

from dataclasses import replace

from export.ir.graph import Graph
from export.ir.ops import Op, Reshape


def merge_reshapes(graph: Graph) -> Graph:
    """Makes every Reshape that reads another one read its input instead."""
    sources: dict[int, tuple[int, ...]] = {}
    ops: list[Op] = []
    for op in graph.ops:
        if isinstance(op, Reshape):
            op = Reshape(sources.get(op.inputs[0], op.inputs), op.output)  # noqa: PLW2901
            sources[op.output] = op.inputs
        ops.append(op)
    return replace(graph, ops=tuple(ops))
