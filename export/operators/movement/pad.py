"""PAD and PADV2."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from export.csource.nest import Operand, write_nest
from export.csource.source import Context, ctype, fill_border, function, pointer
from export.csource.work import Work, nest_work
from export.errors import ModelFormatError, UnsupportedModelError
from export.ir.graph import Graph
from export.ir.ops import Op, Pad, Padding
from export.ir.tensor import Quantization
from export.kernels.elementwise.nest import Access, Nest, nest, separated, stride, summed
from export.kernels.elementwise.nested_plan import plan_moves
from export.kernels.elementwise.plan import plan_border, plan_copy, plan_fill
from export.kernels.layout import Layout
from export.kernels.plan import Plan, joined
from export.operators.movement.move import write_moves
from export.operators.operator import Mask, Operator, Order
from export.operators.rules import growing, reads_channels, same_channels
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering
from keras_approx.text import plural

_MAX_PADDING = 1 << 16


@dataclass(frozen=True)
class Fill(Op):
    """The input as a part of an output of one other value: its elements lie as those of a `Move` do, in the output."""

    value: int
    start: int
    offsets: tuple[tuple[int, ...], ...]


def _read(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 2, 3)
    source = state.operand(op)
    shape, quantization = state.shape(source), state.tensors[source].quant
    amounts = state.integers(op, 1)
    if amounts.shape != (len(shape), 2) or amounts.min() < 0:
        raise ModelFormatError(
            f"{op}: expected paddings of {plural(len(shape), 'pair')} >= 0, got {amounts.tolist()}; the file is damaged"
        )
    if amounts.max() > _MAX_PADDING:
        raise UnsupportedModelError(
            f"{op}: expected paddings of at most {_MAX_PADDING:,}, got {amounts.max():,}"
        )
    pairs = amounts.tolist()
    padded = tuple(before + n + after for n, (before, after) in zip(shape, pairs, strict=True))
    output = state.define(op, padded)
    state.same_quantization(op, source, output)
    value = _value(state, op, quantization)
    image = len(shape) == 4 and shape[0] == 1 and not any(pairs[0] + pairs[3])
    if image and value == quantization.zero_point and state.tensors[source].data is None:
        (top, bottom), (left, right) = pairs[1:3]
        return Pad((source,), output, Padding(top, bottom, left, right))
    inside = tuple(slice(before, before + n) for n, (before, _) in zip(shape, pairs, strict=True))
    access = separated(np.arange(math.prod(padded)).reshape(padded)[inside])
    assert access is not None
    offsets = tuple(tuple(distances.tolist()) for distances in access.offsets)
    return Fill((source,), output, value, access.start, offsets)


def _value(state: Lowering, op: RawOperator, quantization: Quantization) -> int:
    """What is filled in: the real value 0, or the one that PADV2 gives."""
    if len(op.inputs) < 3:
        return quantization.zero_point
    stored = state.stored(op, 2)
    values = state.values(stored, str(op)).reshape(-1)
    if stored.dtype != "int8" or len(values) != 1:
        raise UnsupportedModelError(
            f"{op}: expected one int8 value to pad with, got {len(values)} of {stored.dtype}"
        )
    return int(values[0])


def _compute(graph: Graph, op: Pad, x: NDArray[np.int8]) -> NDArray[np.int8]:
    amounts = ((0, 0), (op.padding.top, op.padding.bottom), (op.padding.left, op.padding.right), (0, 0))
    return np.pad(x, amounts, constant_values=graph.tensors[op.output].quant.zero_point)


def _plan(graph: Graph, op: Pad, sources: Sequence[Layout], target: Layout) -> Plan | None:
    inside = _inside(target, op.padding)
    fill = plan_border(inside, graph.tensors[op.output].quant.zero_point)
    return joined([*([fill] if fill else []), plan_copy(sources[0], inside)], "direct")


def _inside(layout: Layout, padding: Padding) -> Layout:
    """A padded layout as its unpadded middle with a wider border."""
    border = layout.border
    return replace(
        layout,
        height=layout.height - padding.top - padding.bottom,
        width=layout.width - padding.left - padding.right,
        border=Padding(
            border.top + padding.top,
            border.bottom + padding.bottom,
            border.left + padding.left,
            border.right + padding.right,
        ),
    )


def _places(op: Fill) -> NDArray[np.int64]:
    return summed(op.start, op.offsets)


def _compute_fill(graph: Graph, op: Fill, x: NDArray[np.int8]) -> NDArray[np.int8]:
    target = graph.tensors[op.output]
    out = np.full((len(x), target.size), op.value, np.int8)
    out[:, _places(op).ravel()] = x.reshape(len(x), -1)
    return out.reshape(len(x), *target.shape[1:])


def _fill_reads(graph: Graph, op: Fill, read: Mask) -> list[Mask]:
    return [read.ravel()[_places(op).ravel()].reshape(graph.tensors[op.inputs[0]].shape[1:])]


def _nests(context: Context) -> tuple[Nest, Nest]:
    """Over all of the output, and over the input's place in it."""
    op = context.op
    assert isinstance(op, Fill)
    everything = np.arange(context.graph.tensors[op.output].size)
    places = _places(op)
    read = np.arange(places.size).reshape(places.shape)
    return nest((context.target,), (everything,)), nest((context.source, context.target), (read, places))


