"""Plans a whole network: which operators become stages, how activations lie in memory, and the arena."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..ir.graph import Graph
from ..ir.ops import Concatenation, Conv2D, DepthwiseConv2D, FullyConnected, MaxPool2D, Op, Padding, Reshape
from ..targets import Target
from .flash import fit_flash
from .layout import Layout, image_shape
from .memory import Lifetime, plan
from .planning import plan_stage
from .problem import requantizations
from .stage import Buffer, Schedule, Stage

_KINDS = {
    "Conv2D": "conv2d",
    "DepthwiseConv2D": "depthwise_conv2d",
    "FullyConnected": "fully_connected",
    "Add": "add",
    "Concatenation": "concatenation",
    "MaxPool2D": "max_pool2d",
    "AveragePool2D": "average_pool2d",
    "Mean": "mean",
    "Pad": "pad",
    "Reshape": "copy",
    "Softmax": "softmax",
    "Lookup": "lookup",
}


@dataclass(frozen=True)
class _Layer:
    """An operator and the pool fused behind it."""

    op: Op
    pool: MaxPool2D | None

    @property
    def output(self) -> int:
        return self.pool.output if self.pool is not None else self.op.output


STACK_BYTES = 1024  # kept free for the stack, of which kernels take about 150 bytes
ACTIVATIONS = ("auto", "int16", "int8")


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
    wide = _plan(graph, target, "int16") if activations != "int8" else None
    if wide is not None and (activations == "int16" or _fits(wide, target)):
        return wide
    narrow = _plan(graph, target, "int8")
    return narrow if wide is None or narrow.arena_bytes < wide.arena_bytes else wide


def _fits(schedule: Schedule, target: Target) -> bool:
    """Whether the arena leaves the stack its share of the board's RAM."""
    return target.board is None or schedule.arena_bytes + STACK_BYTES <= target.board.ram_bytes


def _plan(graph: Graph, target: Target, element: str) -> Schedule:
    layers = _fuse_pools(graph)
    layouts = {tensor: _layout(graph, layers, tensor, element) for tensor in _activations(graph, layers)}
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
            Stage(_KINDS[type(layer.op).__name__], layer.op, layer.pool, reads, buffer(layer.output))
        )
    last = stages[-1] if stages else None
    if last is not None and last.writes.layout == caller_output.layout and last.writes.tensor == graph.output:
        stages[-1] = replace(last, writes=caller_output)
    else:
        stages.append(Stage("copy", None, None, (buffer(graph.output),), caller_output))
    placed, arena_bytes = _place(stages, aliases)
    planned = [replace(stage, plan=plan_stage(graph, stage, target)) for stage in placed]
    if target.board is not None:
        planned = fit_flash(graph, planned, target, target.board.flash_bytes)
    return Schedule(graph, tuple(planned), arena_bytes)


def _fuse_pools(graph: Graph) -> list[_Layer]:
    """Joins each 2 x 2 max pool of stride 2 with the convolution whose only reader it is."""
    fused: dict[int, MaxPool2D] = {}
    for op in graph.ops:
        if (
            not isinstance(op, MaxPool2D)
            or (op.kernel, op.stride) != ((2, 2), (2, 2))
            or op.padding != Padding()
        ):
            continue
        producer = graph.producer(op.inputs[0])
        if not isinstance(producer, Conv2D) or len(graph.consumers(producer.output)) != 1:
            continue
        if producer.output != graph.output and requantizations(graph, producer, op) is not None:
            fused[producer.output] = op
    pools = set(map(id, fused.values()))
    return [_Layer(op, fused.get(op.output)) for op in graph.ops if id(op) not in pools]


def _activations(graph: Graph, layers: Sequence[_Layer]) -> list[int]:
    return list(dict.fromkeys([graph.input, *(layer.output for layer in layers)]))


def _plain(graph: Graph, tensor: int) -> Layout:
    """The layout of the caller's arrays."""
    height, width, channels = image_shape(graph.tensors[tensor].shape)
    return Layout(height, width, channels, channels, Padding(), "int8")


def _layout(graph: Graph, layers: Sequence[_Layer], tensor: int, element: str) -> Layout:
    """Words that dual MACs can read where operands are read in pairs, a border where a reader pads."""
    plain = _plain(graph, tensor)
    readers = _readers(layers, tensor)
    paired = any(isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected) for op in readers)
    whole = any(isinstance(op, Conv2D | DepthwiseConv2D) for op in readers)
    shuffled = paired and element == "int8" and not _keeps_order(graph, layers, tensor)
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


def _keeps_order(graph: Graph, layers: Sequence[_Layer], tensor: int) -> bool:
    """Whether channels cannot be shuffled in fours: where some operator joins or reshapes them otherwise."""
    joins = [layer for layer in layers if isinstance(layer.op, Concatenation | Reshape)]
    touched = [(*layer.op.inputs, layer.output) for layer in joins]
    return any(graph.tensors[other].shape[-1] % 4 for group in touched if tensor in group for other in group)


def _readers(layers: Sequence[_Layer], tensor: int) -> list[Op]:
    """Operators that read a tensor, also through reshapes."""
    found: list[Op] = []
    for layer in layers:
        if tensor in layer.op.inputs:
            found.append(layer.op)
            if isinstance(layer.op, Reshape):
                found += [op for op in _readers(layers, layer.op.output) if isinstance(op, FullyConnected)]
    return found


def _aliases(graph: Graph, layers: Sequence[_Layer], layouts: dict[int, Layout]) -> dict[int, int]:
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


def _place(stages: Sequence[Stage], aliases: dict[int, int]) -> tuple[list[Stage], int]:
    """Gives every arena buffer its offset."""

    def root(tensor: int) -> int:
        while tensor in aliases:
            tensor = aliases[tensor]
        return tensor

    lifetimes: dict[int, Lifetime] = {}
    for number, stage in enumerate(stages):
        for used in (*stage.reads, stage.writes):
            if used.place != "arena":
                continue
            key = root(used.tensor)
            first = lifetimes[key].first if key in lifetimes else number
            size = max(used.layout.size_bytes, lifetimes[key].size if key in lifetimes else 0)
            lifetimes[key] = Lifetime(size, first, number)
    offsets, total = plan(list(lifetimes.values()))
    where = dict(zip(lifetimes, offsets, strict=True))

    def placed(used: Buffer) -> Buffer:
        return replace(used, offset=where[root(used.tensor)]) if used.place == "arena" else used

    return [
        replace(stage, reads=tuple(placed(used) for used in stage.reads), writes=placed(stage.writes))
        for stage in stages
    ], total
