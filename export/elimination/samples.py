"""A network that is run over many samples operator by operator, so that its weights can change on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.ir.graph import Graph
from export.ir.ops import Conv2D, FullyConnected, Op
from export.operators.products.conv import patches
from export.operators.table import operator_of

BATCH = 64
"""Samples at a time: what a convolution unrolls, one row of inputs for each output position, stays small."""

Values = NDArray[Any]


def computed(graph: Graph, op: Op, values: Mapping[int, Values]) -> Values:
    """An operator's output for all samples, a batch at a time.

    Args:
        graph: The network.
        op: The operator.
        values: By tensor, int8 [n, ...], those it reads.
    """
    count = len(next(values[tensor] for tensor in op.inputs if tensor in values))

    def given(tensor: int, first: int) -> Values:
        if tensor in values:
            return values[tensor][first : first + BATCH]
        data = graph.constant(tensor)
        return np.broadcast_to(data, (min(BATCH, count - first), *data.shape[1:]))

    return np.concatenate(
        [
            operator_of(op).compute(graph, op, *(given(tensor, first) for tensor in op.inputs))
            for first in range(0, count, BATCH)
        ]
    )


class Run:
    """All samples in a network, at one operator after the other.

    Args:
        graph: The network, without states.
        inputs: int8 [n, *shape], one for each input.

    Attributes:
        values: By tensor, what is still to be read, int8 [n, ...].
    """

    def __init__(self, graph: Graph, inputs: Sequence[Values]) -> None:
        self.values: dict[int, Values] = dict(zip(graph.inputs, inputs, strict=True))
        self._last = {tensor: index for index, op in enumerate(graph.ops) for tensor in op.inputs}

    def step(self, graph: Graph, index: int) -> None:
        """Computes an operator for all samples, and forgets what nothing reads any more.

        Args:
            graph: The network, whose constants may have changed.
            index: Of the operator; the one after that of the call before.
        """
        op = graph.ops[index]
        self.values[op.output] = computed(graph, op, self.values)
        for tensor in op.inputs:
            if self._last[tensor] == index:
                self.values.pop(tensor, None)

    def operands(self, graph: Graph, op: Conv2D | FullyConnected) -> Iterator[NDArray[np.float32]]:
        """The real inputs of each output position of an operator that comes next, [places, n] for each batch."""
        values = self.values[op.inputs[0]]
        for first in range(0, len(values), BATCH):
            yield operands(graph, op, values[first : first + BATCH])


def operands(graph: Graph, op: Conv2D | FullyConnected, x: NDArray[np.int8]) -> NDArray[np.float32]:
    """The real inputs of each output position, [places, n], in the order of (kernel y, kernel x, input channels)."""
    held = graph.tensors[op.inputs[0]].quant
    if isinstance(op, Conv2D):
        seen = patches(graph, op, x, graph.tensors[op.weights].shape, np.float32)
    else:
        seen = x.astype(np.float32) - np.float32(held.zero_point)
    return seen.reshape(-1, graph.tensors[op.weights].size // len(graph.constant(op.weights))) * np.float32(
        held.scale
    )
