"""Operators that only move values: each output element is one input element, whose position is known at compile time.

TRANSPOSE, slices, SPLIT, UNPACK, TILE, GATHER, MIRROR_PAD, RESIZE_NEAREST_NEIGHBOR and their like are read as one
record, `Move`, which holds for each dimension of the output how far its elements lie apart in the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.csource.nest import Operand, WrittenNest, write_nest
from export.csource.source import Context, ctype, fill_border, function, pointer
from export.csource.work import Work, nest_work
from export.ir.graph import Graph
from export.ir.ops import Op
from export.kernels.elementwise.nest import Nest, nest, separated, summed
from export.kernels.elementwise.nested_plan import plan_moves
from export.kernels.layout import Layout
from export.kernels.plan import Plan
from export.operators.operator import Mask, Operator, Range
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering


@dataclass(frozen=True)
class Move(Op):
    """Output element (i, j, ...) is input element start + offsets[0][i] + offsets[1][j] + ..., both row-major."""

    start: int
    offsets: tuple[tuple[int, ...], ...]

    @property
    def indices(self) -> NDArray[np.int64]:
        """Int [extents]: which element of the input each one of the output is."""
        return summed(self.start, self.offsets)


def moved(state: Lowering, op: RawOperator, source: int, indices: NDArray[np.int64], number: int = 0) -> Move:
    """Makes output `number` of an operator from elements of an operand.

    Args:
        state: The lowering.
        op: The stored operator.
        source: IR index of the operand.
        indices: int [output shape as stored], row-major indices of the input's elements.
        number: Which output is written.
    """
    output = state.define(op, indices.shape, number)
    state.same_quantization(op, source, output)
    return move(source, output, indices)


def move(source: int, output: int, indices: NDArray[np.int64]) -> Move:
    """The record that writes `output` from elements of `source`."""
    access = separated(indices)
    if access is None:
        access = separated(indices.reshape(-1))
        assert access is not None
    return Move((source,), output, access.start, tuple(tuple(offsets.tolist()) for offsets in access.offsets))


def elements(state: Lowering, source: int) -> NDArray[np.int64]:
    """The row-major index of each element of an operand, in its stored shape."""
    return np.arange(state.tensors[source].size).reshape(state.shape(source))


def _compute(graph: Graph, op: Move, x: NDArray[np.int8]) -> NDArray[np.int8]:
    shape = graph.tensors[op.output].shape[1:]
    return x.reshape(len(x), -1)[:, op.indices.ravel()].reshape(len(x), *shape)


def _ranges(graph: Graph, op: Move, sources: Sequence[Range]) -> Range:
    return _compute(graph, op, sources[0])


def _reads(graph: Graph, op: Move, read: Mask) -> list[Mask]:
    shape = graph.tensors[op.inputs[0]].shape[1:]
    found = np.zeros(int(np.prod(shape)), np.bool_)
    found[op.indices.ravel()[read.ravel()]] = True
    return [found.reshape(shape)]


def _identity(graph: Graph, op: Move) -> bool:
    return bool((op.indices.ravel() == np.arange(graph.tensors[op.output].size)).all())


def move_nest(context: Context, indices: NDArray[np.int64]) -> Nest:
    """The loops over the output's elements, in its order, and the input's elements `indices`."""
    everything = np.arange(indices.size).reshape(indices.shape)
    return nest((context.source, context.target), (indices, everything))


def _plan(graph: Graph, op: Move, sources: Sequence[Layout], target: Layout) -> Plan | None:
    everything = np.arange(op.indices.size).reshape(op.indices.shape)
    return plan_moves(nest((sources[0], target), (op.indices, everything)), sources[0], target)


def _work(context: Context) -> Work:
    assert isinstance(context.op, Move)
    return move_work(context, context.op.indices)


def _emit(context: Context) -> str:
    op, target = context.op, context.target
    assert isinstance(op, Move)
    body = fill_border(target, context.zero_point(op.output))
    return emit_move(context, op.indices, body)


def emit_move(context: Context, indices: NDArray[np.int64], before: str) -> str:
    """The layer that copies an input's elements to the output, in its order, behind some statements."""
    body = (
        before
        + pointer("const " + ctype(context.source), "x0", "in0")
        + pointer(ctype(context.target), "y0", "out")
    )
    moves = write_moves(context, move_nest(context, indices))
    return moves.tables + function(context, body + moves.text)


def write_moves(context: Context, loops: Nest, number: int = 0) -> WrittenNest:
    """Loops that copy elements of an input to the output, between the pointers to both."""
    source, target = ctype(context.sources[number]), ctype(context.target)
    operands = (
        Operand(f"const {source}", f"from{number}_", f"x{number}"),
        Operand(target, f"to{number}_", "y0"),
    )

    def copied(places: Sequence[str]) -> str:
        return f"{places[1]} = ({target}){places[0]};\n"

    return write_nest(loops, f"{context.symbol}_{number}", operands, copied)


def move_work(context: Context, indices: NDArray[np.int64]) -> Work:
    """Counts of `emit_move`."""
    return nest_work(move_nest(context, indices), "move", (context.source, context.target))


MOVE = Operator(
    op=Move,
    kind="move",
    compute=_compute,
    emit=_emit,
    work=_work,
    plan=_plan,
    ranges=_ranges,
    reads=_reads,
    identity=_identity,
)
