"""Counts of the work of a layer in plain C; its price is a sum over them.

A unit is a statement or a loop; `costing.plain_c` knows the cycles of each on each core.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod

from export.csource.loops import WRITTEN_OUT
from export.kernels.elementwise.nest import Nest, stride
from export.kernels.layout import Layout

Work = Mapping[str, int]
"""How often each unit runs; "bytes" are those of constants."""
_BESIDE = ("loop", "outer", "stride", "shuffled")


def loop_work(
    extents: Sequence[int], unit: str, outer: int = 1, layouts: Sequence[Layout] = (), *, short: bool = False
) -> Counter[str]:
    """Loops around a unit, which start `outer` times.

    Turns that are written out are units of their own, and have no starts.

    Args:
        extents: Turns of the loops, the outermost first.
        unit: What the innermost one does.
        outer: How often they start.
        layouts: Of the operands whose elements are found by their row, column and channel.
        short: Whether few turns of the innermost one are written out.
    """
    turning = [extent for extent in extents if extent > 1]
    starts = [outer * prod(turning[:depth]) for depth in range(len(turning))]
    turns = outer * prod(turning)
    shuffled = turns * sum(layout.shuffled for layout in layouts)
    last = turning[-1] if turning else 1
    if short and last <= WRITTEN_OUT:
        found = Counter({f"{unit} of {last}": turns})
    else:
        found = Counter({unit: turns, f"{unit} loop": sum(starts[-1:])})
    return found + Counter({f"{unit} outer": sum(starts[:-1]), f"{unit} shuffled": shuffled})


def loop_units(unit: str) -> tuple[str, ...]:
    """All that loops around a unit may count; the first ones are the unit itself, in longer loops and in short ones."""
    short = (f"{unit} of {turns}" for turns in range(1, WRITTEN_OUT + 1))
    return unit, *short, *(f"{unit} {what}" for what in _BESIDE), "offset"


def nest_work(loops: Nest, unit: str, outer: int = 1, *, short: bool = False) -> Counter[str]:
    """A nest around a unit: its loops, operands whose elements are not neighbors, offsets that are looked up."""
    found = loop_work(loops.extents, unit, outer, short=short)
    for depth, extent in enumerate(loops.extents):
        turns = outer * prod(loops.extents[:depth]) * extent
        steps = [stride(access.offsets[depth]) for access in loops.accesses]
        if None in steps:
            found["offset"] += steps.count(None) * turns
            found["bytes"] += 4 * steps.count(None) * extent
        if depth == len(loops.extents) - 1:
            found[f"{unit} stride"] += turns * sum(step not in (None, 0, 1) for step in steps)
    return found
