"""Cycles and bytes of a schedule, before anything is compiled.

Kernels are priced instruction by instruction with the core's timing table, so their cycles are the simulator's but for
stalls across branches. The compiled C around them is small; its cost per call and per layer was measured with GCC 12 at
-O2.
"""

from __future__ import annotations

from dataclasses import dataclass

from export.costing.candidate import CALL_OF_COPY_CYCLES, KernelWaits
from export.costing.kernel_cost import KernelCost
from export.costing.plain_c import PlainCost, plain_cost
from export.ir.graph import Graph
from export.schedule.roofline import count_macs
from export.schedule.stage import Schedule, Stage, stage_name
from export.schedule.stage_work import work_of
from export.targets import STACK_BYTES, Core, Span, Target
from keras_approx.notebooks import html_table


@dataclass(frozen=True)
class LayerEstimate:
    """What one layer is predicted to take.

    Attributes:
        index: Position in the execution order.
        kind: Kind of the stage.
        name: What the model's author called the layer, of fused ones the first; empty if no tensor says it. Untrusted.
        kernel: "unpacked", "loop", "bytes", "winograd4", "direct", or "plain" for plain C.
        macs: Products of the dense layer.
        kept_macs: Products whose weight is not zero.
        cycles: Of one inference with memories that never wait; None on cores whose kernels have no prices. Those of
            plain C are fitted to measurements, nearly all of long layers within 10 %. None too where one was never
            measured.
        flash_bytes: Code and constants; None likewise.
        board_cycles: Of one inference with the memories of the board; None where cycles are, without a board, and
            where no document tells how its memories wait.
        copied_bytes: Code of it that runs from RAM, where the board has a bank for that.
        scratch_bytes: RAM that its kernels work in beside its inputs and outputs; within the arena.
    """

    index: int
    kind: str
    name: str
    kernel: str
    macs: int
    kept_macs: int
    cycles: int | None
    flash_bytes: int | None
    board_cycles: Span | None
    copied_bytes: int
    scratch_bytes: int


@dataclass(frozen=True)
class Estimate:
    """Prediction for a network.

    Attributes:
        target: Core and board.
        layers: In execution order.
        arena_bytes: RAM of activations and of the kernels' scratch memory, exact.
        state_bytes: RAM of what is kept from one inference to the next.
    """

    target: Target
    layers: tuple[LayerEstimate, ...]
    arena_bytes: int
    state_bytes: int = 0

    @property
    def ram_bytes(self) -> int:
        """The network's static RAM: arena and states, without the stack."""
        return self.arena_bytes + self.state_bytes

    @property
    def scratch_bytes(self) -> int:
        """The most that a layer's kernels work in, within the arena."""
        return max((layer.scratch_bytes for layer in self.layers), default=0)

    @property
    def cycles(self) -> int | None:
        """Cycles of all layers but the `unpriced` ones; None if the core's kernels have no prices."""
        return sum(layer.cycles or 0 for layer in self.layers) if has_prices(self.target.core) else None

    @property
    def flash_bytes(self) -> int | None:
        """Flash of all layers but the `unpriced` ones; None if the core's kernels have no prices."""
        return sum(layer.flash_bytes or 0 for layer in self.layers) if has_prices(self.target.core) else None

    @property
    def board_cycles(self) -> Span | None:
        """Cycles with the memories of the board; None where no layer has them."""
        known = [layer.board_cycles for layer in self.layers if layer.board_cycles is not None]
        return Span(sum(one.low for one in known), sum(one.high for one in known)) if known else None

    @property
    def copied_bytes(self) -> int:
        """Code that runs from RAM, in a bank beside that of the arena."""
        return sum(layer.copied_bytes for layer in self.layers)

    @property
    def unpriced(self) -> tuple[LayerEstimate, ...]:
        """The layers that the totals leave out."""
        return tuple(layer for layer in self.layers if layer.cycles is None)

    def __repr__(self) -> str:
        return f"<Estimate for {self.target.core.name}: {self._totals()}, RAM {self.ram_bytes:,} B>"

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_html(self, title: str = "") -> str:
        """The layers as a table for notebooks, under a title."""
        waits = self.board_cycles is not None
        head = [
            "layer",
            "kind",
            "name",
            "kernel",
            "kept",
            "cycles",
            *(["with waits"] if waits else []),
            "flash",
        ]
        rows = [
            [
                *(str(layer.index), layer.kind, layer.name, layer.kernel),
                f"{100 * layer.kept_macs / layer.macs:.0f} %" if layer.macs else "",
                "?" if layer.cycles is None else f"{layer.cycles:,}",
                *([str(layer.board_cycles or "?")] if waits else []),
                "?" if layer.flash_bytes is None else f"{layer.flash_bytes:,} B",
            ]
            for layer in self.layers
        ]
        note = f"{self.target.core.name}: {self._totals()}, {self._ram()}"
        return html_table(head, rows, left=4, title=title, note=note)

    def __str__(self) -> str:
        waits = self.board_cycles is not None
        waited = f"{'with waits':>24} " if waits else ""
        lines = [
            f"{'':>3} {'kind':<18} {'kernel':<9} {'kept':>6} {'cycles':>12} {'MAC/cycle':>9} {waited}"
            f"{'flash B':>9}  name"
        ]
        for layer in self.layers:
            kept = f"{100 * layer.kept_macs / layer.macs:.0f} %" if layer.macs else ""
            rate = f"{layer.macs / layer.cycles:.2f}" if layer.macs and layer.cycles else ""
            cycles = "?" if layer.cycles is None else f"{layer.cycles:,}"
            flash = "?" if layer.flash_bytes is None else f"{layer.flash_bytes:,}"
            if waits:
                waited = f"{'?' if layer.board_cycles is None else layer.board_cycles!s:>24} "
            lines.append(
                f"{layer.index:>3} {layer.kind:<18} {layer.kernel:<9} {kept:>6} {cycles:>12} {rate:>9} {waited}"
                f"{flash:>9}  {layer.name[:40]!r}"
            )
        lines.append(f"{self.target.core.name}: {self._totals()}, {self._ram()}")
        return "\n".join(lines)

    def _ram(self) -> str:
        parts = [f"of it {self.scratch_bytes:,} B scratch"] if self.scratch_bytes else []
        parts += [f"of it {self.state_bytes:,} B states"] if self.state_bytes else []
        inside = f" ({', '.join(parts)})" if parts else ""
        copies = f" and {self.copied_bytes:,} B of code" if self.copied_bytes else ""
        return f"RAM {self.ram_bytes:,} B{inside}{copies}, and {STACK_BYTES:,} B kept free for the stack"

    def _totals(self) -> str:
        if self.cycles is None:
            return (
                "cycles and flash unknown: they are predicted for cores with the DSP extension"
                f"{'; keras-approx simulate counts them' if self.target.core.timing is not None else ''}"
            )
        board = self.target.board
        waited = f", {self.board_cycles} on {board.name}" if self.board_cycles is not None and board else ""
        totals = f"{self.cycles:,} cycles{waited}, flash {self.flash_bytes:,} B"
        if not self.unpriced:
            return totals
        left_out = ", ".join(f"{layer.index} ({layer.kind})" for layer in self.unpriced)
        return f"{totals} without the layers that have no price: {left_out}"


