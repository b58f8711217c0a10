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
    rows = [
        int.from_bytes(row.tobytes(), "big") for row in np.packbits(kept, axis=1)
    ]  # sets of pairs, one bit each
    counts = [row.bit_count() for row in rows]
    blocks = []
    left = list(range(len(kept)))
    while left:
        first = max(left, key=lambda channel: (counts[channel], -channel))
        left.remove(first)
        block, missing = [first], ~rows[first]
        while left and len(block) < size:
            # Of those that add as much, the fullest: it would cost another block more.
            added = [((rows[channel] & missing).bit_count(), -counts[channel], channel) for channel in left]
            channel = min(added)[2]
            left.remove(channel)
            block.append(channel)
            missing &= ~rows[channel]
        blocks.append(tuple(sorted(block)))
    return sorted(blocks)
