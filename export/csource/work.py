"""Counts of the work of a layer in plain C; its price is a sum over them.

A unit is a statement or a loop; `costing.plain_c` knows the cycles of each on each core.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod

from export.csource.nest import writes_out
from export.kernels.elementwise.nest import Nest, stride
from export.kernels.layout import Layout

Work = Mapping[str, int]
"""How often each unit runs; "bytes" are those of constants."""
ROUNDED = "rounding shift"
"""The unit of a product that `csource.source.multiplied` shifts to the right."""
_NEAR = 255
"""Bytes by which a load or store can move its pointer."""


def loop_work(
    extents: Sequence[int], unit: str, outer: int = 1, layouts: Sequence[Layout] = ()
) -> Counter[str]:
    """Loops around a unit, which start `outer` times, as `csource.loops.counting_loops` writes them.

    Args:
        extents: Turns of the loops, the outermost first.
        unit: What the innermost one does.
        outer: How often they start.
        layouts: Of the operands whose elements are found by their row, column and channel.
    """
    turning = [extent for extent in extents if extent > 1]
    starts = [outer * prod(turning[:depth]) for depth in range(len(turning))]
    turns = outer * prod(turning)
    shuffled = turns * sum(layout.shuffled for layout in layouts)
    found = Counter({unit: turns, f"{unit} loop": sum(starts[-1:])})
    return found + Counter({f"{unit} outer": sum(starts[:-1]), f"{unit} shuffled": shuffled})


def nest_work(
    loops: Nest, unit: str, layouts: Sequence[Layout], outer: int = 1, *, short: bool = True
) -> Counter[str]:
    """A nest around a unit, as `csource.nest.write_nest` writes it.

    Args:
        loops: The nest.
        unit: What the statements do.
        layouts: Of its operands.
        outer: How often it starts.
        short: Whether few turns of the innermost loop are written out.
    """
    turns, found = outer, Counter[str]()
    written = writes_out(loops, short)
    innermost = len(loops.extents) - 1 - written  # of the loops that there are
    name = f"{unit} of {loops.extents[-1] if loops.extents else 1}" if written else unit
    for depth, extent in enumerate(loops.extents):
        starts, turns = turns, turns * extent
        if depth > innermost:
            continue
        found[f"{unit} loop" if depth == innermost else f"{unit} outer"] += (
            starts if depth == innermost else turns
        )
        for access, layout in zip(loops.accesses, layouts, strict=True):
            step = stride(access.offsets[depth])
            if step is None:
                found[f"{layout.element} offset" if depth == innermost else "offset"] += turns
                found["bytes"] += 4 * extent
            elif depth == innermost:
                found[f"{unit} far"] += turns * (abs(step) * layout.element_bytes > _NEAR)
    return found + Counter({name: turns})


def border_work(layout: Layout) -> Counter[str]:
    """The border that a layer fills before its output."""
    if not layout.has_border:
        return Counter()
    inside = layout.height * layout.width * layout.pixel
    return Counter({"border element": layout.rows * layout.row - inside, "border row": layout.height})
