"""Plans a whole network: which operators become stages, how activations lie in memory, and the arena."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from export.costing.candidate import Candidate, Wanted, copied_cycles, fastest, price_cycles
from export.costing.copies import Copies, choose_copies, cycles_with_copies, no_copies
from export.costing.flash import fit_flash, spared, with_plain_c
from export.costing.plain_c import PlainCost, plain_cost
from export.ir.graph import Graph
from export.ir.ops import Conv2D, FullyConnected
from export.kernels.plan import with_copies
from export.operators.table import operator_of
from export.schedule.arena import state_offsets
from export.schedule.fusion import Layer, fuse
from export.schedule.layout_choice import with_faster_layouts
from export.schedule.layouts import aliases_of, layouts_of, plain_layout
from export.schedule.placement import LaidOut, fit_ram
from export.schedule.remembered import Candidates, Remembered
from export.schedule.stage import Buffer, Schedule, Stage
from export.schedule.stage_work import work_of
from export.targets import Target


@dataclass(frozen=True)
class Requirements:
    """What a network is planned for.

    Attributes:
        target: Core and board.
        activations: "int16" for the fastest kernels, "int8" for half the RAM, or "auto": int8 where that
            is faster within the memories, else int16. Cores whose layers are C loops hold int8 in any case.
        max_ram: Bytes that activations, states and scratch memory may take; None for what the board has.
    """

    target: Target
    activations: str = "auto"
    max_ram: int | None = None

    @property
    def elements(self) -> tuple[str, ...]:
        """Ways to lay activations out, see `layouts_of`; those to prefer first."""
        if self.target.core.plain:
            return ("plain",)
        return ("int16", "int8") if self.activations == "auto" else (self.activations,)

    def hold(self, data_bytes: int) -> bool:
        """Whether there is memory for so many bytes of data, and for the stack."""
        if self.max_ram is not None and data_bytes > self.max_ram:
            return False
        return self.target.board is None or self.target.board.holds(data_bytes)


_ALMOST = 1.01  # cycles, of the fewest, at which no other element of activations is tried


def plan_network(graph: Graph, requirements: Requirements) -> Schedule:
    """Schedules a graph that has been through the passes.

    Args:
        graph: Operators in execution order.
        requirements: What for.

    Returns:
        Stages with their buffers placed and their kernels planned.
    """
    schedule = price_network(graph, requirements)
    return replace(schedule, stages=tuple(map(_planned, schedule.stages)))


def _planned(stage: Stage) -> Stage:
    if stage.candidate is None:
        return stage
    assert stage.candidate.plan is not None
    plan = with_copies(stage.candidate.plan(), stage.copied, len(stage.candidate.price.kernels))
    return replace(stage, plan=plan)


def price_network(graph: Graph, requirements: Requirements, candidates: Candidates | None = None) -> Schedule:
    """What `plan_network` chooses, without planning it: stages have their candidates but no plans.

    Args:
        graph: Operators in execution order.
        requirements: What for.
        candidates: Gives the candidates for a stage, asked for more than once; None for new `Remembered` ones.
    """
    candidates = candidates or Remembered()
    laid_outs = [_lay_out(graph, element) for element in requirements.elements]
    # What cannot fit is not priced: that takes seconds.
    worthwhile = [one for one in laid_outs if requirements.hold(one.least_bytes)]
    found = []
    for one in worthwhile or [min(laid_outs, key=lambda one: one.least_bytes)]:
        laid_out = with_faster_layouts(one, partial(_cycles, graph, requirements.target, candidates))
        schedule = _chosen(laid_out, requirements, candidates)
        if requirements.hold(schedule.data_bytes) and _unhindered(
            laid_out, schedule, requirements.target, candidates
        ):
            return schedule
        found.append(schedule)
    fitting = [schedule for schedule in found if requirements.hold(schedule.data_bytes)]
    if fitting:
        return min(fitting, key=_total_cycles)
    return min(found, key=lambda schedule: schedule.data_bytes)


def least_data_bytes(graph: Graph, requirements: Requirements) -> int:
    """Bytes of activations and states that every schedule takes; found without pricing any kernel."""
    return min(_lay_out(graph, element).least_bytes for element in requirements.elements)


def _unhindered(laid_out: LaidOut, schedule: Schedule, target: Target, candidates: Candidates) -> bool:
    """Whether memories let all stages take almost their fastest kernels."""
    placed = target.placed(schedule.data_bytes)  # where the schedule was chosen: these candidates are known
    free = [fastest(candidates(laid_out.graph, stage, placed)) for stage in laid_out.stages]
    least = sum(one.price.cycles for one in free if one is not None)
    return _total_cycles(schedule) <= _ALMOST * least


def _total_cycles(schedule: Schedule) -> int:
    """Cycles of all stages with kernels."""
    return sum(stage.candidate.price.cycles for stage in schedule.stages if stage.candidate is not None)


def _cycles(graph: Graph, target: Target, candidates: Candidates, stage: Stage) -> float:
    """What a stage takes with its fastest kernels, if it has any."""
    found = fastest(candidates(graph, stage, target))
    return math.inf if found is None or found.cost.cycles is None else found.cost.cycles


def _chosen(laid_out: LaidOut, requirements: Requirements, candidates: Candidates) -> Schedule:
    """The fastest candidates with which a network fits its memories, or the smallest.

    What kernels cost depends on the memories that the board's data lies in, and those on how much there is.
    """
    size = laid_out.data_bytes([None] * len(laid_out.stages))
    while True:
        target = requirements.target.placed(size)
        chosen, copies = _chosen_at(laid_out, replace(requirements, target=target), candidates)
        needed = laid_out.data_bytes(chosen)
        if needed <= size or requirements.target.placed(needed) == target:
            return laid_out.placed(chosen, copies)
        size = needed


def _chosen_at(
    laid_out: LaidOut, requirements: Requirements, candidates: Candidates
) -> tuple[list[Candidate | None], Copies]:
    """The candidates for a placement of data, and which of their kernels run from RAM.

    Once those are taken that are fastest from flash, once those that would be if all their kernels ran from RAM; what
    then fits there decides between the two.
    """
    placement = requirements.target.placement
    chosen = _fitting(laid_out, requirements, candidates, price_cycles)
    if placement is None or placement.code is None:
        return chosen, no_copies(chosen)
    room = placement.code.size
    ways = [
        (one, choose_copies(one, room))
        for one in (chosen, _fitting(laid_out, requirements, candidates, copied_cycles))
    ]
    return min(ways, key=lambda way: cycles_with_copies(*way))


def _fitting(
    laid_out: LaidOut,
    requirements: Requirements,
    candidates: Candidates,
    cycles: Callable[[Candidate], float],
) -> list[Candidate | None]:
    """The fastest candidates of all stages, or smaller ones until the network fits its memories."""
    graph, stages, target = laid_out.graph, laid_out.stages, requirements.target
    chosen = [fastest(candidates(graph, stage, target), cycles) for stage in stages]

    def more(wanted: Wanted, index: int) -> Sequence[Candidate]:
        return candidates(graph, stages[index], target, wanted)

    flash = None if target.board is None else target.board.flash_bytes
    if flash is not None:
        chosen = fit_flash(chosen, partial(more, Wanted.LESS_FLASH), flash)
        chosen = with_plain_c(chosen, lambda index: _plain(graph, stages[index], target), flash)
    room = None if flash is None else spared(flash)
    return fit_ram(laid_out, chosen, partial(more, Wanted.LESS_MEMORY), requirements.hold, room)


def _plain(graph: Graph, stage: Stage, target: Target) -> PlainCost | None:
    """What a layer of weights takes in plain C; None for others, which take little flash, and with fused ones."""
    layer = isinstance(stage.op, Conv2D | FullyConnected) and stage.pool is None and stage.add is None
    return plain_cost(stage.kind, work_of(graph, stage), target.core) if layer else None


def _lay_out(graph: Graph, element: str) -> LaidOut:
    """Stages in execution order, with nothing chosen and nothing placed."""
    layers = [Layer(op) for op in graph.ops] if element == "plain" else fuse(graph)
    shared = {layer.output: layer.residual for layer in layers if layer.add is not None}
    layouts = layouts_of(graph, layers, shared, element)
    aliases = aliases_of(graph, layers, layouts)
    ends = _Ends(graph)
    stages: list[Stage] = []
    direct: set[int] = set()
    for tensor in graph.sources:
        held = ends.source(tensor)
        if _in_place(graph, tensor) or (layouts[tensor] == held.layout and not _kept(graph, tensor, aliases)):
            direct.add(tensor)
        else:
            stages.append(Stage("copy", None, None, (held,), Buffer(tensor, layouts[tensor], "arena")))

    def reading(tensor: int) -> Buffer:
        if graph.is_constant(tensor):
            return ends.constant(tensor)
        return ends.source(tensor) if tensor in direct else Buffer(tensor, layouts[tensor], "arena")

    writers: dict[int, int] = {}
    for layer in layers:
        if layer.output in aliases:
            continue
        writers[layer.output] = len(stages)
        reads = tuple(reading(tensor) for tensor in layer.op.inputs)
        target = Buffer(layer.output, layouts[layer.output], "arena")
        kind = operator_of(layer.op).kind
        stages.append(Stage(kind, layer.op, layer.pool, reads, target, add=layer.add))
    for number, tensor in enumerate(graph.outputs):
        wanted = Buffer(tensor, plain_layout(graph, tensor), "output", number=number)
        alone = not graph.consumers(tensor) and graph.results.count(tensor) == 1
        if tensor in writers and alone and layouts[tensor] == wanted.layout:
            stages[writers[tensor]] = replace(stages[writers[tensor]], writes=wanted)
        else:
            stages.append(Stage("copy", None, None, (reading(tensor),), wanted))
    for state in graph.states:
        if state.written is not None and state.written != state.read:
            stages.append(Stage("copy", None, None, (reading(state.written),), ends.source(state.read)))
    return LaidOut(graph, tuple(stages), aliases | shared, ends.state_bytes)


class _Ends:
    """Buffers outside the arena: the caller's inputs, states, constants."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._sources = {
            tensor: Buffer(tensor, plain_layout(graph, tensor), "input", number=number)
            for number, tensor in enumerate(graph.inputs)
        }
        offsets, self.state_bytes = state_offsets(graph)
        for number, (state, offset) in enumerate(zip(graph.states, offsets, strict=True)):
            layout = plain_layout(graph, state.read)
            self._sources[state.read] = Buffer(state.read, layout, "state", offset, number)

    def source(self, tensor: int) -> Buffer:
        return self._sources[tensor]

    def constant(self, tensor: int) -> Buffer:
        return Buffer(tensor, plain_layout(self._graph, tensor), "constant", number=tensor)


def _in_place(graph: Graph, tensor: int) -> bool:
    return any(state.read == tensor and state.written is None for state in graph.states)


def _kept(graph: Graph, tensor: int, aliases: Mapping[int, int]) -> bool:
    """Whether a source has to be in the arena: for reshapes of it, or since another state takes its value over."""
    taken = any(state.written == tensor != state.read for state in graph.states)
    return tensor in aliases.values() or (taken and tensor not in graph.inputs)
