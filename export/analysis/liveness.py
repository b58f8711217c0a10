"""Which elements of each activation affect the network's output."""

from __future__ import annotations

import numpy as np

from export.ir.graph import Graph
from export.operators.operator import Mask
from export.operators.table import operator_of


def read_elements(graph: Graph) -> dict[int, Mask]:
    """Elements that something reads, by tensor; all of the outputs.

    A product whose weight is zero reads nothing. Behind a sliding window all positions of an image count as one.
    """
    read = {tensor: np.zeros(graph.tensors[tensor].shape[1:], np.bool_) for tensor in activations(graph)}
    for tensor in graph.results:
        read[tensor][...] = True
    for op in reversed(graph.ops):
        for tensor, wanted in zip(op.inputs, operator_of(op).reads(graph, op, read[op.output]), strict=True):
            if tensor in read:
                read[tensor] |= wanted
    return read


def activations(graph: Graph) -> list[int]:
    """Inputs, states, and what operators write, in order."""
    return [*graph.sources, *(op.output for op in graph.ops)]
