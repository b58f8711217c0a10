"""Folds Pad into the padding of the convolutions that read it."""

from __future__ import annotations

from dataclasses import replace

from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D, Pad, Padding


def fold_pad(graph: Graph) -> Graph:
    """Removes every Pad whose result only convolutions read: both pad with the zero point of the same tensor."""
    folded: dict[int, Pad] = {}
    for op in graph.ops:
        if isinstance(op, Pad) and op.output not in graph.results:
            readers = graph.consumers(op.output)
            if all(isinstance(reader, Conv2D | DepthwiseConv2D) for reader in readers):
                folded[op.output] = op
    ops = []
    for op in graph.ops:
        if isinstance(op, Conv2D | DepthwiseConv2D) and op.inputs[0] in folded:
            pad = folded[op.inputs[0]]
            op = replace(op, inputs=pad.inputs, padding=_sum(op.padding, pad.padding))  # noqa: PLW2901
        if op.output not in folded:
            ops.append(op)
    return replace(graph, ops=tuple(ops))


def _sum(a: Padding, b: Padding) -> Padding:
    return Padding(a.top + b.top, a.bottom + b.bottom, a.left + b.left, a.right + b.right)
