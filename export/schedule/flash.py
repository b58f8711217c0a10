"""Trades cycles for flash where the fastest kernels do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..ir.graph import Graph
from ..targets import Target
from .choose import Price
from .instructions import plan_bytes
from .plan import Plan
from .planning import completed, smaller_plans
from .stage import Stage


def fit_flash(graph: Graph, stages: Sequence[Stage], target: Target, limit: int) -> list[Stage]:
    """Takes smaller kernels, those first that save most bytes for a cycle, until all stages fit.

    Args:
        graph: the network.
        stages: with their fastest plans.
        target: what plans are priced for.
        limit: bytes of flash.

    Returns:
        The stages; over the limit still if no choice of plans fits.
    """
    result = list(stages)
    total = sum(plan_bytes(stage.plan) for stage in result if stage.plan is not None)
    if total <= limit:
        return result
    choices = [smaller_plans(graph, stage, target) for stage in result]
    current = [0] * len(result)
    while total > limit:
        best: tuple[float, int, int] | None = None
        for index, plans in enumerate(choices):
            for candidate in range(current[index] + 1, len(plans)):
                gain = _bytes_a_cycle(plans, current[index], candidate)
                if gain > 0 and (best is None or gain > best[0]):
                    best = (gain, index, candidate)
        if best is None:
            break
        _, index, candidate = best
        total -= choices[index][current[index]][0].flash_bytes - choices[index][candidate][0].flash_bytes
        current[index] = candidate
        plan = choices[index][candidate][1]
        result[index] = replace(result[index], plan=completed(graph, result[index], plan))
    return result


def _bytes_a_cycle(plans: Sequence[tuple[Price, Plan]], now: int, then: int) -> float:
    """Bytes saved for each cycle lost; plans are in order of cycles."""
    saved = plans[now][0].flash_bytes - plans[then][0].flash_bytes
    return saved / max(1, plans[then][0].cycles - plans[now][0].cycles)
