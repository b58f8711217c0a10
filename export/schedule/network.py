"""Plans a whole network: which operators become stages, how activations lie in memory, and the arena."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from export.costing.candidate import Candidate
from export.costing.flash import fit_flash
from export.ir.graph import Graph
from export.operators.table import operator_of
from export.schedule.arena import ALIGNMENT, Lifetime, plan
from export.schedule.fusion import fuse
from export.schedule.layouts import aliases_of, layouts_of, plain_layout, root
from export.schedule.stage import Buffer, Schedule, Stage
from export.schedule.stage_plans import stage_candidates
from export.targets import Target

ACTIVATIONS = ("auto", "int16", "int8")
Candidates = Callable[..., Sequence[Candidate]]
"""Like `stage_plans.stage_candidates`."""


def plan_network(graph: Graph, target: Target, activations: str = "auto") -> Schedule:
    """Schedules a graph that has been through the passes.

    Args:
        graph: operators in execution order.
        target: what kernels are chosen for.
        activations: "int16" for the fastest kernels, "int8" for half the RAM, or "auto": int16 unless that does not
            fit the target's RAM and int8 does.

    Returns:
        Stages with their buffers placed and their kernels planned.
    """
    laid_out = lay_out(graph, target, activations)
    target = target.placed(laid_out.data_bytes)
    stages = [
        stage if candidate is None else _planned(stage, candidate)
        for stage, candidate in zip(laid_out.stages, _chosen(laid_out, target, stage_candidates), strict=True)
    ]
    return replace(laid_out, stages=tuple(stages))


def _planned(stage: Stage, candidate: Candidate) -> Stage:
    assert candidate.plan is not None
    return replace(stage, candidate=candidate, plan=candidate.plan())


def price_network(
    graph: Graph, target: Target, activations: str, candidates: Candidates = stage_candidates
) -> Schedule:
    """What `plan_network` chooses, without planning it: stages have their candidates but no plans.

    Args:
        graph: operators in execution order.
        target: what kernels are chosen for.
        activations: as for `plan_network`.
        candidates: gives the candidates for a stage; one that remembers them, for instance.
    """
    laid_out = lay_out(graph, target, activations)
    target = target.placed(laid_out.data_bytes)
    chosen = _chosen(laid_out, target, candidates)
    stages = [
        replace(stage, candidate=candidate) for stage, candidate in zip(laid_out.stages, chosen, strict=True)
    ]
    return replace(laid_out, stages=tuple(stages))


def _chosen(laid_out: Schedule, target: Target, candidates: Candidates) -> list[Candidate | None]:
    """The fastest candidates with which a network fits its flash, or the smallest."""
    graph, stages = laid_out.graph, laid_out.stages
    fastest = [next(iter(candidates(graph, stage, target)), None) for stage in stages]
    if target.board is None:
        return fastest
    return fit_flash(
        fastest,
        lambda index: candidates(graph, stages[index], target, small=True),
        target.board.flash_bytes,
    )


def lay_out(graph: Graph, target: Target, activations: str) -> Schedule:
    """Stages with their buffers placed and nothing planned."""
    wide = _lay_out(graph, "int16") if activations != "int8" else None
    if wide is not None and (activations == "int16" or _fits(wide, target)):
        return wide
    narrow = _lay_out(graph, "int8")
    return narrow if wide is None or narrow.arena_bytes < wide.arena_bytes else wide


def _fits(schedule: Schedule, target: Target) -> bool:
    """Whether a placement on the board holds the arena, and the stack's share."""
    return target.board is None or target.board.holds(schedule.data_bytes)


def _lay_out(graph: Graph, element: str) -> Schedule:
    layers = fuse(graph)
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
    placed, arena_bytes = _place(stages, aliases | shared)
    return Schedule(graph, tuple(placed), arena_bytes, ends.state_bytes)


class _Ends:
    """Buffers outside the arena: the caller's inputs, states, constants."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._sources = {
            tensor: Buffer(tensor, plain_layout(graph, tensor), "input", number=number)
            for number, tensor in enumerate(graph.inputs)
        }
        self.state_bytes = 0
        for number, state in enumerate(graph.states):
            layout = plain_layout(graph, state.read)
            self._sources[state.read] = Buffer(state.read, layout, "state", self.state_bytes, number)
            self.state_bytes += -(-layout.size_bytes // ALIGNMENT) * ALIGNMENT

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


def _place(stages: Sequence[Stage], owners: Mapping[int, int]) -> tuple[list[Stage], int]:
    """Gives every arena buffer its offset, given which tensors lie in another one's."""
    lifetimes: dict[int, Lifetime] = {}
    for number, stage in enumerate(stages):
        for used in (*stage.reads, stage.writes):
            if used.place != "arena":
                continue
            key = root(used.tensor, owners)
            first = lifetimes[key].first if key in lifetimes else number
            size = max(used.layout.size_bytes, lifetimes[key].size if key in lifetimes else 0)
            lifetimes[key] = Lifetime(size, first, number)
    offsets, total = plan(list(lifetimes.values()))
    where = dict(zip(lifetimes, offsets, strict=True))

    def placed(used: Buffer) -> Buffer:
        return replace(used, offset=where[root(used.tensor, owners)]) if used.place == "arena" else used

    return [
        replace(stage, reads=tuple(placed(used) for used in stage.reads), writes=placed(stage.writes))
        for stage in stages
    ], total
