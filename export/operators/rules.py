"""Rules of the analyses that several operators share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from export.ir.graph import Graph
from export.operators.operator import Channels, Mask, Range


def of_channels(mask: Mask) -> Mask:
    """Channels of which any element is set."""
    return np.asarray(mask.reshape(-1, mask.shape[-1]).any(axis=0))


def reads_elements(graph: Graph, op: Any, read: Mask) -> list[Mask]:
    """The rule of operators that compute each element from the same one of each input."""
    return [read] * len(op.inputs)


def reads_channels(graph: Graph, op: Any, read: Mask) -> list[Mask]:
    """The rule of operators that compute a channel from the same one of their input, at any positions."""
    return [np.broadcast_to(of_channels(read), graph.tensors[op.inputs[0]].shape[1:])]


def same_channels(graph: Graph, op: Any) -> Channels:
    return Channels.SAME


def growing(compute: Callable[..., Any]) -> Callable[[Graph, Any, Sequence[Range]], Range]:
    """The range of an operator that grows with each of its inputs: its ends are its values at their ends."""
    return lambda graph, op, sources: np.asarray(compute(graph, op, *sources))


def once_a_pixel(
    rule: Callable[[Graph, Any, Sequence[Range]], Range],
) -> Callable[[Graph, Any, Sequence[Range]], Range]:
    """Asks a rule about one position where all positions are equal, and gives the answer to every position."""

    def ranges(graph: Graph, op: Any, sources: Sequence[Range]) -> Range:
        if any(any(source.strides[1:-1]) for source in sources):  # equal positions share their bytes
            return rule(graph, op, sources)
        pixels = [source[(slice(None), *[slice(1)] * (source.ndim - 2))] for source in sources]
        shape = graph.tensors[op.output].shape[1:]
        return np.broadcast_to(rule(graph, op, pixels), (2, *shape))

    return ranges
