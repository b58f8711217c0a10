"""The kernels that can compute a stage, by its kind; none where plain C loops have to do it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import prod

import numpy as np

from export.costing.candidate import Candidate, Wanted
from export.costing.choice import candidates, planned_candidate, priced_timing
from export.costing.counting.plans import count_plan
from export.costing.depthwise_choice import depthwise_candidates
from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected
from export.kernels.conv_problem import conv_problem, depthwise_problem
from export.kernels.direct.loops import Sum
from export.kernels.direct.plan import ConvProblem
from export.kernels.elementwise.addition import addition
from export.kernels.elementwise.nest import common_shape, nest
from export.kernels.elementwise.nested_plan import plan_moves
from export.kernels.elementwise.plan import plan_border, plan_copy
from export.kernels.layout import Layout, flat
from export.kernels.plan import Plan, joined
from export.kernels.planes.plan import DepthwiseProblem
from export.operators.table import operator_of
from export.schedule.stage import Stage
from export.targets import Target


def stage_candidates(
    graph: Graph, stage: Stage, target: Target, wanted: Wanted = Wanted.FASTEST
) -> list[Candidate]:
    """The kernels that can compute a stage, the fastest first; none where plain C loops have to do it.

    `price` leaves out what `completed` adds, such as filling the border; `cost` has it.

    Args:
        graph: The network.
        stage: With its buffers placed.
        target: What candidates are priced for.
        wanted: Which of them.
    """
    if target.core.plain and (stage.op is None or operator_of(stage.op).emit is not None):
        return []
    timing = priced_timing(target)
    problem = stage_problem(graph, stage)
    depthwise = _depthwise_problem(graph, stage)
    if problem is not None:
        found = candidates(problem, target, wanted)
    elif depthwise is not None:
        found = depthwise_candidates(depthwise, target)
    else:
        plan = _plan(graph, stage)
        found = [] if plan is None else [planned_candidate(plan, target)]
    more = count_plan(completed(graph, stage, Plan("direct", (), (), ())), timing).cost if found else None
    return [
        replace(candidate, cost=candidate.cost + more, plan=partial(_completed_plan, graph, stage, candidate))
        for candidate in found
        if more is not None
    ]


def _completed_plan(graph: Graph, stage: Stage, candidate: Candidate) -> Plan:
    assert candidate.plan is not None
    return completed(graph, stage, candidate.plan())


def stage_problem(graph: Graph, stage: Stage) -> ConvProblem | None:
    """The planning problem of a layer that convolution kernels can compute."""
    op = stage.op
    if not isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected):
        return None
    if isinstance(op, DepthwiseConv2D) and op.multiplier == 1:
        return None  # has kernels of its own
    problem = conv_problem(graph, op, stage.pool, stage.reads[0].layout, stage.writes.layout)
    if stage.add is None or problem is None:
        return problem
    numbers = addition(graph, stage.add, stage.add.inputs.index(op.output))
    assert numbers is not None  # or it would not have been fused
    return replace(problem, sum=Sum(numbers.shift, numbers.low, numbers.high), addition=numbers)


def _depthwise_problem(graph: Graph, stage: Stage) -> DepthwiseProblem | None:
    """The planning problem of a depthwise layer of multiplier 1; None if kernels cannot compute it."""
    if not isinstance(stage.op, DepthwiseConv2D) or stage.op.multiplier != 1:
        return None
    return depthwise_problem(graph, stage.op, stage.reads[0].layout, stage.writes.layout)


def completed(graph: Graph, stage: Stage, plan: Plan) -> Plan:
    """The plan, after one that fills the output's border."""
    border = plan_border(stage.writes.layout, graph.tensors[stage.writes.tensor].quant.zero_point)
    return plan if border is None else joined([border, plan], plan.variant)


def _plan(graph: Graph, stage: Stage) -> Plan | None:
    """The only plan of a stage that has no candidates to choose from."""
    sources, target = [buffer.layout for buffer in stage.reads], stage.writes.layout
    if stage.kind == "copy":
        return _plan_copy(sources[0], target)
    assert stage.op is not None
    return operator_of(stage.op).plan(graph, stage.op, sources, target)


def _plan_copy(source: Layout, target: Layout) -> Plan | None:
    """A copy between layouts, and between shapes that merge the same dimensions."""
    if (source.height, source.width, source.channels) == (target.height, target.width, target.channels):
        return plan_copy(source, target)
    if source.contiguous and target.contiguous:
        return plan_copy(flat(source), flat(target))
    shape = common_shape(*((one.height, one.width, one.channels) for one in (source, target)))
    if shape is None:
        return None
    index = np.arange(prod(shape)).reshape(shape)
    return plan_moves(nest((source, target), (index, index)), source, target)
