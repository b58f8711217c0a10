"""Drops rows and columns of a kernel that lie in the padding wherever the kernel goes.

Kernels larger than their image have them, and dilated ones: where the dilation is as large as the image, all but the
middle tap read the zero point at every position, which adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D, Op, Padding
from export.ir.rewrite import with_constants


@dataclass(frozen=True)
class _Axis:
    """One dimension of a convolution: taps first .. last - 1 of its kernel are left, with this padding."""

    first: int
    last: int
    before: int
    after: int


def trim_taps(graph: Graph) -> Graph:
    """Drops each row and column of a kernel that never meets the image, unless none of them does."""
    ops: list[Op] = []
    for op in graph.ops:
        changed = op
        if isinstance(op, Conv2D | DepthwiseConv2D) and op.padding != Padding():
            graph, changed = _trimmed(graph, op)
        ops.append(changed)
    return replace(graph, ops=tuple(ops))


def _trimmed(graph: Graph, op: Conv2D | DepthwiseConv2D) -> tuple[Graph, Op]:
    source, target, weights = (graph.tensors[tensor] for tensor in (op.inputs[0], op.output, op.weights))
    values = graph.constant(op.weights)
    ends = ((op.padding.top, op.padding.bottom), (op.padding.left, op.padding.right))
    sizes = [(source.shape[1 + i], target.shape[1 + i], op.stride[i]) for i in range(2)]
    rows, columns = (_axis(weights.shape[1 + i], *sizes[i], op.dilation[i], *ends[i]) for i in range(2))
    if rows is not None and columns is not None:
        kept = values[:, rows.first : rows.last, columns.first : columns.last]
    elif all((size - 1) // stride + 1 == positions for size, positions, stride in sizes):
        rows = columns = _Axis(0, 1, 0, 0)  # no tap ever meets the image: one of weight 0 does as well
        kept = values[:, :1, :1] * 0
    else:
        return graph, op
    if kept.shape == values.shape:
        return graph, op
    changed = replace(op, padding=Padding(rows.before, rows.after, columns.before, columns.after))
    tensor = replace(weights, shape=kept.shape, data=kept.copy())
    return with_constants(graph, changed, tensor, None if op.bias is None else graph.tensors[op.bias])


def _axis(
    taps: int, size: int, positions: int, stride: int, dilation: int, before: int, after: int
) -> _Axis | None:
    """What is left of one dimension; None if no tap meets the image.

    Tap t of position p reads element p * stride + t * dilation - before of the image.
    """

    def meets(tap: int) -> bool:
        start = tap * dilation - before
        first = max(0, -(start // stride))  # the first position whose element is not negative
        return first < positions and start + first * stride < size

    inside = [tap for tap in range(taps) if meets(tap)]
    if not inside:
        return None
    first = min(inside[0], before // dilation)  # never cut into the image
    last = inside[-1] + 1
    start = before - first * dilation
    end = (positions - 1) * stride + (last - 1 - first) * dilation + 1 - start - size
    if end + stride <= 0:  # the end of the image would make one more position
        last, end = taps, after
    return _Axis(first, last, start, max(0, end))
