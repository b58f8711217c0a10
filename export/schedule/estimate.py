"""Cycles and bytes of a schedule, before anything is compiled.

Kernels are priced instruction by instruction with the core's timing table, so their figures are those of the
simulator but for stalls across branches. The compiled C around them is small; what it takes a call and a layer was
measured with GCC 12 at -O2.
"""

from __future__ import annotations

from dataclasses import dataclass

from export.costing.kernel_cost import plan_cost
from export.kernels.plan import Plan
from export.schedule.roofline import count_macs
from export.schedule.stage import Schedule
from export.targets import Core, Target, Timing


@dataclass(frozen=True)
class LayerEstimate:
    """What one layer is predicted to take.

    Attributes:
        index: place in the execution order.
        kind: kind of the stage.
        name: the layer's output tensor as the model's author named it; untrusted.
        kernel: "unpacked", "loop", "direct", or "plain" for plain C.
        macs: products of the dense layer.
        kept_macs: products whose weight is not zero.
        cycles: of one inference with memories that never wait; None where nothing can price them: for plain C, and on
            cores whose kernels have no prices.
        flash_bytes: code and constants; None likewise.
    """

    index: int
    kind: str
    name: str
    kernel: str
    macs: int
    kept_macs: int
    cycles: int | None
    flash_bytes: int | None


@dataclass(frozen=True)
class Estimate:
    """Prediction for a network.

    Attributes:
        target: core and board.
        layers: in execution order.
        ram_bytes: the arena, exact.
    """

    target: Target
    layers: tuple[LayerEstimate, ...]
    ram_bytes: int

    @property
    def cycles(self) -> int | None:
        """Of all layers but the `unpriced` ones; None if the core's kernels have no prices."""
        return sum(layer.cycles or 0 for layer in self.layers) if has_prices(self.target.core) else None

    @property
    def flash_bytes(self) -> int | None:
        """Of all layers but the `unpriced` ones; None if the core's kernels have no prices."""
        return sum(layer.flash_bytes or 0 for layer in self.layers) if has_prices(self.target.core) else None

    @property
    def unpriced(self) -> tuple[LayerEstimate, ...]:
        """The layers that the totals leave out."""
        return tuple(layer for layer in self.layers if layer.cycles is None)

    def __str__(self) -> str:
        lines = [
            f"{'':>3} {'kind':<18} {'kernel':<9} {'kept':>6} {'cycles':>12} {'MAC/cycle':>9} {'flash B':>9}  name"
        ]
        for layer in self.layers:
            kept = f"{100 * layer.kept_macs / layer.macs:.0f} %" if layer.macs else ""
            rate = f"{layer.macs / layer.cycles:.2f}" if layer.macs and layer.cycles else ""
            cycles = "?" if layer.cycles is None else f"{layer.cycles:,}"
            flash = "?" if layer.flash_bytes is None else f"{layer.flash_bytes:,}"
            lines.append(
                f"{layer.index:>3} {layer.kind:<18} {layer.kernel:<9} {kept:>6} {cycles:>12} {rate:>9} {flash:>9}  "
                f"{layer.name[:40]!r}"
            )
        lines.append(f"{self.target.core.name}: {self._totals()}, RAM {self.ram_bytes:,} B")
        return "\n".join(lines)

    def _totals(self) -> str:
        if self.cycles is None:
            return "cycles and flash unknown, as its kernels have no prices yet"
        totals = f"{self.cycles:,} cycles, flash {self.flash_bytes:,} B"
        if not self.unpriced:
            return totals
        left_out = ", ".join(f"{layer.index} ({layer.kind})" for layer in self.unpriced)
        return f"{totals} without the layers in plain C, which have no price: {left_out}"


def has_prices(core: Core) -> bool:
    """Whether kernels are priced as they run: as assembly, for cores with the DSP extension."""
    return core.dsp


def estimate_schedule(schedule: Schedule, target: Target) -> Estimate:
    """What the stages of a schedule take."""
    layers = []
    priced = has_prices(target.core)
    for index, stage in enumerate(schedule.stages):
        macs, kept = count_macs(schedule.graph, stage.op)
        layers.append(
            LayerEstimate(
                index=index,
                kind=stage.kind,
                name=schedule.graph.tensors[stage.writes.tensor].name,
                kernel=stage.candidate.variant if stage.candidate is not None else "plain",
                macs=macs,
                kept_macs=kept,
                cycles=stage.candidate.cost.cycles if stage.candidate and priced else None,
                flash_bytes=stage.candidate.cost.flash_bytes if stage.candidate and priced else None,
            )
        )
    return Estimate(target, tuple(layers), schedule.arena_bytes)


def plan_cycles(plan: Plan, timing: Timing) -> int:
    """Cycles of a planned layer on a core."""
    cycles = plan_cost(plan, timing).cycles
    assert cycles is not None
    return cycles
