"""A way to compute a stage, priced before it is planned."""

from __future__ import annotations

from collections.abc import Callable
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
        plan: makes the plan; None where only the price is kept.
    """

    variant: str
    price: Price
    cost: KernelCost
    plan: Callable[[], Plan] | None = field(compare=False)
