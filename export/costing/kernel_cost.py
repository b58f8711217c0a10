"""The cost of planned kernels, as sums that add up over kernels."""

from __future__ import annotations

from dataclasses import dataclass, replace

from export.kernels.size import compiled_bytes
from export.targets import Target

# Compiled C, measured with GCC 12 at -O2: a kernel call with its arguments; a layer's prologue and return.
CALL_CYCLES, LAYER_CYCLES = 6, 10


@dataclass(frozen=True)
class KernelCost:
    """Cycles and bytes of kernels; those of several plans that are joined add up.

    Attributes:
        kernel_cycles: Of all calls together, memories never wait; None where the core has no timing table.
        calls: How many run.
        sites: How many are written.
        kernel_bytes: Code and constants.
    """

    kernel_cycles: int | None
    calls: int
    sites: int
    kernel_bytes: int

    def __add__(self, other: KernelCost) -> KernelCost:
        known = self.kernel_cycles is not None and other.kernel_cycles is not None
        return KernelCost(
            (self.kernel_cycles or 0) + (other.kernel_cycles or 0) if known else None,
            self.calls + other.calls,
            self.sites + other.sites,
            self.kernel_bytes + other.kernel_bytes,
        )

    @property
    def cycles(self) -> int | None:
        """Cycles of a layer of these kernels, its compiled C included."""
        if self.kernel_cycles is None:
            return None
        return self.kernel_cycles + CALL_CYCLES * self.calls + (LAYER_CYCLES if self.calls > 1 else 0)

    @property
    def flash_bytes(self) -> int:
        """Flash of a layer of these kernels, its compiled C included."""
        return self.kernel_bytes + compiled_bytes(self.sites, self.calls)


def known(cost: KernelCost, target: Target) -> KernelCost:
    """A cost counted with another core's timing, for a target that may have none."""
    return cost if target.core.timing is not None else replace(cost, kernel_cycles=None)
