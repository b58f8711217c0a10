"""Plans of operators whose operands are visited in a nest of loops: moves, and arithmetic with broadcasting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from math import prod

from export.kernels.elementwise.addition import Addition
from export.kernels.elementwise.loops import TURN, Dimension, write_loop_nest
from export.kernels.elementwise.nest import Nest, stride
from export.kernels.elementwise.plan import OTHERS, VALUES, get, put, requantized, summed
from export.kernels.elementwise.tables import TABLE_MIDDLE, packed_words
from export.kernels.language.steps import NEAR, OPEN, Step, repeat, step
from export.kernels.layout import Layout
from export.kernels.plan import Call, Kernel, Plan, Pointer
from export.kernels.requantize import Requantization

_MOST_CALLS = 24  # of one kernel for one layer
_MOST_STREAMED = 1024  # turns whose starts are constants: 8 bytes each
_FROM, _TO, _LABEL = "last", "half", 9  # slots that keep the pointers of a streamed kernel, and its loop
_OUTER = 2  # loops around the innermost one
Lanes = Sequence[tuple[str, str]]
"""Up to four pairs of registers: an element of each operand."""


def plan_moves(loops: Nest, source: Layout, target: Layout, number: int = 0) -> Plan | None:
    """Copies the elements of input `number` that a nest visits to those of the output.

    Returns:
        The plan, or None where the loops are too many or too far apart for kernels.
    """

    def emit(offsets: Sequence[tuple[int, int, int]]) -> list[Step]:
        steps = [get(a, "in", source, o[0]) for a, o in zip(VALUES, offsets, strict=False)]
        return steps + [put(a, target, o[2]) for a, o in zip(VALUES, offsets, strict=False)]

    return _plan(loops, (source, target), (f"in{number}", "out"), emit)


def plan_sum(loops: Nest, layouts: tuple[Layout, Layout, Layout], numbers: Addition) -> Plan | None:
    """Adds two operands; `numbers` has the sign of a difference in its table.

    Args:
        loops: Over both operands and the output.
        layouts: Of them.
        numbers: What is computed.
    """

    def compute(lanes: Lanes) -> list[Step]:
        return [*(step("LOOK32", a) for a, _ in lanes), *summed(numbers, lanes)]

    prologue = [step("SET32", "w0", numbers.rate)]
    return _plan_arithmetic(loops, layouts, compute, prologue, 1 - numbers.linear, numbers.table)


def plan_product(
    loops: Nest,
    layouts: tuple[Layout, Layout, Layout],
    zero_points: tuple[int, int],
    finish: Requantization,
) -> Plan | None:
    """Multiplies two operands, each less its zero point.

    Args:
        loops: Over both operands and the output.
        layouts: Of them.
        zero_points: Of the operands.
        finish: Requantizes the product.
    """

    def compute(lanes: Lanes) -> list[Step]:
        steps: list[Step] = []
        for operand, zero_point in enumerate(zero_points):
            name = "MINUS" if zero_point > 0 else "ADD"
            steps += [step(name, lane[operand], abs(zero_point)) for lane in lanes if zero_point]
        steps += [step("PRODUCT", a, a, b) for a, b in lanes]
        steps += [step("LEFT", a, finish.scale_bits) for a, _ in lanes]
        return steps + requantized(finish, lanes)

    prologue = [step("SET32", "w0", finish.mult), step("SET32", "w1", finish.addend)]
    return _plan_arithmetic(loops, layouts, compute, prologue)


def plan_maximum(loops: Nest, layouts: tuple[Layout, Layout, Layout]) -> Plan | None:
    """The larger of two operands."""
    return _plan_arithmetic(loops, layouts, lambda lanes: [step("MAX", a, b) for a, b in lanes])


def _plan_arithmetic(
    loops: Nest,
    layouts: tuple[Layout, Layout, Layout],
    compute: Callable[[Lanes], list[Step]],
    prologue: Sequence[Step] = (),
    first: int = 0,
    table: Sequence[int] = (),
) -> Plan | None:
    """Operand `first` is read by the input pointer, the other one by the second; `compute` leaves a result in each
    lane's first register.
    """
    order = (first, 1 - first, 2)
    accesses = tuple(loops.accesses[operand] for operand in order)
    one, other, target = (layouts[operand] for operand in order)

    def emit(offsets: Sequence[tuple[int, int, int]]) -> list[Step]:
        lanes = list(zip(VALUES, OTHERS, strict=True))[: len(offsets)]
        steps = [get(a, "in", one, o[0]) for (a, _), o in zip(lanes, offsets, strict=True)]
        steps += [get(b, "wt", other, o[1]) for (_, b), o in zip(lanes, offsets, strict=True)]
        return (
            steps + compute(lanes) + [put(a, target, o[2]) for (a, _), o in zip(lanes, offsets, strict=True)]
        )

    bases = (f"in{order[0]}", f"in{order[1]}", "out")
    return _plan(Nest(loops.extents, accesses), (one, other, target), bases, emit, prologue, table)


def _plan(
    loops: Nest,
    layouts: Sequence[Layout],
    bases: Sequence[str],
    emit: Callable[[Sequence[tuple[int, int, int]]], list[Step]],
    prologue: Sequence[Step] = (),
    table: Sequence[int] = (),
) -> Plan | None:
    """One kernel around three loops, called for each turn of those that are left.

    Args:
        loops: Over one or two operands and the output.
        layouts: Of them.
        bases: What their pointers point into.
        emit: Writes up to four elements.
        prologue: Steps that run once a call.
        table: 256 words that the kernel looks up.
    """
    sizes = [layout.element_bytes for layout in layouts]
    distances = {}
    for axis in range(len(loops.extents)):
        steps = [stride(access.offsets[axis]) for access in loops.accesses]
        if None not in steps:
            moves = [(one or 0) * size for one, size in zip(steps, sizes, strict=True)]
            distances[axis] = (moves[0], moves[1] if len(moves) > 2 else 0, moves[-1])
    near = [axis for axis in distances if _is_near(loops.extents[axis], distances[axis])]
    inner = max(near, key=lambda axis: (min(loops.extents[axis], TURN), -sum(distances[axis])), default=-1)
    others = sorted((axis for axis in distances if axis != inner), key=lambda axis: -loops.extents[axis])
    outer = others[:_OUTER]
    called = [axis for axis in range(len(loops.extents)) if axis not in (inner, *outer)]
    turns = prod(loops.extents[axis] for axis in called)
    streamed = turns > _MOST_CALLS and len(bases) == 2 and bool(near)
    if turns > (_MOST_STREAMED if streamed else _MOST_CALLS):
        return None
    dimensions = [Dimension(loops.extents[axis], distances[axis]) for axis in sorted(outer)]
    dimensions.append(Dimension(loops.extents[inner], distances[inner]) if near else Dimension(1, (0, 0, 0)))
    written = write_loop_nest(dimensions, emit, prologue)
    if streamed:
        return _streamed(_starts(loops, called), turns, sizes, bases, written)
    kernel = Kernel(tuple(written))
    looked_up = Pointer("constants", 4 * TABLE_MIDDLE) if table else None
    calls = []
    for starts in _starts(loops, called):
        pointers = [Pointer(base, at * size) for base, at, size in zip(bases, starts, sizes, strict=True)]
        stream = pointers[1] if len(pointers) > 2 else None
        calls.append(Call(0, pointers[0], pointers[-1], stream, looked_up))
    return Plan("direct", (kernel,), tuple(calls), packed_words(table, 32))


def _starts(loops: Nest, called: Sequence[int]) -> Iterator[list[int]]:
    """For each turn of some loops, the element of each operand that the other loops start from."""
    for turns in product(*(range(loops.extents[axis]) for axis in called)):
        yield [
            access.start
            + sum(int(access.offsets[axis][turn]) for axis, turn in zip(called, turns, strict=True))
            for access in loops.accesses
        ]


def _streamed(
    starts: Iterable[Sequence[int]],
    turns: int,
    sizes: Sequence[int],
    bases: Sequence[str],
    nest: Sequence[Step],
) -> Plan:
    """One call for all turns: a loop around the steps of a nest, which reads where each turn starts.

    Args:
        starts: Of each turn, elements of input and output.
        turns: How many there are.
        sizes: Bytes of the elements.
        bases: What the pointers point into.
        nest: The steps for one turn.
    """
    places = [start * size for pair in starts for start, size in zip(pair, sizes, strict=True)]
    turn = [step("LOAD2", "w0", "w1"), step("FETCH", "in", _FROM), step("FETCH", "to", _TO)]
    turn += [step("ADVANCE", "in", "in", "w0"), step("ADVANCE", "to", "to", "w1"), *nest[len(OPEN) :]]
    steps = [
        *OPEN,
        step("SAVE", "in", _FROM),
        step("SAVE", "to", _TO),
        *repeat("stream", turns, _LABEL, turn),
    ]
    call = Call(0, Pointer(bases[0], 0), Pointer(bases[1], 0), Pointer("constants", 0))
    return Plan("direct", (Kernel(tuple(steps)),), (call,), packed_words(places, 32))


def _is_near(count: int, moves: tuple[int, int, int]) -> bool:
    """Whether the elements of a loop that are unrolled together lie within reach of their pointers."""
    together = TURN if count >= 2 * TURN else count
    return min(moves) >= 0 and together * max(moves) <= NEAR
