"""Chooses the kernels of a depthwise convolution."""

from __future__ import annotations

from collections.abc import Iterator

from export.costing.candidate import Candidate
from export.costing.choice import planned_candidate
from export.kernels.direct.depthwise import plan_depthwise
from export.kernels.plan import Plan
from export.kernels.planes.plan import AXES, DepthwiseProblem, plan_gathered, plan_planar
from export.targets import Target


def depthwise_candidates(problem: DepthwiseProblem, target: Target) -> list[Candidate]:
    """Plans of a layer, the one of the fewest cycles first, then of the fewest bytes.

    Args:
        problem: The layer.
        target: As for `choice.candidates`.
    """
    found = [planned_candidate(plan, target) for plan in _plans(problem)]
    return sorted(found, key=lambda candidate: (candidate.price.cycles, candidate.price.flash_bytes))


def _plans(problem: DepthwiseProblem) -> Iterator[Plan]:
    if problem.planes is not None:
        plan = plan_planar(problem)
        if plan is not None:
            yield plan
        return
    yield plan_depthwise(problem.conv)
    for axis in AXES:
        plan = plan_gathered(problem, axis)
        if plan is not None:
            yield plan
