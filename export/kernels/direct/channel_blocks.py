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
        size: Channels of a block.

    Returns:
        Blocks of ascending channels, ordered by their first one.
    """
    rows = [
        int.from_bytes(row.tobytes(), "big") for row in np.packbits(kept, axis=1)
    ]  # sets of pairs, as bits
    left = sorted(range(len(rows)), key=lambda channel: (-rows[channel].bit_count(), channel))
    left_rows = [rows[channel] for channel in left]
    blocks = []
    while left:
        block, missing = [left.pop(0)], ~left_rows.pop(0)
        while left and len(block) < size:
            added = [(row & missing).bit_count() for row in left_rows]
            # Of those that add as much, the first is the fullest: it would cost another block more.
            best = added.index(min(added))
            block.append(left.pop(best))
            missing &= ~left_rows.pop(best)
        blocks.append(tuple(sorted(block)))
    return sorted(blocks)
