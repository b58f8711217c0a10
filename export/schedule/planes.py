"""Which activations lie in planes: where that costs the layer that writes one and the layer that reads it less."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from export.ir.ops import Conv2D, DepthwiseConv2D
from export.kernels.layout import Layout
from export.kernels.planes.kernel import row_words
from export.schedule.placement import LaidOut
from export.schedule.stage import Stage

_LINES = 4  # channels that a convolution's kernel writes at once


def with_planes(laid_out: LaidOut, cycles: Callable[[Stage], float]) -> LaidOut:
    """Lays activations out in planes where that takes fewer cycles.

    Args:
        laid_out: a network whose activations are pixels.
        cycles: what a stage takes with its fastest kernels; infinitely many where it has none.
    """
    stages = list(laid_out.stages)
    for reader, stage in enumerate(stages):
        writer = _writer(laid_out, stages, stage)
        if writer is None:
            continue
        before = stages[writer], stages[reader]
        layout = _planar(stage)
        after = (
            replace(before[0], writes=replace(before[0].writes, layout=layout)),
            replace(before[1], reads=(replace(before[1].reads[0], layout=layout),)),
        )
        if sum(map(cycles, after)) < sum(map(cycles, before)):
            stages[writer], stages[reader] = after
    return replace(laid_out, stages=tuple(stages))


def _writer(laid_out: LaidOut, stages: Sequence[Stage], stage: Stage) -> int | None:
    """The stage that writes what a depthwise convolution reads, if both may use planes and nobody else uses it."""
    if not isinstance(stage.op, DepthwiseConv2D) or stage.op.multiplier != 1:
        return None
    held = stage.reads[0]
    if held.layout.element != "int16" or held.place != "arena":
        return None
    users = [other for other in stages if held.tensor in [read.tensor for read in other.reads]]
    writers = [number for number, other in enumerate(stages) if other.writes.tensor == held.tensor]
    if len(users) != 1 or len(writers) != 1 or held.tensor in {*laid_out.owners, *laid_out.owners.values()}:
        return None
    writer = stages[writers[0]]
    simple = writer.writes.place == "arena" and writer.add is None
    return writers[0] if simple and isinstance(writer.op, Conv2D | DepthwiseConv2D) else None


def _planar(stage: Stage) -> Layout:
    """Planes of what a depthwise convolution reads; rows are as long as its kernel reads."""
    assert isinstance(stage.op, DepthwiseConv2D)
    layout = stage.reads[0].layout
    needed = 2 * row_words(stage.writes.layout.width, stage.op.stride[1])
    line = layout.border.left + layout.width
    right = max(layout.border.right, needed - line)
    border = replace(layout.border, right=right + (line + right) % 2)
    return replace(layout, pixel=1, border=border, lines=_LINES)
