"""RESHAPE, and the copies between layouts that it and the caller's arrays need."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from export.csource.loops import counting_loops
from export.csource.source import Context, at, ctype, fill_border, function, open_input, open_output
from export.csource.work import Work, loop_work
from export.errors import ModelFormatError
from export.ir.graph import Graph
from export.ir.ops import Op, Reshape
from export.kernels.elementwise.nest import common_shape
from export.kernels.layout import Layout
from export.operators.movement.move import emit_move, move_work
from export.operators.operator import Channels, Mask, Operator, Order
from export.operators.rules import growing
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering
from keras_approx.text import plural


def _read(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 1, 2)
    source = state.operand(op)
    if len(op.inputs) == 2:
        wanted = state.integers(op, 1).reshape(-1).tolist()
    else:
        wanted = list(state.option(op, "ReshapeOptions", "NewShape"))
    size = state.tensors[source].size
    if wanted.count(-1) == 1:
        rest = math.prod(value for value in wanted if value != -1)
        wanted = [size // rest if value == -1 and rest > 0 else value for value in wanted]
    if not 1 <= len(wanted) <= 8 or min(wanted) < 1 or math.prod(wanted) != size:
        raise ModelFormatError(
            f"{op}: {plural(size, 'element')} cannot take shape {wanted}; the file is damaged"
        )
    output = state.define(op, tuple(wanted))
    state.same_quantization(op, source, output)
    return Reshape((source,), output)


def in_shape(
    state: Lowering, op: RawOperator, source: int, shape: tuple[int, ...]
) -> tuple[int, tuple[Reshape, ...]]:
    """A tensor in the shape that what an operator is read as wants, and the reshape that makes it, if any."""
    if state.tensors[source].shape == shape:
        return source, ()
    made = state.temporary(op, source, shape)
    return made, (Reshape((source,), made),)


def _compute(graph: Graph, op: Reshape, x: NDArray[np.int8]) -> NDArray[np.int8]:
    return x.reshape(len(x), *graph.tensors[op.output].shape[1:])


def _reads(graph: Graph, op: Reshape, read: Mask) -> list[Mask]:
    return [read.reshape(graph.tensors[op.inputs[0]].shape[1:])]


def _channels(graph: Graph, op: Reshape) -> Channels:
    same = graph.tensors[op.inputs[0]].shape[-1] == graph.tensors[op.output].shape[-1]
    return Channels.MOVED if same else Channels.FLAT


def emit_copy(context: Context) -> str:
    """Copies what is not contiguous, or does not become so.

    Images that share no dimensions have no loops in common: those of the source, in which the target's position is
    counted.
    """
    source, target = context.source, context.target
    body = fill_border(target, context.zero_point(context.output))
    indices = _in_common(context)
    if indices is not None:
        return emit_move(context, indices, body)
    body += open_input(source) + open_output(target)
    body += "int row = 0, column = 0, channel = 0;\n"
    read = f"({ctype(target)})x0[{at(source, 'y', 'x', 'c')}]"
    move = f"y0[{at(target, 'row', 'column', 'channel')}] = {read};\n"
    move += f"if (++channel == {target.channels}) {{\n    channel = 0;\n"
    move += f"    if (++column == {target.width}) {{\n        column = 0;\n        row++;\n    }}\n}}\n"
    body += counting_loops([("y", source.height), ("x", source.width), ("c", source.channels)], move)
    return function(context, body)


def copy_work(context: Context) -> Work:
    source, target = context.source, context.target
    indices = _in_common(context)
    if indices is not None:
        return move_work(context, indices)
    extents = (source.height, source.width, source.channels)
    found = loop_work(extents, "copy", layouts=(source, target))
    pixels = math.prod(extents) // target.channels
    return found + Counter({"copy to pixel": pixels, "copy to row": pixels // target.width})


def _in_common(context: Context) -> NDArray[np.int64] | None:
    """The source's elements in dimensions that both images have; None if there are none."""
    shape = common_shape(_dimensions(context.source), _dimensions(context.target))
    return None if shape is None else np.arange(math.prod(shape)).reshape(shape)


def _dimensions(layout: Layout) -> tuple[int, ...]:
    """Those of an image between which there are gaps."""
    if layout.shuffled or layout.pixel > layout.channels:
        return layout.height, layout.width, layout.channels
    if layout.row > layout.width * layout.pixel:
        return layout.height, layout.width * layout.pixel
    return (layout.height * layout.row,)


RESHAPE = Operator(
    op=Reshape,
    kind="copy",
    compute=_compute,
    emit=emit_copy,
    work=copy_work,
    readers={"RESHAPE": _read},
    ranges=growing(_compute),
    reads=_reads,
    channels=_channels,
    order=Order.FOURS,
    identity=lambda graph, op: True,
    limits="any shape",
)
