"""Tables of 256 values in a plan's constants."""

from __future__ import annotations

from collections.abc import Sequence

TABLE_SIZE = 256
TABLE_MIDDLE = 128  # tables are indexed by int8 values


def packed_words(values: Sequence[int], bits: int) -> tuple[int, ...]:
    """Signed values as words, the first in the low bits."""
    lanes = 32 // bits
    mask = (1 << bits) - 1
    return tuple(
        sum((value & mask) << bits * lane for lane, value in enumerate(values[i : i + lanes]))
        for i in range(0, len(values), lanes)
    )
