"""MEAN over both spatial dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.csource.source import Context
from export.csource.work import Work
from export.ir.fixed_point import mean_parameters, multiply_two_roundings
from export.ir.graph import Graph
from export.ir.ops import Mean
from export.kernels.layout import Layout
from export.kernels.plan import Plan
from export.kernels.pooling import Axis, mean_reduction, plan_pool
from export.kernels.requantize import plan_requantization
from export.operators.operator import Operator, Order
from export.operators.reductions.reduce import emit_sum, sum_work
from export.operators.rules import growing, reads_channels, same_channels

_SPATIAL = (1, 2)


def _compute(graph: Graph, op: Mean, x: NDArray[np.int8]) -> NDArray[np.int8]:
    parameters = mean_parameters(graph, op)
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    total = x.sum(axis=(1, 2), dtype=np.int64) - parameters.count * source.quant.zero_point
    out = multiply_two_roundings(total, *parameters.multiplier) + target.quant.zero_point
    return np.clip(out, -128, 127).astype(np.int8).reshape(len(x), *target.shape[1:])


def _plan(graph: Graph, op: Mean, sources: Sequence[Layout], target: Layout) -> Plan | None:
    parameters = mean_parameters(graph, op)
    start = -parameters.count * graph.tensors[op.inputs[0]].quant.zero_point
    zero_point = graph.tensors[op.output].quant.zero_point
    bounds = (start - 128 * parameters.count, start + 127 * parameters.count)
    entry = plan_requantization(parameters.multiplier, zero_point, (-128, 127), bounds, 1, once=False)
    if entry is None:
        return None
    row, column = Axis(0, 1, 0, 1, sources[0].height), Axis(0, 1, 0, 1, sources[0].width)
    return plan_pool(sources[0], target, [row], [column], mean_reduction(start, entry))


def _work(context: Context) -> Work:
    assert isinstance(context.op, Mean)
    return sum_work(context, _SPATIAL, mean_parameters(context.graph, context.op))


def _emit(context: Context) -> str:
    """Sums channel by channel; the division is part of the multiplier."""
    assert isinstance(context.op, Mean)
    return emit_sum(context, _SPATIAL, mean_parameters(context.graph, context.op))


MEAN = Operator(
    op=Mean,
    kind="mean",
    compute=_compute,
    emit=_emit,
    work=_work,
    plan=_plan,
    ranges=growing(_compute),
    reads=reads_channels,
    channels=same_channels,
    order=Order.ANY,
)
