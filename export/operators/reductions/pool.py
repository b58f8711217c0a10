"""MAX_POOL_2D and AVERAGE_POOL_2D."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from export.csource.loops import counting_loops
from export.csource.source import Context, at, ctype, fill_border, function, open_input, open_output
from export.csource.text import indent
from export.csource.work import Work
from export.ir.fixed_point import rounded_mean
from export.ir.graph import Graph
from export.ir.ops import AveragePool2D, MaxPool2D, Op
from export.ir.windows import windows
from export.kernels.layout import Layout
from export.kernels.plan import Plan
from export.kernels.pooling import average_reduction, axis_regions, max_reduction, plan_pool
from export.operators.operator import Operator, Order, Range
from export.operators.rules import growing, reads_channels, same_channels
from export.reading.activation import fused_clamp
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering
from export.reading.window import pair, window


def _read_max(state: Lowering, op: RawOperator) -> Op:
    return _read(state, op, MaxPool2D)


def _read_average(state: Lowering, op: RawOperator) -> Op:
    return _read(state, op, AveragePool2D)


def _read(state: Lowering, op: RawOperator, kind: type[MaxPool2D] | type[AveragePool2D]) -> Op:
    state.arity(op, 1)
    source, x = state.image(op)
    kernel = pair(state, op, "Pool2DOptions", "FilterHeight", "FilterWidth")
    place = window(state, op, "Pool2DOptions", x, kernel)
    output = state.define(op, (1, *place.size, x.shape[3]))
    state.same_quantization(op, source, output)
    clamp = fused_clamp(state, op, "Pool2DOptions", output)
    return kind((source,), output, kernel, place.stride, place.padding, clamp)


def _compute_max(graph: Graph, op: MaxPool2D, x: NDArray[np.int8]) -> NDArray[np.int8]:
    seen = windows(x.astype(np.int64), op.kernel, op.stride, (1, 1), op.padding, fill=-128)
    return np.clip(seen.max(axis=(3, 4)), *op.clamp).astype(np.int8)


def _compute_average(graph: Graph, op: AveragePool2D, x: NDArray[np.int8]) -> NDArray[np.int8]:
    total = windows(x.astype(np.int64), op.kernel, op.stride, (1, 1), op.padding, fill=0).sum(axis=(3, 4))
    inside = np.ones((1, *x.shape[1:3], 1), np.int64)
    count = windows(inside, op.kernel, op.stride, (1, 1), op.padding, fill=0).sum(axis=(3, 4))
    return np.clip(rounded_mean(total, count), *op.clamp).astype(np.int8)


def _ranges(graph: Graph, op: MaxPool2D | AveragePool2D, sources: Sequence[Range]) -> Range:
    if any(sources[0].strides[1:-1]):
        return growing(_compute_max if isinstance(op, MaxPool2D) else _compute_average)(graph, op, sources)
    pixel = sources[0][:, :1, :1]  # all positions are equal
    return np.broadcast_to(np.clip(pixel, *op.clamp), (2, *graph.tensors[op.output].shape[1:]))


def _plan(
    graph: Graph, op: MaxPool2D | AveragePool2D, sources: Sequence[Layout], target: Layout
) -> Plan | None:
    (high, wide), (down, across), padding = op.kernel, op.stride, op.padding
    rows = axis_regions(target.height, sources[0].height, high, down, padding.top)
    columns = axis_regions(target.width, sources[0].width, wide, across, padding.left)
    reduction = max_reduction(op.clamp) if isinstance(op, MaxPool2D) else average_reduction(op.clamp)
    return plan_pool(sources[0], target, rows, columns, reduction)


def _emit(context: Context) -> str:
    """Loops over windows that are cut at the input's edges."""
    op = context.op
    assert isinstance(op, MaxPool2D | AveragePool2D)
    source, target = context.source, context.target
    body = fill_border(target, context.zero_point(op.output)) + open_input(source) + open_output(target)
    value = f"x0[{at(source, 'v', 'u', 'c')}]"
    if isinstance(op, MaxPool2D):
        start = "int32_t best = -128;\n"
        visit = f"if ({value} > best)\n    best = {value};\n"
        finish = "int32_t q = best;\n"
    else:
        start = "int32_t sum = 0;\n"
        visit = f"sum += {value};\n"
        finish = "int32_t count = (bottom - top) * (right - left);\n"
        finish += "int32_t q = (sum < 0 ? sum - count / 2 : sum + count / 2) / count;\n"
    finish += (
        f"y0[{at(target, 'y', 'x', 'c')}] = ({ctype(target)})ka_clamp8(q, {op.clamp[0]}, {op.clamp[1]});\n"
    )
    inside = "for (int v = top; v < bottom; v++) {\n"
    inside += indent("for (int u = left; u < right; u++) {\n" + indent(visit) + "}\n") + "}\n"
    inner = _edges("top", "bottom", "y", op.kernel[0], op.stride[0], op.padding.top, source.height)
    inner += _edges("left", "right", "x", op.kernel[1], op.stride[1], op.padding.left, source.width)
    channel = counting_loops([("c", target.channels)], start + inside + finish)
    body += counting_loops([("y", target.height), ("x", target.width)], inner + channel)
    return function(context, body)


def _work(context: Context) -> Work:
    op, source, target = context.op, context.source, context.target
    assert isinstance(op, MaxPool2D | AveragePool2D)
    regions = (
        axis_regions(target.height, source.height, op.kernel[0], op.stride[0], op.padding.top),
        axis_regions(target.width, source.width, op.kernel[1], op.stride[1], op.padding.left),
    )
    rows, columns = (sum(region.count * region.window for region in axis) for axis in regions)
    kind = "max" if isinstance(op, MaxPool2D) else "average"
    positions = target.height * target.width
    outputs, lines = positions * target.channels, rows * target.width * target.channels
    return Counter(
        {
            f"{kind} pool tap": rows * columns * target.channels,
            f"{kind} pool line": lines,
            f"{kind} pool output": outputs,
            f"{kind} pool window": positions,
            f"{kind} pool stride": rows * columns * target.channels * (source.pixel > 1),
        }
    )


def _edges(low: str, high: str, index: str, kernel: int, stride: int, padding: int, size: int) -> str:
    """First and end coordinate of a window, cut at the input's edges."""
    first = f"{index} * {stride} - {padding}"
    text = f"int {low} = {first} < 0 ? 0 : {first};\n"
    return text + f"int {high} = {first} + {kernel} > {size} ? {size} : {first} + {kernel};\n"


MAX_POOL_2D = Operator(
    op=MaxPool2D,
    kind="max_pool2d",
    compute=_compute_max,
    emit=_emit,
    work=_work,
    readers={"MAX_POOL_2D": _read_max},
    plan=_plan,
    ranges=_ranges,
    reads=reads_channels,
    channels=same_channels,
    order=Order.ANY,
    clamps=True,
    limits="any window, stride and padding; one quantization at input and output",
)
AVERAGE_POOL_2D = replace(
    MAX_POOL_2D,
    op=AveragePool2D,
    kind="average_pool2d",
    compute=_compute_average,
    readers={"AVERAGE_POOL_2D": _read_average},
)
