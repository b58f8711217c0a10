"""Counts the products of a layer."""

from __future__ import annotations

import numpy as np

from ..ir.graph import Graph
from ..ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Op


def count_products(graph: Graph, op: Op | None) -> tuple[int, int]:
    """Products of a layer at all output positions, and those whose weight is not zero."""
    if not isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected):
        return 0, 0
    weights = np.asarray(graph.tensors[op.weights].data)
    shape = graph.tensors[op.output].shape
    positions = 1 if isinstance(op, FullyConnected) else shape[1] * shape[2]
    return weights.size * positions, int(np.count_nonzero(weights)) * positions
