"""Plans pooling and the spatial mean: a window at every output, four channels at a time.

Windows are cut at the input's edges. Outputs whose windows are cut alike form a region with a kernel of its own, so no
bound is checked while running.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from export.kernels.language.steps import NEAR, OPEN, Step, move, repeat, step
from export.kernels.layout import Layout
from export.kernels.plan import Call, Kernel, Plan, Pointer, joined
from export.kernels.requantize import Requantization

_SUMS, _READS = ("a0", "a1", "a2", "a3"), ("a4", "a5", "a6", "x0")
_LANES = len(_SUMS)
_UNROLLED = 16  # taps of a window that are unrolled; larger windows loop over their rows
_MOST_AVERAGED = 5000  # beyond, the reciprocal of the count is not exact
WINDOW_LABEL, GROUP_LABEL, COLUMN_LABEL, ROW_LABEL, REST_LABEL, LINE_LABEL, REST_LINE_LABEL = range(1, 8)


@dataclass(frozen=True)
class Axis:
    """Consecutive outputs along an axis whose windows are cut alike; inputs start at `start`, step by `stride`."""

    first: int
    count: int
    start: int
    stride: int
    window: int


def axis_regions(outputs: int, size: int, kernel: int, stride: int, padding: int) -> list[Axis]:
    """Splits the outputs along an axis by how their windows are cut."""
    regions: list[Axis] = []
    for output in range(outputs):
        begin = output * stride - padding
        start, window = max(begin, 0), min(begin + kernel, size) - max(begin, 0)
        last = regions[-1] if regions else None
        if last and last.window == window and start == last.start + last.count * stride:
            regions[-1] = Axis(last.first, last.count + 1, last.start, stride, window)
        else:
            regions.append(Axis(output, 1, start, stride, window))
    return regions


@dataclass(frozen=True)
class Reduction:
    """What a window's values become.

    Attributes:
        largest: whether it is the maximum; the sum otherwise.
        start: value the accumulators start from.
        prologue: steps that load constants into w0 and w1, given the number of values.
        finish: steps that turn accumulators into outputs, given their registers and spare ones.
        most: values of a window for which that is exact.
    """

    largest: bool
    start: int
    prologue: Callable[[int], list[Step]]
    finish: Callable[[Sequence[str], Sequence[str], int], list[Step]]
    most: int = 1 << 23


def max_reduction(clamp: tuple[int, int]) -> Reduction:
    """The maximum, clamped."""
    return Reduction(True, -128, lambda count: [], lambda sums, spare, count: _clamped(sums, clamp))


def average_reduction(clamp: tuple[int, int]) -> Reduction:
    """The rounded average, clamped. Multiplies by the count's reciprocal: exact for sums of int8 values."""

    def prologue(count: int) -> list[Step]:
        return (
            [step("SET32", "w0", -(-(1 << 31) // count)), step("SET32", "w1", count // 2 * 2)]
            if count > 1
            else []
        )

    def finish(sums: Sequence[str], spare: Sequence[str], count: int) -> list[Step]:
        divided = [step("DIVIDE", a, t) for a, t in zip(sums, spare, strict=False)] if count > 1 else []
        return divided + _clamped(sums, clamp)

    return Reduction(False, 0, prologue, finish, _MOST_AVERAGED)


def mean_reduction(start: int, entry: Requantization) -> Reduction:
    """The requantized sum; the division is part of the multiplier."""

    def finish(sums: Sequence[str], spare: Sequence[str], count: int) -> list[Step]:
        steps = [step("LEFT", a, entry.scale_bits) for a in sums]
        if entry.mode == "signed":
            steps += [step("SIGN", t, a) for a, t in zip(sums, spare, strict=False)]
            steps += [step("SCALE_BY", a, t) for a, t in zip(sums, spare, strict=False)]
        else:
            steps += [step("SCALE", a) for a in sums]
        return steps + [
            step("SATURATE", a, entry.shift) if entry.shift else step("SATURATE0", a) for a in sums
        ]

    constants = [step("SET32", "w0", entry.mult), step("SET32", "w1", entry.addend)]
    return Reduction(False, start, lambda count: constants, finish)


def _clamped(registers: Sequence[str], clamp: tuple[int, int]) -> list[Step]:
    steps = [step("AT_LEAST", a, clamp[0]) for a in registers] if clamp[0] > -128 else []
    return steps + ([step("AT_MOST", a, clamp[1]) for a in registers] if clamp[1] < 127 else [])


def plan_pool(
    source: Layout, target: Layout, rows: Sequence[Axis], columns: Sequence[Axis], reduction: Reduction
) -> Plan | None:
    """Plans one kernel a region.

    Args:
        source: layout of the input.
        target: layout of the output.
        rows: regions along y, see `axis_regions`.
        columns: regions along x.
        reduction: what a window becomes.

    Returns:
        The plan, or None where a window is too large for the kernels' division.
    """
    plans = []
    for row in rows:
        for column in columns:
            if row.window * column.window > reduction.most:
                return None
            steps = _region(source, target, row, column, reduction)
            start = source.offset(row.start, column.start) * source.element_bytes
            to = target.offset(row.first, column.first) * target.element_bytes
            call = Call(0, Pointer("in0", start), Pointer("out", to))
            plans.append(Plan("direct", (Kernel(tuple(steps)),), (call,), ()))
    return joined(plans, "direct")


def _unrolled_axes(source: Layout, row: Axis, column: Axis) -> int:
    """How many dimensions of a window are unrolled, as far as loads reach: both, its columns, or none."""
    size = source.element_bytes
    reach = (_LANES + column.window * source.pixel) * size
    if column.window > _UNROLLED or reach > NEAR:
        return 0
    whole = reach + row.window * source.row * size
    return 2 if row.window * column.window <= _UNROLLED and whole <= NEAR else 1


def _region(source: Layout, target: Layout, row: Axis, column: Axis, reduction: Reduction) -> list[Step]:
    """Loops over rows, columns and groups of channels around a window."""
    size, out_size = source.element_bytes, target.element_bytes
    groups, rest = divmod(source.channels, _LANES)
    steps: list[Step] = []
    moved = to_moved = 0
    if groups:
        steps = _window(source, target, row, column, reduction, _LANES)
        if groups > 1:
            steps = [*steps, *move("in", _LANES * size), *move("to", _LANES * out_size)]
            steps = repeat("count", groups, GROUP_LABEL, steps)
            moved, to_moved = groups * _LANES * size, groups * _LANES * out_size
    if rest:
        if groups == 1:
            steps += [*move("in", _LANES * size), *move("to", _LANES * out_size)]
            moved, to_moved = _LANES * size, _LANES * out_size
        steps += _window(source, target, row, column, reduction, rest)
    for axis, distance, out_distance, slot, label in (
        (column, source.pixel * size, target.pixel * out_size, "outer", COLUMN_LABEL),
        (row, source.row * size, target.row * out_size, "rows", ROW_LABEL),
    ):
        if axis.count > 1:
            steps += move("in", axis.stride * distance - moved) + move("to", out_distance - to_moved)
            steps = repeat(slot, axis.count, label, steps)
            moved, to_moved = axis.count * axis.stride * distance, axis.count * out_distance
    return [*OPEN, *reduction.prologue(row.window * column.window), *steps]


def _window(
    source: Layout, target: Layout, row: Axis, column: Axis, reduction: Reduction, lanes: int
) -> list[Step]:
    """Reduces a window of some channels and stores the results; pointers are back where they were."""
    size = source.element_bytes
    sums, reads = _SUMS[:lanes], _READS[:lanes]
    get = "GET8" if source.element == "int8" else "GET16"
    put = "PUT8" if target.element == "int8" else "PUT16"

    def tap(y: int, x: int) -> list[Step]:
        at = (y * source.row + x * source.pixel) * size
        loaded = [step(get, r, "in", at + source.channel_offset(lane) * size) for lane, r in enumerate(reads)]
        joins = "MAX" if reduction.largest else "PLUS"
        return loaded + [step(joins, a, r) for a, r in zip(sums, reads, strict=True)]

    steps = [step("SET32", a, reduction.start) for a in sums]
    full = lanes == _LANES  # both may stand in one kernel, with labels of their own
    unrolled = _unrolled_axes(source, row, column)
    if unrolled == 2:
        for y in range(row.window):
            for x in range(column.window):
                steps += tap(y, x)
    else:
        back = 0
        if unrolled == 1:
            taps = [item for x in range(column.window) for item in tap(0, x)]
        else:
            each = [*tap(0, 0), *move("in", source.pixel * size)]
            taps = repeat("last", column.window, LINE_LABEL if full else REST_LINE_LABEL, each)
            back = column.window * source.pixel * size
        if row.window > 1:
            taps = [*taps, *move("in", source.row * size - back)]
            taps = repeat("half", row.window, WINDOW_LABEL if full else REST_LABEL, taps)
            back = row.window * source.row * size
        steps += taps + move("in", -back)
    steps += reduction.finish(sums, reads, row.window * column.window)
    return steps + [
        step(put, a, target.channel_offset(lane) * target.element_bytes) for lane, a in enumerate(sums)
    ]