def _plan_fill(graph: Graph, op: Fill, sources: Sequence[Layout], target: Layout) -> Plan | None:
    places = _places(op)
    read = np.arange(places.size).reshape(places.shape)
    copied = plan_moves(nest((sources[0], target), (read, places)), sources[0], target)
    return None if copied is None else joined([plan_fill(target, op.value), copied], "direct")


def _work_fill(context: Context) -> Work:
    fill, copy = _nests(context)
    copied = nest_work(copy, "move", (context.source, context.target))
    lines, length = _lines(context, fill)
    if lines is None:
        return copied + nest_work(fill, "fill", (context.target,))
    runs = math.prod(lines.extents)
    starts = nest_work(lines, "filled line", (context.target,), short=False)
    return (
        copied
        + starts
        + Counter({"filled 16 bytes": runs * (length // 16), "filled byte": runs * (length % 16)})
    )


def _lines(context: Context, fill: Nest) -> tuple[Nest | None, int]:
    """Loops around runs of bytes, and the bytes of a run; none where elements are no bytes or lie apart."""
    if context.target.element != "int8" or not fill.extents or stride(fill.accesses[0].offsets[-1]) != 1:
        return None, 0
    access = fill.accesses[0]
    return Nest(fill.extents[:-1], (Access(access.start, access.offsets[:-1]),)), fill.extents[-1]


def _emit_fill(context: Context) -> str:
    op, source, target = context.op, context.source, context.target
    assert isinstance(op, Fill)
    body = fill_border(target, context.zero_point(op.output))
    body += pointer("const " + ctype(source), "x0", "in0") + pointer(ctype(target), "y0", "out")
    fill, copy = _nests(context)
    lines, length = _lines(context, fill)

    def filled(places: Sequence[str]) -> str:
        if lines is None:
            return f"{places[0]} = {op.value};\n"
        return f"ka_fill(&{places[0]}, {op.value}, {length});\n"

    everything = [Operand(ctype(target), "all", "y0")]
    fills = write_nest(lines or fill, f"{context.symbol}_f", everything, filled, short=lines is None)
    copied = write_moves(context, copy)
    return fills.tables + copied.tables + function(context, body + fills.text + copied.text)


FILL = Operator(
    op=Fill,
    kind="fill",
    compute=_compute_fill,
    emit=_emit_fill,
    work=_work_fill,
    plan=_plan_fill,
    ranges=growing(_compute_fill),
    reads=_fill_reads,
)
PAD = Operator(
    op=Pad,
    kind="pad",
    compute=_compute,
    readers={"PAD": _read, "PADV2": _read},
    plan=_plan,
    ranges=growing(_compute),
    reads=reads_channels,
    channels=same_channels,
    order=Order.ANY,
    identity=lambda graph, op: op.padding == Padding(),
    limits="any dimension, any value",
)
