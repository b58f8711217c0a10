"""The schedule of a network: its stages in execution order, and the buffers they read and write."""

from __future__ import annotations

from dataclasses import dataclass

from export.costing.candidate import Candidate
from export.ir.graph import Graph
from export.ir.layer_names import layer_name
from export.ir.ops import Add, MaxPool2D, Op
from export.ir.rewrite import constants_of
from export.kernels.layout import Layout
from export.kernels.plan import Plan


@dataclass(frozen=True)
class Buffer:
    """Where an activation lies.

    Attributes:
        tensor: The tensor's index in the graph.
        layout: Its layout.
        place: "arena", "input" or "output" (one of the caller's arrays), "state" (what is kept between inferences) or
            "constant".
        offset: Bytes from the start of the place.
        number: Which input, output, state or constant.
    """

    tensor: int
    layout: Layout
    place: str
    offset: int = 0
    number: int = 0


@dataclass(frozen=True)
class Stage:
    """One layer of the generated program.

    Attributes:
        kind: The operator's kind in lower case, such as "conv2d"; "copy" where only the layout changes.
        op: The operator; None for a copy between the caller's arrays and the arena.
        pool: A max pool computed by the same kernels, or None.
        reads: Buffers of the operator's inputs.
        writes: Buffer of its output, or of the fused operator's.
        candidate: What its kernels take; None means plain C loops.
        plan: The kernels; None where there are none, or where a network is only priced.
        add: An Add computed by the same kernels, or None; its other input lies where the sum is written.
        scratch_offset: Where in the arena the memory lies that its kernels work in.
        copied: Which of the candidate's kernels run as copies from RAM.
    """

    kind: str
    op: Op | None
    pool: MaxPool2D | None
    reads: tuple[Buffer, ...]
    writes: Buffer
    candidate: Candidate | None = None
    plan: Plan | None = None
    add: Add | None = None
    copied: frozenset[int] = frozenset()
    scratch_offset: int = 0

    @property
    def scratch_bytes(self) -> int:
        """Memory that its kernels work in."""
        return self.candidate.scratch_bytes if self.candidate is not None else 0


def stage_name(graph: Graph, stage: Stage) -> str:
    """The name of a stage's layer: of its output, or of its constants where the converter renamed the output."""
    if stage.op is None:
        return layer_name(graph.tensors[stage.writes.tensor].name)
    constants = [graph.tensors[tensor].name for tensor in constants_of(stage.op)]
    names = [graph.tensors[stage.op.output].name, *(name for name in constants if "/" in name)]
    return next((found for found in map(layer_name, names) if found), "")


@dataclass(frozen=True)
class Schedule:
    """A network ready to be written as C.

    Attributes:
        graph: The network.
        stages: In execution order.
        arena_bytes: Size of the arena.
        state_bytes: Size of what is kept between inferences.
    """

    graph: Graph
    stages: tuple[Stage, ...]
    arena_bytes: int
    state_bytes: int = 0

    @property
    def data_bytes(self) -> int:
        """Static RAM: the arena, and what is kept between inferences."""
        return self.arena_bytes + self.state_bytes
