"""A way to compute a stage, priced before it is planned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from export.costing.kernel_cost import KernelCost
from export.kernels.plan import Plan
from export.targets import NO_WAITS, Span


@dataclass(frozen=True)
class Price:
    """What a plan takes.

    Attributes:
        cycles: of its kernels, those waiting for the flash included: the middle of what they may be.
        flash_bytes: code and constants.
        waits: the cycles that wait.
    """

    cycles: int
    flash_bytes: int
    waits: Span = NO_WAITS


@dataclass(frozen=True)
class Candidate:
    """A way to compute a stage.

    Attributes:
        variant: of its plan.
        price: what it is chosen by.
        cost: what it takes with memories that never wait.
        scratch_bytes: memory it needs while it runs, beside its inputs and outputs.
        plan: makes the plan; None where only the price is kept.
    """

    variant: str
    price: Price
    cost: KernelCost
    scratch_bytes: int
    plan: Callable[[], Plan] | None = field(compare=False)


_ALMOST = 1.005  # cycles, of the fewest, that less scratch memory is worth


def fastest(candidates: Sequence[Candidate]) -> Candidate | None:
    """Of those that take almost the fewest cycles the one with the least scratch memory; None of none."""
    if not candidates:
        return None
    most = _ALMOST * min(candidate.price.cycles for candidate in candidates)
    near = [candidate for candidate in candidates if candidate.price.cycles <= most]
    return min(near, key=lambda candidate: (candidate.scratch_bytes, candidate.price.cycles))