def has_prices(core: Core) -> bool:
    """Whether kernels are priced as they run: as assembly, for cores with the DSP extension."""
    return core.dsp


def estimate_schedule(schedule: Schedule, target: Target) -> Estimate:
    """What the stages of a schedule take."""
    layers = []
    priced = has_prices(target.core)
    target = target.placed(schedule.data_bytes)
    for index, stage in enumerate(schedule.stages):
        macs, kept = count_macs(schedule.graph, stage.op)
        cost = _cost(schedule.graph, stage, target.core) if priced else None
        layers.append(
            LayerEstimate(
                index=index,
                kind=stage.kind,
                name=stage_name(schedule.graph, stage),
                kernel=stage.candidate.variant if stage.candidate is not None else "plain",
                macs=macs,
                kept_macs=kept,
                cycles=None if cost is None else _cycles(stage, cost),
                flash_bytes=None if cost is None else cost.flash_bytes,
                board_cycles=_board_cycles(stage, cost, target) if cost is not None else None,
                copied_bytes=sum(kernel.size for kernel in _copies(stage)),
                scratch_bytes=stage.scratch_bytes,
            )
        )
    return Estimate(target, tuple(layers), schedule.arena_bytes, schedule.state_bytes)


def _cost(graph: Graph, stage: Stage, core: Core) -> KernelCost | PlainCost | None:
    """What a stage takes with memories that never wait."""
    if stage.candidate is not None:
        return stage.candidate.cost
    return plain_cost(stage.kind, work_of(graph, stage), core)


def _copies(stage: Stage) -> list[KernelWaits]:
    """The kernels of a stage that run as copies from RAM."""
    return [] if stage.candidate is None else [stage.candidate.price.kernels[i] for i in stage.copied]


def _cycles(stage: Stage, cost: KernelCost | PlainCost) -> int | None:
    """A layer's cycles if nothing waits; copies of kernels in RAM are called by a detour."""
    calls = sum(kernel.calls for kernel in _copies(stage))
    return None if cost.cycles is None else cost.cycles + CALL_OF_COPY_CYCLES * calls


def _board_cycles(stage: Stage, cost: KernelCost | PlainCost, target: Target) -> Span | None:
    """A layer's cycles with the board's memories, where they are known; loops of plain C fit any cache."""
    cycles = _cycles(stage, cost)
    known = target.placement is not None and target.placement.waits == 0
    if cycles is None or not known:
        return None
    waits = [0.0] if stage.candidate is None else list(stage.candidate.price.waits)
    for kernel in _copies(stage):
        pairs = zip(waits, kernel.flash, kernel.copied, strict=True)
        waits = [total - flash + copied for total, flash, copied in pairs]
    return Span(cycles + min(waits), cycles + max(waits))
