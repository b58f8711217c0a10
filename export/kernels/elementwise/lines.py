"""Kernels that compute a line a * x + b for each channel, channel by channel, with its constants in registers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from export.kernels.elementwise.loops import GROUP, TURN
from export.kernels.elementwise.plan import VALUES, get, put
from export.kernels.language.steps import NEAR, OPEN, Step, load, move, repeat, step
from export.kernels.layout import Layout
from export.kernels.plan import Call, Kernel, Plan, Pointer, Repeat
from export.kernels.requantize import bounds_beside_saturation

_REGISTERS = ("w0", "w1", "x1", "a6", "a4", "a5")
"""Of the constants, in the order in which they are loaded: at most four for one line, and two more for the other."""
_SPARE = "x0"


@dataclass(frozen=True)
class Rounding:
    """A rounding between sum and shift: high word of sum * mult, to the nearest, + addend - (sum < 0 and signed)."""

    mult: int
    addend: int
    signed: bool


@dataclass(frozen=True)
class ChannelLine:
    """Lines of int8 values q: clamp((q * slope + offset) >> shift), products and sums within 32 bits.

    Attributes:
        slopes: Of each channel.
        offsets: Likewise.
        shift: Of all channels.
        clamp: Bounds of the outputs.
        rounding: What happens to sums before the shift, of all channels; nothing if None.
    """

    slopes: tuple[int, ...]
    offsets: tuple[int, ...]
    shift: int
    clamp: tuple[int, int]
    rounding: Rounding | None = None

    def constants(self, channel: int) -> tuple[int, ...]:
        """What registers hold for a channel."""
        own = (self.slopes[channel], self.offsets[channel])
        return own if self.rounding is None else (*own, self.rounding.mult, self.rounding.addend)


def fit_registers(lines: Sequence[ChannelLine]) -> bool:
    """Whether the constants of a channel do."""
    return _constants(lines) <= len(_REGISTERS)


def _constants(lines: Sequence[ChannelLine]) -> int:
    return sum(len(line.constants(0)) for line in lines)


def plan_lines(source: Layout, target: Layout, lines: Sequence[ChannelLine]) -> Plan | None:
    """Takes every channel through its lines; None for layouts with shuffled channels, or channels in planes.

    Four cycles an element for one line, six for two, one or two more with a rounding, and some 40 a channel. What
    constants do not fit into registers are another operator's.

    Args:
        source: Layout of the input.
        target: Of the output.
        lines: Those whose constants fit registers.
    """
    if source.shuffled or target.shuffled or source.lines or target.lines:
        return None
    count = _constants(lines)
    loaded = [load(_REGISTERS[:4]), load(_REGISTERS[4:])] if count > 4 else [load(_REGISTERS[:count])]
    moves = (source.pixel * source.element_bytes, target.pixel * target.element_bytes)
    rows = (source.row * source.element_bytes, target.row * target.element_bytes)
    height, width = source.height, source.width
    if all(row == width * pixel for row, pixel in zip(rows, moves, strict=True)):
        height, width = 1, height * width
    body = _row(width, moves, source, target, lines)
    for pointer, row, pixel in zip(("in", "to"), rows, moves, strict=True):
        if height > 1:
            body += move(pointer, row - width * pixel)
    steps = [*OPEN, *loaded, *(repeat("rows", height, 3, body) if height > 1 else body)]
    constants = [
        value & 0xFFFFFFFF
        for channel in range(source.channels)
        for line in lines
        for value in line.constants(channel)
    ]
    call = Call(
        0,
        Pointer("in0", source.offset(0, 0) * source.element_bytes, source.element_bytes),
        Pointer("out", target.offset(0, 0) * target.element_bytes, target.element_bytes),
        Pointer("constants", 0, 4 * count),
    )
    return Plan("direct", (Kernel(tuple(steps)),), (Repeat(source.channels, (call,)),), tuple(constants))


def _row(
    width: int, moves: tuple[int, int], source: Layout, target: Layout, lines: Sequence[ChannelLine]
) -> list[Step]:
    """The elements of one row; the pointers end behind it."""
    turn = max(1, min(TURN, width, NEAR // max(moves)))
    turns, rest = divmod(width, turn)

    def unrolled(count: int) -> list[Step]:
        steps: list[Step] = []
        for first in range(0, count, GROUP):
            lanes = list(zip(VALUES, range(first, min(first + GROUP, count)), strict=False))
            steps += [get(a, "in", source, at * moves[0]) for a, at in lanes]
            first_constant = 0
            for line in lines:
                steps += _line(line, first_constant, len(lanes))
                first_constant += len(line.constants(0))
            steps += [put(a, target, at * moves[1]) for a, at in lanes]
        for pointer, distance in zip(("in", "to"), moves, strict=True):
            steps += move(pointer, count * distance)
        return steps

    steps = repeat("count", turns, 2, unrolled(turn)) if turns > 1 else unrolled(turn)
    return steps + (unrolled(rest) if rest else [])


def _line(line: ChannelLine, first: int, count: int) -> list[Step]:
    """One line, whose constants begin at a register."""
    values, constants = VALUES[:count], _REGISTERS[first:]
    low, high = bounds_beside_saturation(line.clamp)
    steps = [step("PRODUCT_PLUS", a, a, constants[0], constants[1]) for a in values]
    if line.rounding is not None:
        mult, addend = constants[2:4]
        for a in values:
            if line.rounding.signed:
                steps.append(step("SUM_RIGHT", _SPARE, addend, a, 31))
            steps.append(step("HIGH_ROUNDED", a, a, mult, _SPARE if line.rounding.signed else addend))
    steps += [step("SATURATE", a, line.shift) if line.shift else step("SATURATE0", a) for a in values]
    if low is not None:
        steps += [step("AT_LEAST", a, low) for a in values]
    if high is not None:
        steps += [step("AT_MOST", a, high) for a in values]
    return steps
