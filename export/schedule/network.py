"""Plans a whole network: which operators become stages, how activations lie in memory, and the arena."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from export.costing.candidate import Candidate
from export.costing.flash import fit_flash
from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Op, Padding, Reshape
from export.kernels.layout import Layout, image_shape
from export.operators.operator import Order
from export.operators.table import operator_of
from export.schedule.arena import Lifetime, plan
from export.schedule.fusion import Layer, fuse
from export.schedule.stage import Buffer, Schedule, Stage
from export.schedule.stage_plans import stage_candidates
from export.targets import Target

STACK_BYTES = 1024  # kept free for the stack, of which kernels take about 150 bytes
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
    """Whether the arena leaves the stack its share of the board's RAM."""
    return target.board is None or schedule.arena_bytes + STACK_BYTES <= target.board.ram_bytes


def _lay_out(graph: Graph, element: str) -> Schedule:
    layers = fuse(graph)
    shared = {layer.output: layer.residual for layer in layers if layer.add is not None}
    layouts = {
        tensor: _layout(graph, layers, group, element)
        for group in _groups(graph, layers, shared)
        for tensor in group
    }
    aliases = _aliases(graph, layers, layouts)
    stages: list[Stage] = []

    def buffer(tensor: int) -> Buffer:
        return Buffer(tensor, layouts[tensor], "arena")

    caller_input = Buffer(graph.input, _plain(graph, graph.input), "input")
    caller_output = Buffer(graph.output, _plain(graph, graph.output), "output")
    read_directly = layouts[graph.input] == caller_input.layout and graph.input not in aliases.values()
    if not read_directly:
        stages.append(Stage("copy", None, None, (caller_input,), buffer(graph.input)))
    for layer in layers:
        if layer.output in aliases:
            continue
        reads = tuple(
            caller_input if read_directly and tensor == graph.input else buffer(tensor)
            for tensor in layer.op.inputs
        )
        stages.append(
            Stage(
                operator_of(layer.op).kind,
                layer.op,
                layer.pool,
                reads,
                buffer(layer.output),
                add=layer.add,
            )
        )
    last = stages[-1] if stages else None
    if last is not None and last.writes.layout == caller_output.layout and last.writes.tensor == graph.output:
        stages[-1] = replace(last, writes=caller_output)
    else:
        stages.append(Stage("copy", None, None, (buffer(graph.output),), caller_output))
    placed, arena_bytes = _place(stages, aliases | shared)
    return Schedule(graph, tuple(placed), arena_bytes)


def _activations(graph: Graph, layers: Sequence[Layer]) -> list[int]:
    return list(dict.fromkeys([graph.input, *(layer.output for layer in layers)]))


def _plain(graph: Graph, tensor: int) -> Layout:
    """The layout of the caller's arrays."""
    height, width, channels = image_shape(graph.tensors[tensor].shape)
    return Layout(height, width, channels, channels, Padding(), "int8")


def _groups(graph: Graph, layers: Sequence[Layer], shared: Mapping[int, int]) -> list[list[int]]:
    """Tensors that lie in one buffer one after the other, given where each sum takes its residual's place."""
    groups: dict[int, list[int]] = {}
    for tensor in _activations(graph, layers):
        groups.setdefault(_root(tensor, shared), []).append(tensor)
    return list(groups.values())


def _root(tensor: int, owners: Mapping[int, int]) -> int:
    """The tensor whose buffer a tensor lies in."""
    while tensor in owners:
        tensor = owners[tensor]
    return tensor


def _layout(graph: Graph, layers: Sequence[Layer], group: Sequence[int], element: str) -> Layout:
    """Words that dual MACs can read where operands are read in pairs, a border where a reader pads."""
    plain = _plain(graph, group[0])
    readers = [op for tensor in group for op in _readers(layers, tensor)]
    paired = any(isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected) for op in readers)
    whole = any(isinstance(op, Conv2D | DepthwiseConv2D) for op in readers)
    shuffled = paired and element == "int8" and not any(_keeps_order(graph, layers, t) for t in group)
    word = 4 if shuffled else 2
    pads = [op.padding for op in readers if isinstance(op, Conv2D | DepthwiseConv2D)]
    border = Padding(
        top=max((pad.top for pad in pads), default=0),
        bottom=max((pad.bottom for pad in pads), default=0),
        left=max((pad.left for pad in pads), default=0),
        right=max((pad.right for pad in pads), default=0),
    )
    return replace(
        plain,
        pixel=plain.channels + (-plain.channels % word if whole else 0),
        border=border,
        element="int16" if paired and not shuffled else "int8",
        shuffled=shuffled,
    )


def _keeps_order(graph: Graph, layers: Sequence[Layer], tensor: int) -> bool:
    """Whether channels cannot be shuffled in fours: where some operator needs them in order."""
    for layer in layers:
        order, touched = operator_of(layer.op).order, (*layer.op.inputs, layer.output)
        if tensor not in touched or order is Order.ANY:
            continue
        if order is Order.PLAIN or any(graph.tensors[other].shape[-1] % 4 for other in touched):
            return True
    return False


def _readers(layers: Sequence[Layer], tensor: int) -> list[Op]:
    """Operators that read a tensor, also through reshapes."""
    found: list[Op] = []
    for layer in layers:
        if tensor in layer.op.inputs:
            found.append(layer.op)
            if isinstance(layer.op, Reshape):
                found += [op for op in _readers(layers, layer.op.output) if isinstance(op, FullyConnected)]
    return found


def _aliases(graph: Graph, layers: Sequence[Layer], layouts: dict[int, Layout]) -> dict[int, int]:
    """Reshapes that cost nothing: output tensor to the tensor whose buffer it shares."""
    aliases: dict[int, int] = {}
    for layer in layers:
        if not isinstance(layer.op, Reshape):
            continue
        source, target = layouts[layer.op.inputs[0]], layouts[layer.op.output]
        same = (source.element, source.shuffled) == (target.element, target.shuffled)
        if source.contiguous and target.contiguous and same:
            aliases[layer.op.output] = layer.op.inputs[0]
    return aliases


def _place(stages: Sequence[Stage], owners: Mapping[int, int]) -> tuple[list[Stage], int]:
    """Gives every arena buffer its offset, given which tensors lie in another one's."""
    lifetimes: dict[int, Lifetime] = {}
    for number, stage in enumerate(stages):
        for used in (*stage.reads, stage.writes):
            if used.place != "arena":
                continue
            key = _root(used.tensor, owners)
            first = lifetimes[key].first if key in lifetimes else number
            size = max(used.layout.size_bytes, lifetimes[key].size if key in lifetimes else 0)
            lifetimes[key] = Lifetime(size, first, number)
    offsets, total = plan(list(lifetimes.values()))
    where = dict(zip(lifetimes, offsets, strict=True))

    def placed(used: Buffer) -> Buffer:
        return replace(used, offset=where[_root(used.tensor, owners)]) if used.place == "arena" else used

    return [
        replace(stage, reads=tuple(placed(used) for used in stage.reads), writes=placed(stage.writes))
        for stage in stages
    ], total
