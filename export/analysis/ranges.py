"""Which values each element of each activation can take, whatever the network's input."""

from __future__ import annotations

from export.ir.graph import Graph
from export.operators.operator import Range, full_range
from export.operators.table import operator_of


def activation_ranges(graph: Graph) -> dict[int, Range]:
    """Ranges of the input and of each operator's output, by tensor.

    They hold for every input, and are wider than need be where values depend on each other. Positions of an image
    are not told apart behind a convolution.
    """
    ranges = {graph.input: full_range(graph.tensors[graph.input].shape[1:])}
    for op in graph.ops:
        ranges[op.output] = operator_of(op).ranges(graph, op, [ranges[tensor] for tensor in op.inputs])
    return ranges
