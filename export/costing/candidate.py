"""A way to compute a stage, priced before it is planned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from export.costing.kernel_cost import KernelCost
from export.kernels.plan import Plan

CALL_OF_COPY_CYCLES, CALL_OF_COPY_BYTES = 6, 12  # the jump that a linker puts between flash and RAM


class KernelWaits(NamedTuple):
    """What a kernel of a plan waits where its code lies in flash, and where it runs as a copy in RAM.

    Attributes:
        size: Bytes of its code.
        calls: How often it is called.
        flash: Cycles, by every reading of the documents.
        copied: The same for a copy: its constants stay in flash.
    """

    size: int
    calls: int
    flash: tuple[float, ...]
    copied: tuple[float, ...]

    @property
    def gain(self) -> float:
        """Cycles that a copy saves: the middle of what the readings say."""
        saved = [flash - copied for flash, copied in zip(self.flash, self.copied, strict=True)]
        return (min(saved) + max(saved)) / 2 - CALL_OF_COPY_CYCLES * self.calls


@dataclass(frozen=True)
class Price:
    """What a plan takes.

    Attributes:
        cycles: Of its kernels, those waiting for the flash included: the middle of what they may be.
        flash_bytes: Code and constants.
        waits: Cycles that wait, by every reading of the documents; none for memories that never wait.
        kernels: Of the plan, where copies of them can run from RAM; else none.
    """

    cycles: int
    flash_bytes: int
    waits: tuple[float, ...] = ()
    kernels: tuple[KernelWaits, ...] = ()

    @property
    def copied_cycles(self) -> float:
        """The cycles if every kernel that gains by it ran from RAM."""
        return self.cycles - sum(max(0.0, kernel.gain) for kernel in self.kernels)


class Wanted(Enum):
    """Which candidates of a stage are looked for; each member brings those before it, too."""

    FASTEST = "what may take the fewest cycles"
    LESS_FLASH = "what takes less flash, and more cycles"
    LESS_MEMORY = "what takes less scratch memory, likewise"


@dataclass(frozen=True)
class Candidate:
    """A way to compute a stage.

    Attributes:
        variant: Of its plan.
        price: The figure by which it is chosen.
        cost: Its cycles and bytes, with memories that never wait.
        scratch_bytes: Memory it needs while it runs, beside its inputs and outputs.
        plan: Makes the plan; None where only the price is kept.
    """

    variant: str
    price: Price
    cost: KernelCost
    scratch_bytes: int
    plan: Callable[[], Plan] | None = field(compare=False)


NEAR_TIE = 1.005  # cycles, of the fewest, that less scratch memory is worth


def price_cycles(candidate: Candidate) -> float:
    """The cycles it is priced at, all its code in flash."""
    return candidate.price.cycles


def copied_cycles(candidate: Candidate) -> float:
    """The cycles if every kernel that gains by it ran from RAM."""
    return candidate.price.copied_cycles


def fastest(
    candidates: Sequence[Candidate], cycles: Callable[[Candidate], float] = price_cycles
) -> Candidate | None:
    """The candidate of least scratch memory, of those that take almost the fewest cycles; None of none."""
    if not candidates:
        return None
    most = NEAR_TIE * min(map(cycles, candidates))
    near = [candidate for candidate in candidates if cycles(candidate) <= most]
    return min(near, key=lambda candidate: (candidate.scratch_bytes, cycles(candidate)))
