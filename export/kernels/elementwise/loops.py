"""Kernels that visit elements in order: loops around a run of contiguous elements.

The pointers `in`, `wt` (a second operand) and `to` move through up to three nested dimensions. The innermost is a run
that is unrolled in groups of four elements, so that no load's result is used at once. Several short runs, such as the
three channels of a pixel, are unrolled together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from export.kernels.language.steps import NEAR, OPEN, Step, move, repeat
from export.kernels.layout import shuffled_channel

GROUP = 4
TURN = 32  # elements of a turn of the innermost loop
_SLOTS = ("rows", "outer", "count")
POINTERS = ("in", "wt", "to")


@dataclass(frozen=True)
class Dimension:
    """A loop: how often, and the bytes each of the pointers `in`, `wt`, `to` moves from one turn to the next."""

    count: int
    moves: tuple[int, int, int]


Emit = Callable[[Sequence[tuple[int, int, int]]], list[Step]]
"""Writes the steps of up to four elements, given their byte offsets from the three pointers."""


def write_loop_nest(
    dimensions: Sequence[Dimension],
    emit: Emit,
    prologue: Sequence[Step] = (),
    shuffled: tuple[bool, bool, bool] = (False, False, False),
) -> list[Step]:
    """Writes a kernel that visits every element.

    Args:
        dimensions: Outermost first; the last one's elements are handed to `emit` in groups.
        emit: Writes a group.
        prologue: Steps that run once, such as loading constants.
        shuffled: For each pointer, whether its channels are (see `Layout`).

    Returns:
        The steps between BEGIN and END.
    """
    merged = _merged(dimensions)
    if len(merged) > len(_SLOTS):
        raise ValueError(f"at most {len(_SLOTS)} dimensions can be nested, got {len(merged)}")
    *outer, run = merged
    repeats = _repeats(outer[-1], run) if outer else 1
    moved: tuple[int, ...]
    if repeats > 1:
        last = outer.pop()
        steps, moved = _unrolled(run, run.count, emit, shuffled, repeats, last), (0, 0, 0)
        further = tuple(repeats * distance for distance in last.moves)
        outer.append(Dimension(last.count // repeats, (further[0], further[1], further[2])))
    else:
        steps, moved = _run(run, emit, shuffled)
    label = 3
    for dimension, slot in reversed(list(zip(outer, _SLOTS, strict=False))):
        if dimension.count == 1:
            continue
        advance = [wanted - done for wanted, done in zip(dimension.moves, moved, strict=True)]
        for pointer, distance in zip(POINTERS, advance, strict=True):
            steps += move(pointer, distance)
        steps = repeat(slot, dimension.count, label, steps)
        moved = tuple(dimension.count * distance for distance in dimension.moves)
        label += 1
    return [*OPEN, *prologue, *steps]


def _run(run: Dimension, emit: Emit, shuffled: Sequence[bool]) -> tuple[list[Step], tuple[int, ...]]:
    """The innermost dimension: turns of a loop, and the remainder without one."""
    turn = TURN if run.count >= 2 * TURN else run.count
    turns = run.count // turn
    steps = _unrolled(run, turn, emit, shuffled)
    moved: tuple[int, ...] = (0, 0, 0)
    if turns > 1:
        for pointer, distance in zip(POINTERS, run.moves, strict=True):
            steps += move(pointer, turn * distance)
        steps = repeat("count", turns, 2, steps)
        moved = tuple(turns * turn * distance for distance in run.moves)
    rest = run.count - turns * turn
    return steps + _unrolled(run, rest, emit, shuffled), moved


def _repeats(outer: Dimension, run: Dimension) -> int:
    """How many short runs are unrolled together: the most that fit one iteration and the reach of immediate offsets."""
    reach = max(map(abs, outer.moves))
    return max(
        count
        for count in range(1, max(1, TURN // run.count) + 1)
        if outer.count % count == 0 and (count == 1 or count * reach <= NEAR)
    )


def _unrolled(
    run: Dimension,
    count: int,
    emit: Emit,
    shuffled: Sequence[bool],
    repeats: int = 1,
    outer: Dimension = Dimension(1, (0, 0, 0)),
) -> list[Step]:
    """Some elements of a run, in `repeats` runs one step of `outer` apart."""

    def at(element: int, pointer: int) -> int:
        repeat, index = divmod(element, count)
        # Runs over anything but channels advance by whole pixels, whose first channel is never swapped.
        if shuffled[pointer] and run.moves[pointer] == 1:
            index = shuffled_channel(index)
        return repeat * outer.moves[pointer] + index * run.moves[pointer]

    steps: list[Step] = []
    for start in range(0, repeats * count, GROUP):
        group = range(start, min(start + GROUP, repeats * count))
        steps += emit([(at(i, 0), at(i, 1), at(i, 2)) for i in group])
    return steps


def _merged(dimensions: Sequence[Dimension]) -> list[Dimension]:
    """Joins contiguous dimensions, and drops those of one turn."""
    result: list[Dimension] = []
    for dimension in dimensions:
        if result:
            last = result[-1]
            if last.moves == tuple(dimension.count * distance for distance in dimension.moves):
                result[-1] = Dimension(last.count * dimension.count, dimension.moves)
                continue
            if last.count == 1:
                result[-1] = dimension
                continue
        result.append(dimension)
    return result
