"""The plan of each kind of stage; None where plain C loops have to do it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from export.costing.candidate import Candidate
from export.costing.choice import candidates, planned_candidate, priced_timing
from export.costing.kernel_cost import plan_cost
from export.ir.fixed_point import mean_parameters
from export.ir.graph import Graph
from export.ir.ops import (
    Add,
    AveragePool2D,
    Concatenation,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Lookup,
    MaxPool2D,
    Mean,
    Pad,
    Padding,
    Softmax,
)
from export.ir.softmax import exp_table
from export.kernels.addition import Addition, addition
from export.kernels.conv import ConvProblem
from export.kernels.conv_loops import Sum
from export.kernels.conv_problem import conv_problem
from export.kernels.depthwise import plan_depthwise
from export.kernels.elementwise import plan_add, plan_border, plan_copy, plan_lookup, with_table
from export.kernels.layout import Layout, flat
from export.kernels.plan import Plan, joined
from export.kernels.pooling import (
    Axis,
    average_reduction,
    axis_regions,
    max_reduction,
    mean_reduction,
    plan_pool,
)
from export.kernels.requantize import plan_requantization
from export.kernels.softmax import plan_softmax
from export.schedule.stage import Stage
from export.targets import Target


def stage_candidates(graph: Graph, stage: Stage, target: Target, *, small: bool = False) -> list[Candidate]:
    """Ways to compute a stage, the fastest first; none where plain C loops have to do it.

    Prices are of the plans as they are before `completed`, costs as they are behind it.

    Args:
        graph: the network.
        stage: with its buffers placed.
        target: what candidates are priced for.
        small: whether those that are only smaller, not faster, are wanted too.
    """
    timing = priced_timing(target)
    problem = stage_problem(graph, stage)
    if problem is not None:
        found = candidates(problem, target, small=small)
    else:
        plan = _plan(graph, stage)
        found = [] if plan is None else [planned_candidate(plan, target)]
    more = plan_cost(completed(graph, stage, Plan("direct", (), (), ())), timing) if found else None
    return [
        replace(candidate, cost=candidate.cost + more, plan=partial(_completed_plan, graph, stage, candidate))
        for candidate in found
        if more is not None
    ]


def _completed_plan(graph: Graph, stage: Stage, candidate: Candidate) -> Plan:
    assert candidate.plan is not None
    return completed(graph, stage, candidate.plan())


def stage_problem(graph: Graph, stage: Stage) -> ConvProblem | None:
    """The planning problem of a layer that kernels of convolutions can compute."""
    op = stage.op
    if not isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected):
        return None
    if isinstance(op, DepthwiseConv2D) and op.multiplier == 1:
        return None  # has kernels of its own
    problem = conv_problem(graph, op, stage.pool, stage.reads[0].layout, stage.writes.layout)
    return problem if stage.add is None or problem is None else replace(problem, sum=_sum(graph, stage))


def completed(graph: Graph, stage: Stage, plan: Plan) -> Plan:
    """Gives a plan the table of the Add fused behind it, and puts the filling of the output's border before it."""
    if stage.add is not None:
        plan = with_table(plan, _addition(graph, stage.add))
    border = plan_border(stage.writes.layout, graph.tensors[stage.writes.tensor].quant.zero_point)
    return plan if border is None else joined([border, plan], plan.variant)


def _sum(graph: Graph, stage: Stage) -> Sum:
    """The fused Add as a kernel's code needs it."""
    assert stage.add is not None
    assert stage.op is not None
    numbers = _addition(graph, stage.add)
    finish = numbers.finish
    own = stage.add.inputs.index(stage.op.output)
    return Sum(own == numbers.linear, finish.mode, finish.shift, finish.low, finish.high)


def _addition(graph: Graph, op: Add) -> Addition:
    numbers = addition(graph, op)
    assert numbers is not None  # or it would not have been fused
    return numbers


def _plan(graph: Graph, stage: Stage) -> Plan | None:
    """The plan of a stage that has no choice."""
    op, target = stage.op, stage.writes.layout
    sources = [buffer.layout for buffer in stage.reads]
    if isinstance(op, DepthwiseConv2D):
        problem = conv_problem(graph, op, None, sources[0], target)
        return None if problem is None else plan_depthwise(problem)
    if isinstance(op, MaxPool2D | AveragePool2D):
        return _plan_pool(op, sources[0], target)
    if isinstance(op, Mean):
        return _plan_mean(graph, op, sources[0], target)
    if isinstance(op, Add):
        return _plan_add(graph, op, sources, target)
    if isinstance(op, Concatenation):
        return _plan_concatenation(graph, op, sources, target)
    if isinstance(op, Pad):
        inside = _inside(target, op.padding)
        fill = plan_border(inside, graph.tensors[op.output].quant.zero_point)
        return joined([*([fill] if fill else []), plan_copy(sources[0], inside)], "direct")
    if isinstance(op, Lookup):
        return plan_lookup(sources[0], target, op.table)
    if isinstance(op, Softmax):
        return plan_softmax(sources[0], target, exp_table(graph, op))
    if stage.kind == "copy":
        return _plan_copy(sources[0], target)
    return None


def _plan_copy(source: Layout, target: Layout) -> Plan | None:
    if (source.height, source.width, source.channels) == (target.height, target.width, target.channels):
        return plan_copy(source, target)
    if source.contiguous and target.contiguous:
        return plan_copy(flat(source), flat(target))
    return None


def _plan_concatenation(graph: Graph, op: Concatenation, sources: list[Layout], target: Layout) -> Plan:
    axis = op.axis - len(graph.tensors[op.output].shape)  # -1 is the channels, whatever the rank
    plans, start = [], 0
    for number, source in enumerate(sources):
        at = {-1: (0, 0, start), -2: (0, start, 0), -3: (start, 0, 0)}[axis]
        plans.append(plan_copy(source, target, at, number))
        start += {-1: source.channels, -2: source.width, -3: source.height}[axis]
    return joined(plans, "direct")


def _plan_pool(op: MaxPool2D | AveragePool2D, source: Layout, target: Layout) -> Plan | None:
    (high, wide), (down, across), padding = op.kernel, op.stride, op.padding
    rows = axis_regions(target.height, source.height, high, down, padding.top)
    columns = axis_regions(target.width, source.width, wide, across, padding.left)
    reduction = max_reduction(op.clamp) if isinstance(op, MaxPool2D) else average_reduction(op.clamp)
    return plan_pool(source, target, rows, columns, reduction)


def _plan_mean(graph: Graph, op: Mean, source: Layout, target: Layout) -> Plan | None:
    parameters = mean_parameters(graph, op)
    start = -parameters.count * graph.tensors[op.inputs[0]].quant.zero_point
    zero_point = graph.tensors[op.output].quant.zero_point
    bounds = (start - 128 * parameters.count, start + 127 * parameters.count)
    entry = plan_requantization(parameters.multiplier, zero_point, (-128, 127), bounds, 1, once=False)
    if entry is None:
        return None
    row, column = Axis(0, 1, 0, 1, source.height), Axis(0, 1, 0, 1, source.width)
    return plan_pool(source, target, [row], [column], mean_reduction(start, entry))


def _plan_add(graph: Graph, op: Add, sources: list[Layout], target: Layout) -> Plan | None:
    numbers = addition(graph, op)
    return None if numbers is None else plan_add(sources, target, numbers)


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
