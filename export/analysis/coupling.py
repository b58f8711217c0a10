"""Which channels of each activation can be left out, and the best order of the others.

Most operators compute a channel from the same one of each of their inputs, so that their tensors keep the same channels
in the same order. A convolution or dense layer sets its output free of its input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from export.analysis.liveness import activations
from export.ir.graph import Graph
from export.ir.ops import FullyConnected, Op
from export.operators.operator import Channels, Mask
from export.operators.rules import of_channels
from export.operators.table import operator_of

Order = NDArray[np.int64]
"""Int [n]: the elements of the last dimension that a tensor keeps, in their new order."""


@dataclass
class _Group:
    """Tensors that keep the same channels.

    Attributes:
        tensors: Their indices.
        whole: Whether every channel stays where it is.
        grid: Whether the channels of several positions are read as one vector, or moved as a whole.
    """

    tensors: set[int] = field(default_factory=set)
    whole: bool = False
    grid: bool = False


def channel_orders(graph: Graph, read: Mapping[int, Mask]) -> dict[int, Order]:
    """The channels each activation keeps: those that are read, and what must stay beside them.

    Input channels 2k and 2k + 1, which one dual multiply-accumulate takes, stay together; the halves of pairs whose
    other half goes are paired with each other, which never makes more pairs of weights. The network's input and output
    keep everything, and so do tensors joined along the channels or spread by a depth multiplier.

    Args:
        graph: The network.
        read: From `liveness.read_elements`.
    """
    groups, flat = _groups(graph)
    orders: dict[int, Order] = {}
    for group in groups:
        channels = graph.tensors[min(group.tensors)].shape[-1]
        kept = np.any([of_channels(read[tensor]) for tensor in group.tensors], axis=0)
        order = (
            np.arange(channels) if group.whole else _paired(kept, _multiple(channels) if group.grid else 1)
        )
        orders |= dict.fromkeys(group.tensors, order)
    for tensor, source in flat.items():
        orders[tensor] = flattened(graph, source, orders[source])
    return orders


def flattened(graph: Graph, tensor: int, order: Order) -> Order:
    """The elements of a tensor, taken as one vector, that stay with its channels."""
    shape = graph.tensors[tensor].shape
    return np.arange(graph.tensors[tensor].size).reshape(-1, shape[-1])[:, order].ravel()


def _groups(graph: Graph) -> tuple[list[_Group], dict[int, int]]:
    """All groups, and the flat copies of images, which follow the image: flat tensor to image."""
    group_of = {tensor: _Group({tensor}) for tensor in activations(graph)}
    flat: dict[int, int] = {}

    def join(op: Op) -> None:
        first = group_of[op.output]
        for tensor in op.inputs:
            other = group_of[tensor]
            if other is not first:
                first.tensors |= other.tensors
                first.whole |= other.whole
                first.grid |= other.grid
                group_of.update(dict.fromkeys(other.tensors, first))

    def fix(*tensors: int) -> None:
        for tensor in tensors:
            if tensor in group_of:
                group_of[tensor].whole = True

    fix(*graph.sources, *graph.results)
    for op in graph.ops:
        channels = operator_of(op).channels(graph, op)
        if any(map(graph.is_constant, op.inputs)):
            channels = Channels.FIXED
        if channels is Channels.VECTOR:
            group_of[op.inputs[0]].grid = True
        elif channels is Channels.FLAT:
            if op.output not in graph.results and _feeds_dense_layers(graph, op.output):
                group_of[op.inputs[0]].grid = True
                flat[op.output] = op.inputs[0]
            else:
                fix(*op.inputs, op.output)
        elif channels is Channels.FIXED:
            fix(*op.inputs, op.output)
        elif channels is not Channels.FREE:
            join(op)
            group_of[op.output].grid |= channels is Channels.MOVED
    unique = {id(group): group for tensor, group in group_of.items() if tensor not in flat}
    return list(unique.values()), flat


def _feeds_dense_layers(graph: Graph, tensor: int) -> bool:
    """Whether a tensor is one vector that only dense layers read."""
    readers = graph.consumers(tensor)
    return len(graph.tensors[tensor].shape) == 2 and all(isinstance(op, FullyConnected) for op in readers)


def _multiple(channels: int) -> int:
    """What the number of channels stays a multiple of, so that pairs and words stay aligned from pixel to pixel."""
    return next(count for count in (4, 2, 1) if channels % count == 0)


def _paired(kept: Mask, multiple: int) -> Order:
    """Kept channels, whole pairs first; more than those asked for where their number has to be a multiple."""
    kept = kept.copy()
    kept[0] |= not kept.any()
    partner = np.arange(len(kept)) ^ 1
    partner[partner >= len(kept)] = len(kept) - 1
    while kept.sum() % multiple:
        missing = np.flatnonzero(~kept)
        kept[min(missing, key=lambda channel: (not kept[partner[channel]], channel))] = True
    single = kept & (~kept[partner] | (partner == np.arange(len(kept))))
    return np.concatenate([np.flatnonzero(kept & ~single), np.flatnonzero(single)])
