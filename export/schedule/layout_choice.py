"""Chooses other layouts for activations than pairs of channels, where writer and reader then take fewer cycles.

In planes a depthwise convolution reads its inputs in the order that it needs. An odd number of channels without a gap
between pixels lets a convolution take pairs along its kernel's rows, so that none of their halves is wasted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from export.ir.ops import Conv2D, DepthwiseConv2D
from export.kernels.layout import Layout
from export.kernels.planes.kernel import row_words
from export.schedule.placement import LaidOut
from export.schedule.stage import Stage

_LINES = 4  # channels that a convolution's kernel writes at once


def with_faster_layouts(laid_out: LaidOut, cycles: Callable[[Stage], float]) -> LaidOut:
    """Changes the layouts of activations where that saves cycles.

    Args:
        laid_out: A network whose activations are pixels.
        cycles: What a stage takes with its fastest kernels; infinitely many where it has none.
    """
    stages = list(laid_out.stages)
    for reader, stage in enumerate(stages):
        writer = _writer(laid_out, stages, stage)
        if writer is None:
            continue
        for layout in _others(stages[writer], stage):
            before = stages[writer], stages[reader]
            after = (
                replace(before[0], writes=replace(before[0].writes, layout=layout)),
                replace(before[1], reads=(replace(before[1].reads[0], layout=layout),)),
            )
            if sum(map(cycles, after)) < sum(map(cycles, before)):
                stages[writer], stages[reader] = after
    return replace(laid_out, stages=tuple(stages))


def _writer(laid_out: LaidOut, stages: Sequence[Stage], stage: Stage) -> int | None:
    """The stage that writes what a convolution reads, if no other stage uses it."""
    if not isinstance(stage.op, Conv2D | DepthwiseConv2D):
        return None
    held = stage.reads[0]
    if held.layout.element != "int16" or held.place != "arena":
        return None
    reads = [read for other in stages for read in other.reads if read.place == "arena"]
    writers = [number for number, other in enumerate(stages) if other.writes.tensor == held.tensor]
    alone = [read.tensor for read in reads].count(held.tensor) == len(writers) == 1
    if not alone or held.tensor in {*laid_out.owners, *laid_out.owners.values()}:
        return None
    writer = stages[writers[0]]
    return writers[0] if writer.writes.place == "arena" and writer.add is None else None


def _others(writer: Stage, reader: Stage) -> Iterator[Layout]:
    """Other layouts for the activation between two stages."""
    layout, op = reader.reads[0].layout, reader.op
    if isinstance(op, DepthwiseConv2D) and op.multiplier == 1:
        if isinstance(writer.op, Conv2D | DepthwiseConv2D):
            needed = 2 * row_words(reader.writes.layout.width, op.stride[1])
            yield _stretched(replace(layout, pixel=1, lines=_LINES), needed)
    elif layout.channels % 2:
        yield _stretched(replace(layout, pixel=layout.channels), 0)


def _stretched(layout: Layout, needed: int) -> Layout:
    """A layout whose rows are whole words, of at least so many pixels."""
    border = layout.border
    inside = border.left + layout.width
    right = max(border.right, needed - inside)
    return replace(layout, border=replace(border, right=right + (inside + right) % 2))
