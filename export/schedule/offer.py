"""A way to compute a stage, priced before it is planned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .figures import Figures
from .plan import Plan


@dataclass(frozen=True)
class Price:
    """What a plan takes: cycles, those waiting for flash included, then bytes of flash."""

    cycles: int
    flash_bytes: int


@dataclass(frozen=True)
class Offer:
    """A way to compute a stage.

    Attributes:
        variant: of its plan.
        price: what it is chosen by.
        figures: what it takes with memories that never wait.
    """

    variant: str
    price: Price
    figures: Figures


@dataclass(frozen=True)
class Candidate(Offer):
    """An offer that can be taken.

    Attributes:
        plan: makes the plan.
    """

    plan: Callable[[], Plan] = field(compare=False)
