"""Which values each element of each activation can take, over all inputs of the network."""

from __future__ import annotations

import numpy as np

from export.ir.graph import Graph
from export.operators.operator import Range, full_range
from export.operators.table import operator_of


def activation_ranges(graph: Graph) -> dict[int, Range]:
    """Ranges of the inputs, states, constants and of each operator's output, by tensor.

    They hold for every input, and are wider than need be where values depend on each other. Positions of an image
    are not told apart behind a convolution.
    """
    ranges = {tensor: full_range(graph.tensors[tensor].shape[1:]) for tensor in graph.sources}
    for op in graph.ops:
        for tensor in filter(graph.is_constant, op.inputs):
            ranges[tensor] = np.repeat(graph.constant(tensor), 2, axis=0)
        ranges[op.output] = operator_of(op).ranges(graph, op, [ranges[tensor] for tensor in op.inputs])
    return ranges
