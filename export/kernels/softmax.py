"""Plans SOFTMAX: for each position the largest channel, the sum of exponentials, its reciprocal, and the shares.

`ir.softmax` says what is computed. Every doubling high multiply is one SMMULR or SMMLAR here: where neither factor can
be doubled without leaving 32 bits, one of them less 2^31 can be, and the other factor is added to the product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from export.ir.softmax import ACCUMULATION_BITS
from export.kernels.elementwise.loops import GROUP, TURN
from export.kernels.language.steps import OPEN, Step, move, repeat, step
from export.kernels.layout import Layout
from export.kernels.plan import Call, Kernel, Plan, Pointer

_VALUES = ("a0", "a1", "a2", "a3")
_MOST, _TOTAL, _SHIFT = "a4", "a5", "a6"
_LARGEST, _SUM, _SHARES, _COLUMNS, _ROWS = range(1, 6)  # labels


def plan_softmax(source: Layout, target: Layout, table: Sequence[int]) -> Plan:
    """Plans one kernel.

    Args:
        source: Layout of the input.
        target: Layout of the output.
        table: Of `ir.softmax.exp_table`.
    """
    steps = _position(source, target)
    moved = [source.channels * source.element_bytes, target.channels * target.element_bytes]
    for count, ends, slot, label in (
        (source.width, (source.pixel, target.pixel), "outer", _COLUMNS),
        (source.height, (source.row, target.row), "rows", _ROWS),
    ):
        if count > 1:
            for pointer, layout, end, done in zip(("in", "to"), (source, target), ends, moved, strict=True):
                steps += move(pointer, end * layout.element_bytes - done)
            steps = repeat(slot, count, label, steps)
            moved = [
                count * end * layout.element_bytes for layout, end in zip((source, target), ends, strict=True)
            ]
    start, to = (layout.offset(0, 0) * layout.element_bytes for layout in (source, target))
    call = Call(0, Pointer("in0", start), Pointer("out", to), table=Pointer("constants", 0))
    return Plan("direct", (Kernel((*OPEN, *steps)),), (call,), tuple(value & 0xFFFFFFFF for value in table))


def _position(source: Layout, target: Layout) -> list[Step]:
    """The softmax of one position; leaves both pointers behind its last channel."""
    back = move("in", -source.channels * source.element_bytes)

    def largest(values: Sequence[str], to: Sequence[int]) -> list[Step]:
        return [step("MAX", _MOST, a) for a in values]

    def exponentials(values: Sequence[str]) -> list[Step]:
        return [step("FROM", a, _MOST) for a in values] + [step("LOOK32", a) for a in values]

    def tally(values: Sequence[str], to: Sequence[int]) -> list[Step]:
        return exponentials(values) + [step("TALLY", _TOTAL, a) for a in values]

    def shares(values: Sequence[str], to: Sequence[int]) -> list[Step]:
        steps = exponentials(values) + [step("SCALE_BY", a, a) for a in values]
        steps += [step("PLUS", a, "w1") for a in values]
        steps += [step("RIGHT", a, _SHIFT) for a in values]
        steps += [step("MINUS", a, 128) for a in values]
        steps += [step("SATURATE0", a) for a in values]
        put = "PUT8" if target.element == "int8" else "PUT16"
        return steps + [step(put, a, at) for a, at in zip(values, to, strict=True)]

    steps = [step("SET32", _MOST, -128), *_pass(source, None, largest, _LARGEST), *back]
    steps += [step("SET32", _TOTAL, 0), step("SET32", "w0", 1 << 32 - ACCUMULATION_BITS)]
    steps += [*_pass(source, None, tally, _SUM), *back, *_reciprocal(_TOTAL, _SHIFT, "a0", "a1")]
    return steps + _pass(source, target, shares, _SHARES)


def _reciprocal(total: str, shift: str, x: str, spare: str) -> list[Step]:
    """Computes of a total in Q12.19: w0 = 2 (1 / total - 1) in Q0.31, the shift of a share, and in w1 half of 2^shift.

    Three steps of Newton's method from a linear guess, as gemmlowp's `one_over_one_plus_x_for_x_in_0_1`.
    """
    refined = [step("REFINE", total, x, spare)] * 3
    guess = [step("NORMALIZE", total, shift, x), step("GUESS", x, spare)]
    return [*guess, *refined, step("SHARES", shift, x)]


def _pass(
    source: Layout,
    target: Layout | None,
    visit: Callable[[Sequence[str], Sequence[int]], list[Step]],
    label: int,
) -> list[Step]:
    """Visits all channels in groups of four, given their registers and where their outputs go."""
    turn = TURN if source.channels >= 2 * TURN else source.channels
    turns = source.channels // turn
    get = "GET8" if source.element == "int8" else "GET16"

    def unrolled(count: int) -> list[Step]:
        steps: list[Step] = []
        for start in range(0, count, GROUP):
            lanes = range(start, min(start + GROUP, count))
            values = _VALUES[: len(lanes)]
            reads = [source.channel_offset(lane) * source.element_bytes for lane in lanes]
            steps += [step(get, a, "in", at) for a, at in zip(values, reads, strict=True)]
            steps += visit(
                values,
                [target.channel_offset(lane) * target.element_bytes if target else 0 for lane in lanes],
            )
        steps += move("in", count * source.element_bytes)
        return steps + (move("to", count * target.element_bytes) if target else [])

    steps = unrolled(turn)
    if turns > 1:
        steps = repeat("count", turns, label, steps)
    rest = source.channels - turns * turn
    return steps + unrolled(rest) if rest else steps
