"""CONCATENATION."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.errors import ModelFormatError, UnsupportedModelError
from export.ir.graph import Graph
from export.ir.ops import Concatenation, Op
from export.kernels.elementwise import plan_copy
from export.kernels.layout import Layout
from export.kernels.plan import Plan, joined
from export.operators.operator import Channels, Mask, Operator, Order
from export.operators.rules import growing
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering


def _read(state: Lowering, op: RawOperator) -> Op:
    if not op.inputs or len(op.outputs) != 1:
        raise ModelFormatError(f"{op}: expected inputs and 1 output; the file is damaged")
    sources = tuple(state.activation(op, position) for position in range(len(op.inputs)))
    shapes = [state.tensors[source].shape for source in sources]
    rank = len(shapes[0])
    axis = state.option(op, "ConcatenationOptions", "Axis")
    axis = axis + rank if axis < 0 else axis
    if not 1 <= axis < rank:
        raise UnsupportedModelError(
            f"{op}: cannot join along axis {axis} of {rank} dimensions; the batch is 1"
        )
    if len({(*shape[:axis], 0, *shape[axis + 1 :]) for shape in shapes}) != 1:
        raise ModelFormatError(
            f"{op}: shapes {shapes} cannot be joined along axis {axis}; the file is damaged"
        )
    total = sum(shape[axis] for shape in shapes)
    output = state.define(op, (*shapes[0][:axis], total, *shapes[0][axis + 1 :]))
    state.same_quantization(op, *sources, output)
    if state.option(op, "ConcatenationOptions", "FusedActivationFunction") != 0:
        raise UnsupportedModelError(f"{op}: a fused activation is not supported")
    return Concatenation(sources, output, axis)


def _compute(graph: Graph, op: Concatenation, *values: NDArray[np.int8]) -> NDArray[np.int8]:
    return np.concatenate(values, axis=op.axis)


def _reads(graph: Graph, op: Concatenation, read: Mask) -> list[Mask]:
    ends = np.cumsum([graph.tensors[tensor].shape[op.axis] for tensor in op.inputs])[:-1]
    return np.split(read, ends, axis=op.axis - 1)


def _channels(graph: Graph, op: Concatenation) -> Channels:
    return Channels.FIXED if op.axis == len(graph.tensors[op.inputs[0]].shape) - 1 else Channels.MOVED


def _plan(graph: Graph, op: Concatenation, sources: Sequence[Layout], target: Layout) -> Plan | None:
    axis = op.axis - len(graph.tensors[op.output].shape)  # -1 is the channels, whatever the rank
    plans, start = [], 0
    for number, source in enumerate(sources):
        at = {-1: (0, 0, start), -2: (0, start, 0), -3: (start, 0, 0)}[axis]
        plans.append(plan_copy(source, target, at, number))
        start += {-1: source.channels, -2: source.width, -3: source.height}[axis]
    return joined(plans, "direct")


CONCATENATION = Operator(
    op=Concatenation,
    kind="concatenation",
    compute=_compute,
    readers={"CONCATENATION": _read},
    plan=_plan,
    ranges=growing(_compute),
    reads=_reads,
    channels=_channels,
    order=Order.FOURS,
    limits="any axis but the batch; one quantization at inputs and output",
)
