"""Where buffers lie: in the arena, where those alive at different times share bytes, and in the memory of states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from export.ir.graph import Graph

ALIGNMENT = 4  # bytes


@dataclass(frozen=True)
class Lifetime:
    """A buffer's size in bytes, and the first and last step (inclusive) during which it must keep its values."""

    size: int
    first: int
    last: int

    def overlaps(self, other: Lifetime) -> bool:
        """Whether both are alive in some step."""
        return self.first <= other.last and other.first <= self.last


def plan(lifetimes: Sequence[Lifetime]) -> tuple[tuple[int, ...], int]:
    """Places buffers greedily, the largest first, each at the lowest offset where it fits.

    Args:
        lifetimes: The buffers.

    Returns:
        Byte offsets in the order given, and the bytes the arena needs.
    """
    offsets = [0] * len(lifetimes)
    placed: list[int] = []
    order = sorted(range(len(lifetimes)), key=lambda i: (-lifetimes[i].size, lifetimes[i].first, i))
    for index in order:
        buffer = lifetimes[index]
        taken = sorted(
            (offsets[other], offsets[other] + lifetimes[other].size)
            for other in placed
            if lifetimes[other].overlaps(buffer)
        )
        offset = 0
        for start, stop in taken:
            if offset + buffer.size <= start:
                break
            offset = max(offset, -(-stop // ALIGNMENT) * ALIGNMENT)
        offsets[index] = offset
        placed.append(index)
    total = max((offsets[i] + lifetimes[i].size for i in range(len(lifetimes))), default=0)
    return tuple(offsets), total


def state_offsets(graph: Graph) -> tuple[tuple[int, ...], int]:
    """Where states lie, one after the other, each at a word.

    Args:
        graph: The network.

    Returns:
        Byte offset of each state, and the bytes of all.
    """
    offsets, end = [], 0
    for state in graph.states:
        offsets.append(end)
        end += -(-state.initial.nbytes // ALIGNMENT) * ALIGNMENT
    return tuple(offsets), end
