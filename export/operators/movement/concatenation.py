"""CONCATENATION and PACK."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.csource.source import Context, ctype, fill_border, function, pointer
from export.csource.work import Work, nest_work
from export.errors import ModelFormatError, UnsupportedModelError
from export.ir.graph import Graph
from export.ir.ops import Concatenation, Op, Reshape
from export.kernels.elementwise.nest import Nest, nest
from export.kernels.elementwise.nested_plan import plan_moves
from export.kernels.elementwise.plan import plan_copy
from export.kernels.layout import Layout
from export.kernels.plan import Plan, joined
from export.operators.movement.move import write_moves
from export.operators.movement.movements import axis_of
from export.operators.movement.reshape import in_shape
from export.operators.movement.shape_values import pack_of_shape
from export.operators.operator import Channels, Mask, Operator, Order
from export.operators.rules import growing
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

_IMAGE = 4  # dimensions


def _read(state: Lowering, op: RawOperator) -> list[Op]:
    sources = _operands(state, op)
    if state.option(op, "ConcatenationOptions", "FusedActivationFunction") != 0:
        raise UnsupportedModelError(
            f"{op}: a fused activation is not supported; put it into an operator of its own"
        )
    shapes = [state.shape(source) for source in sources]
    axis = axis_of(op, state.option(op, "ConcatenationOptions", "Axis"), len(shapes[0]))
    return _joined(state, op, sources, shapes, axis)


def _read_pack(state: Lowering, op: RawOperator) -> list[Op] | None:
    _check_ends(op)
    state.count(op, "PackOptions", "ValuesCount", len(op.inputs))
    if state.is_integer(op, 0):
        pack_of_shape(state, op)
        return None
    sources = _operands(state, op)
    shape = state.shape(sources[0])
    axis = axis_of(op, state.option(op, "PackOptions", "Axis"), len(shape) + 1)
    wanted = (*shape[:axis], 1, *shape[axis:])
    if any(state.shape(source) != shape for source in sources):
        raise ModelFormatError(f"{op}: its inputs have several shapes; the file is damaged")
    return _joined(state, op, sources, [wanted] * len(sources), axis)


def _check_ends(op: RawOperator) -> None:
    if not op.inputs or len(op.outputs) != 1:
        raise ModelFormatError(f"{op}: expected inputs and 1 output; the file is damaged")


def _operands(state: Lowering, op: RawOperator) -> list[int]:
    _check_ends(op)
    return [state.operand(op, position) for position in range(len(op.inputs))]


def _joined(
    state: Lowering, op: RawOperator, sources: Sequence[int], shapes: Sequence[tuple[int, ...]], axis: int
) -> list[Op]:
    """Joins operands of given shapes; those that the graph holds in another rank are reshaped first."""
    if len({(*shape[:axis], 0, *shape[axis + 1 :]) for shape in shapes}) != 1:
        raise ModelFormatError(
            f"{op}: shapes {list(shapes)} cannot be joined along axis {axis}; the file is damaged"
        )
    total = sum(shape[axis] for shape in shapes)
    output = state.define(op, (*shapes[0][:axis], total, *shapes[0][axis + 1 :]))
    state.same_quantization(op, *sources, output)
    rank = len(state.tensors[output].shape)
    made: list[Op] = []
    inputs = []
    for source, shape in zip(sources, shapes, strict=True):
        part, reshapes = in_shape(state, op, source, (*[1] * (rank - len(shape)), *shape))
        made += reshapes
        inputs.append(part)
    lowered = axis + rank - len(shapes[0])
    if lowered == 0:  # a single input, joined along the batch: only the shape changes
        return [*made, Reshape((inputs[0],), output)]
    return [*made, Concatenation(tuple(inputs), output, lowered)]


def _compute(graph: Graph, op: Concatenation, *values: NDArray[np.int8]) -> NDArray[np.int8]:
    return np.concatenate(values, axis=op.axis)


def _reads(graph: Graph, op: Concatenation, read: Mask) -> list[Mask]:
    ends = np.cumsum([graph.tensors[tensor].shape[op.axis] for tensor in op.inputs])[:-1]
    return np.split(read, ends, axis=op.axis - 1)


def _channels(graph: Graph, op: Concatenation) -> Channels:
    return Channels.FIXED if op.axis == len(graph.tensors[op.inputs[0]].shape) - 1 else Channels.MOVED


def _plan(graph: Graph, op: Concatenation, sources: Sequence[Layout], target: Layout) -> Plan | None:
    if len(graph.tensors[op.output].shape) > _IMAGE and op.axis < len(graph.tensors[op.output].shape) - 1:
        plans = [
            plan_moves(loops, source, target, number)
            for number, (loops, source) in enumerate(
                zip(_nests(graph, op, sources, target), sources, strict=True)
            )
        ]
        known = [plan for plan in plans if plan is not None]
        return joined(known, "direct") if len(known) == len(plans) else None
    axis = op.axis - len(graph.tensors[op.output].shape)  # -1 is the channels, whatever the rank
    copies, start = [], 0
    for number, source in enumerate(sources):
        at = {-1: (0, 0, start), -2: (0, start, 0), -3: (start, 0, 0)}[axis]
        copies.append(plan_copy(source, target, at, number))
        start += {-1: source.channels, -2: source.width, -3: source.height}[axis]
    return joined(copies, "direct")


def _nests(graph: Graph, op: Concatenation, sources: Sequence[Layout], target: Layout) -> list[Nest]:
    """Over each input and its place in the output."""
    everything = np.arange(graph.tensors[op.output].size).reshape(graph.tensors[op.output].shape)
    ends = np.cumsum([graph.tensors[tensor].shape[op.axis] for tensor in op.inputs])[:-1]
    parts = np.split(everything, ends, op.axis)
    return [
        nest((source, target), (np.arange(part.size).reshape(part.shape), part))
        for part, source in zip(parts, sources, strict=True)
    ]


def _work(context: Context) -> Work:
    assert isinstance(context.op, Concatenation)
    loops = _nests(context.graph, context.op, context.sources, context.target)
    return sum(
        (
            nest_work(one, "move", (source, context.target))
            for one, source in zip(loops, context.sources, strict=True)
        ),
        Counter(),
    )


def _emit(context: Context) -> str:
    target = context.target
    assert isinstance(context.op, Concatenation)
    nests = _nests(context.graph, context.op, context.sources, target)
    body = fill_border(target, context.zero_point(context.op.output)) + pointer(ctype(target), "y0", "out")
    tables = ""
    for number, (loops, source) in enumerate(zip(nests, context.sources, strict=True)):
        moves = write_moves(context, loops, number)
        tables += moves.tables
        body += pointer("const " + ctype(source), f"x{number}", f"in{number}") + moves.text
    return tables + function(context, body)


CONCATENATION = Operator(
    op=Concatenation,
    kind="concatenation",
    compute=_compute,
    emit=_emit,
    work=_work,
    readers={"CONCATENATION": _read, "PACK": _read_pack},
    plan=_plan,
    ranges=growing(_compute),
    reads=_reads,
    channels=_channels,
    order=Order.FOURS,
    limits="any axis; one quantization at inputs and output",
)
