"""Plans pooling and the spatial mean: a window at every output, four channels at a time.

Windows are cut at the input's edges. Outputs whose windows are cut in the same way form a region
with its own kernel, so no bound is checked at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from export.kernels.language.steps import NEAR, OPEN, WORD, Step, move, repeat, step
from export.kernels.layout import Layout
from export.kernels.plan import Call, Kernel, Plan, Pointer, joined
from export.kernels.requantize import Requantization

_SUMS, _READS = ("a0", "a1", "a2", "a3"), ("a4", "a5", "a6", "x0")
_LANES = len(_SUMS)
_MOST_OF_HALFWORDS = 255  # int8 values whose sum fits 16 bits
_UNROLLED = 16  # taps of a window that are unrolled; larger windows loop over their rows
_MOST_AVERAGED = 5000  # beyond, the reciprocal of the count is not exact
WINDOW_LABEL, GROUP_LABEL, COLUMN_LABEL, ROW_LABEL, REST_LABEL, LINE_LABEL, REST_LINE_LABEL = range(1, 8)


@dataclass(frozen=True)
class Axis:
    """Consecutive outputs along an axis, with windows cut in the same way; inputs start at `start`."""

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
        largest: Whether it is the maximum; the sum otherwise.
        start: Value the accumulators start from.
        prologue: Steps that load constants into w0 and w1, given the number of values.
        finish: Steps that turn accumulators into outputs, given their registers and spare ones.
        most: Values of a window for which that is exact.
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
        source: Layout of the input.
        target: Layout of the output.
        rows: Regions along y, see `axis_regions`.
        columns: Regions along x.
        reduction: What a window becomes.

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
    full = lanes == _LANES  # both may stand in one kernel, with labels of their own
    window = row.window * column.window
    by_words = full and _by_words(source, reduction, window)
    joined = _Words(source, reduction) if by_words else _Elements(source, reduction, lanes)
    put = "PUT8" if target.element == "int8" else "PUT16"
    steps = joined.begin()
    unrolled = _unrolled_axes(source, row, column)
    if unrolled == 2:
        places = [y * source.row + x * source.pixel for y in range(row.window) for x in range(column.window)]
        steps += joined.taps([place * size for place in places])
    else:
        back = 0
        if unrolled == 1:
            taps = joined.taps([x * source.pixel * size for x in range(column.window)])
        else:
            each = [*joined.taps([0]), *move("in", source.pixel * size)]
            taps = repeat("last", column.window, LINE_LABEL if full else REST_LINE_LABEL, each)
            back = column.window * source.pixel * size
        if row.window > 1:
            taps = [*taps, *move("in", source.row * size - back)]
            taps = repeat("half", row.window, WINDOW_LABEL if full else REST_LABEL, taps)
            back = row.window * source.row * size
        steps += taps + move("in", -back)
    steps += joined.end()
    steps += reduction.finish(joined.sums, joined.spare, window)
    return steps + [
        step(put, a, target.channel_offset(lane) * target.element_bytes) for lane, a in enumerate(joined.sums)
    ]


class _Elements:
    """Joins the values of up to four channels one by one, each in a register of its own.

    Attributes:
        sums: Registers of the results, a channel each.
        spare: As many others.
    """

    def __init__(self, source: Layout, reduction: Reduction, lanes: int) -> None:
        self._source, self._reduction = source, reduction
        self.sums, self.spare = _SUMS[:lanes], _READS[:lanes]

    def begin(self) -> list[Step]:
        return [step("SET32", a, self._reduction.start) for a in self.sums]

    def taps(self, offsets: Sequence[int]) -> list[Step]:
        """Joins the values at some bytes from the input pointer."""
        size = self._source.element_bytes
        get = "GET8" if self._source.element == "int8" else "GET16"
        join = "MAX" if self._reduction.largest else "PLUS"
        steps = []
        for at in offsets:
            steps += [
                step(get, r, "in", at + self._source.channel_offset(lane) * size)
                for lane, r in enumerate(self.spare)
            ]
            steps += [step(join, a, r) for a, r in zip(self.sums, self.spare, strict=True)]
        return steps

    def end(self) -> list[Step]:
        return []


def _by_words(source: Layout, reduction: Reduction, window: int) -> bool:
    """Whether four channels can be loaded by words, and be joined in halfwords or bytes."""
    aligned = not source.lines and source.pixel * source.element_bytes % WORD == 0
    return (
        aligned
        and source.element in ("int8", "int16")
        and (reduction.largest or window <= _MOST_OF_HALFWORDS)
    )


class _Words:
    """Joins the values of four channels by words; see `_Elements`."""

    def __init__(self, source: Layout, reduction: Reduction) -> None:
        self._source, self._reduction = source, reduction
        self._words = _LANES * source.element_bytes // WORD
        self._joined = 1 if reduction.largest and self._words == 1 else 2  # registers of what is joined
        self.sums, self.spare = _READS, _SUMS

    def begin(self) -> list[Step]:
        pattern = 0
        if self._reduction.largest:
            pattern = 0x80808080 if self._words == 1 else 0xFF80FF80
        return [step("SET32", a, pattern) for a in _SUMS[: self._joined]]

    def taps(self, offsets: Sequence[int]) -> list[Step]:
        """Joins the values at some bytes from the input pointer, several loads at a time."""
        steps = []
        group = len(_READS) // self._words
        for start in range(0, len(offsets), group):
            at = [o + WORD * word for o in offsets[start : start + group] for word in range(self._words)]
            reads = _READS[: len(at)]
            steps += [step("LDR", r, "in", offset) for r, offset in zip(reads, at, strict=True)]
            for number, r in enumerate(reads):
                steps += self._join(number % self._words, r)
        return steps

    def _join(self, word: int, read: str) -> list[Step]:
        if self._reduction.largest:
            return [step("LARGER8" if self._words == 1 else "LARGER16", _SUMS[word], read, _SUMS[-1])]
        if self._words == 1:
            return [step("ADD_EVEN", _SUMS[0], read), step("ADD_ODD", _SUMS[1], read)]
        return [step("SUM16", _SUMS[word], _SUMS[word], read)]

    def end(self) -> list[Step]:
        """Takes the channels apart."""
        steps: list[Step] = []
        halves = _SUMS[:2]
        if self._joined == 1:
            halves = _SUMS[1:3]
            steps = [
                step("WIDEN_EVEN", halves[0], _SUMS[0]),
                step("WIDEN_ODD", halves[1], _SUMS[0]),
            ]
        # Where each channel's half is: (register, whether it is the high one).
        places = [self._source.channel_offset(lane) for lane in range(_LANES)]
        found = [(p % 2, p // 2) if self._words == 1 else (p // 2, p % 2) for p in places]
        steps += [
            step("HIGH16" if high else "LOW16", a, halves[register])
            for a, (register, high) in zip(self.sums, found, strict=True)
        ]
        if self._reduction.start and not self._reduction.largest:
            steps.append(step("SET32", _SUMS[0], self._reduction.start))
            steps += [step("PLUS", a, _SUMS[0]) for a in self.sums]
        return steps
