"""Counts of the work of a layer in plain C; its price is a sum over them.

A unit is a statement or a loop; `costing.plain_c` knows the cycles of each on each core.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod

from export.kernels.elementwise.nest import Nest, stride

Work = Mapping[str, int]
"""How often each unit runs; "bytes" are those of constants."""


def loop_work(extents: Sequence[int], unit: str, outer: int = 1) -> Counter[str]:
    """Loops around a unit, which start `outer` times."""
    entries = sum(prod(extents[:depth]) for depth in range(len(extents)))
    return Counter({unit: outer * prod(extents), f"{unit} loop": outer * entries})


def nest_work(loops: Nest, unit: str, outer: int = 1) -> Counter[str]:
    """A nest around a unit: its loops, and the offsets that are looked up."""
    found = loop_work(loops.extents, unit, outer)
    for depth, extent in enumerate(loops.extents):
        turns = outer * prod(loops.extents[:depth]) * extent
        tables = sum(stride(access.offsets[depth]) is None for access in loops.accesses)
        if tables:
            found["offset"] += tables * turns
            found["bytes"] += 4 * tables * extent
    return found
