"""Which output channels share a kernel: those that read the same inputs, so that a load serves more of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def consecutive_blocks(channels: int, size: int) -> list[tuple[int, ...]]:
    """Channels in order, `size` a block."""
    return [tuple(range(start, min(start + size, channels))) for start in range(0, channels, size)]


def shared_blocks(kept: NDArray[np.bool_], size: int) -> list[tuple[int, ...]]:
    """Groups channels greedily: a block starts with the fullest channel left and takes those that add fewest loads.

    Args:
        kept: [channels, operand pairs], whether a channel keeps a pair.
        size: channels of a block.

    Returns:
        Blocks of ascending channels, ordered by their first one.
    """
    left = list(range(len(kept)))
    counts = kept.sum(axis=1)
    blocks = []
    while left:
        first = max(left, key=lambda channel: (counts[channel], -channel))
        left.remove(first)
        block, loaded = [first], kept[first].copy()
        while left and len(block) < size:
            added = (kept[left] & ~loaded).sum(axis=1)
            # Of those that add as much, the fullest: it would cost another block more.
            best = min(range(len(left)), key=lambda i: (added[i], -counts[left[i]], left[i]))
            channel = left.pop(best)
            block.append(channel)
            loaded |= kept[channel]
        blocks.append(tuple(sorted(block)))
    return sorted(blocks)
