"""A whole kernel: loops over rows and blocks of positions around a body, bias before it, requantization after it.

One kernel computes a block of up to four output channels (up to eight where a row has a single position) at every
position. Rows with an odd number of positions end with a block that overlaps the one before it. With a fused 2 x 2
max pool, the block's two positions are two columns of a window, and the body runs once for each of its two rows; the
maxima are taken on accumulators, which requantization, being monotonic, allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from export.kernels.language.steps import (
    ACCUMULATORS,
    NEAR,
    POSITIONS,
    WEIGHTS,
    WORD,
    Step,
    label,
    load,
    loads,
    move,
    move_output,
    register_name,
    step,
)

ROW, BLOCK, HALF, SECOND, ROW_END, OUTER, COUNT = range(1, 8)  # labels


@dataclass(frozen=True)
class Geometry:
    """The positions that a kernel visits, and the bytes between them.

    Attributes:
        rows: Output rows before pooling.
        columns: Output columns before pooling.
        in_x: From one position's inputs to the next one's.
        in_y: From one row's inputs to the next one's.
        out_x: From one output to the next in a row, after pooling.
        out_y: From one output row to the next, after pooling.
        out_bytes: Of an output.
        pooled: Whether a 2 x 2 max pool of stride 2 is fused; rows and columns are then even.
    """

    rows: int
    columns: int
    in_x: int
    in_y: int
    out_x: int
    out_y: int
    out_bytes: int
    pooled: bool

    @property
    def positions(self) -> int:
        """Positions of a block: 2, or 1 where a row has only one or the second is out of an instruction's reach."""
        return 2 if self.columns > 1 and max(self.in_x, 2 * self.out_x) <= NEAR else 1


def accumulator(channel: int, position: int, positions: int) -> str:
    """Register of a block's accumulator."""
    return ACCUMULATORS[channel * positions + position]


@dataclass(frozen=True)
class Sum:
    """A fused Add, as a kernel's code needs it; see `addition.Addition`. Its table is the kernel's.

    Attributes:
        shift: The final shift.
        low: Lower clamp bound, or None.
        high: Upper clamp bound, or None.
    """

    shift: int
    low: int | None
    high: int | None


@dataclass(frozen=True)
class Epilogue:
    """Requantization of one channel, as a kernel's code needs it.

    Attributes:
        mode: See `Requantization` and `Linear`.
        shift: The final shift, or None where it comes from the constant stream.
        low: Lower clamp bound, or None.
        high: Upper clamp bound, or None.
        at: Byte offset of the channel's output from the block's first one.
        sum: The Add fused behind it, the same for all channels of a block; or None.
    """

    mode: str
    shift: int | None
    low: int | None
    high: int | None
    at: int
    sum: Sum | None = None

    @property
    def words(self) -> int:
        """Words of the constant stream it takes."""
        if self.mode == "plain":
            return 1
        return 2 if self.shift is not None else 3


@dataclass(frozen=True)
class Biases:
    """How the biases of a block get into its accumulators.

    Attributes:
        loaded: By channel, the accumulator that its bias is loaded into.
        copied: By channel, whether the bias is copied from there to the other position's accumulator.
    """

    loaded: tuple[str, ...]
    copied: tuple[bool, ...]

    @staticmethod
    def of(geometry: Geometry, begun: Sequence[bool]) -> Biases:
        """Biases in the first position's accumulators, given which channels' other ones the body begins by itself."""
        positions = geometry.positions
        loaded = tuple(accumulator(channel, 0, positions) for channel in range(len(begun)))
        return Biases(loaded, tuple(positions > 1 and not by_body for by_body in begun))


def begin_sums(body: Sequence[Step], geometry: Geometry, channels: int) -> tuple[list[Step], Biases]:
    """Lets the first product of a channel at one position add to the bias that the other position starts from.

    Args:
        body: A straight line.
        geometry: Of the layer.
        channels: Of the block.

    Returns:
        The body, and how the biases reach it.
    """
    steps = list(body)
    if geometry.positions == 1:
        return steps, Biases.of(geometry, [False] * channels)
    firsts: dict[str | int, int] = {}
    for place, item in enumerate(steps):
        if item.name == "MAC":
            firsts.setdefault(item.args[0], place)
    loaded, copied = [], []
    for channel in range(channels):
        first, second = (accumulator(channel, position, 2) for position in range(2))
        at = [firsts.get(register_name(role)) for role in (first, second)]
        copied.append(None in at)
        if at[0] is not None and at[1] is not None:
            if at[0] < at[1]:
                first, second = second, first
            place = min(at[0], at[1])
            steps[place] = step("DOT_FROM", *steps[place].args, first)
        loaded.append(first)
    return steps, Biases(tuple(loaded), tuple(copied))


_SCALE = {"round": "SCALE", "signed": "SCALE_SIGNED", "floor": "SCALE_FLOOR"}


def write_program(
    geometry: Geometry,
    body: Sequence[Step],
    moved: int,
    body_words: int,
    finish: Sequence[Epilogue],
    biases: Biases | None = None,
) -> list[Step]:
    """Puts loops, bias and requantization around a body.

    The constant stream of a block is its biases, the words the body takes, and each channel's requantization.

    Args:
        geometry: The positions it visits.
        body: Steps that add a block's products to its accumulators.
        moved: Bytes by which the body moves the input pointer.
        body_words: Words the body takes from the stream.
        finish: One entry a channel.
        biases: How they get into the accumulators before the body; None if each accumulator needs its own.

    Returns:
        The steps between BEGIN and END.
    """
    channels, positions = len(finish), geometry.positions
    accumulators = [[accumulator(c, p, positions) for p in range(positions)] for c in range(channels)]
    steps: list[Step] = [step("SAVE", "w0", "out")]
    if finish[0].sum is not None:
        steps.append(step("SAVE", "w1", "table"))
    rows = geometry.rows // (2 if geometry.pooled else 1)
    if geometry.rows > 1:
        steps += [step("SET", rows, "rows"), label(ROW)]
    looped = geometry.columns > positions
    if looped:
        last = (geometry.columns - positions) * geometry.in_x
        steps += [step("LAST" if last <= NEAR else "LAST_FAR", last, "last"), label(BLOCK)]
    if geometry.pooled:
        steps += [step("SET", 2, "half"), label(HALF)]
    biases = biases or Biases.of(geometry, [False] * channels)
    steps += loads(biases.loaded)
    steps += [
        step("COPY", registers[1], registers[0])
        for registers, copied in zip(accumulators, biases.copied, strict=True)
        if copied
    ]
    steps += body
    taken = channels + body_words
    if geometry.pooled:
        steps += _pool(geometry, accumulators, moved, taken)
        moved += geometry.in_y
    steps += _finish(geometry, accumulators, finish)
    taken += sum(entry.words for entry in finish)
    steps += _advance(geometry, moved, taken, looped)
    if geometry.rows > 1:
        steps.append(step("AGAIN", "rows", ROW, turns=((True, rows - 1), (False, 1))))
    return steps


def _pool(geometry: Geometry, accumulators: Sequence[Sequence[str]], moved: int, taken: int) -> list[Step]:
    """Takes the maximum of both columns; keeps the first row's, and joins it with the second row's."""
    steps = [step("MAX", left, right) for left, right in accumulators]
    maxima, spare = [left for left, _ in accumulators], [right for _, right in accumulators]
    whole = len(maxima) == 4
    steps.append(step("DONE", "half", SECOND, turns=((False, 1), (True, 1))))
    steps += [step("KEEP4", *maxima)] if whole else [step("SAVE", a, i) for i, a in enumerate(maxima)]
    steps += move("wt", -WORD * taken) + move("in", geometry.in_y - moved)
    steps += [step("GOTO", HALF, turns=((True, 1),)), label(SECOND)]
    steps += [step("KEPT4", *spare)] if whole else [step("FETCH", a, i) for i, a in enumerate(spare)]
    return steps + [step("MAX", a, kept) for a, kept in zip(maxima, spare, strict=True)]


def _finish(
    geometry: Geometry, accumulators: Sequence[Sequence[str]], finish: Sequence[Epilogue]
) -> list[Step]:
    """Requantizes, adds where an Add is fused, and stores every accumulator."""
    steps: list[Step] = []
    rows = [registers[:1] if geometry.pooled else registers for registers in accumulators]
    group = len(_SCALES) if finish[0].mode == "plain" else 1  # channels whose constants are loaded together
    for start in range(0, len(finish), group):
        steps += _scaled(rows[start : start + group], finish[start : start + group])
    outputs: list[_Output] = [
        (a, entry.at + position * geometry.out_x, entry)
        for results, entry in zip(rows, finish, strict=True)
        for position, a in enumerate(results)
    ]
    steps.append(step("FETCH", "x0", "out"))
    total = finish[0].sum
    if total is not None:
        return steps + _add(geometry, outputs, total)
    return [*steps, *_saturated(outputs), *_stores(geometry, outputs)]


_SCALES = (*WEIGHTS, *POSITIONS)
"""Registers that requantization has for constants."""


def _scaled(rows: Sequence[Sequence[str]], entries: Sequence[Epilogue]) -> list[Step]:
    """Loads the constants of some channels and scales their accumulators."""
    if entries[0].mode == "plain":
        scaled = [
            step("SCALE_PLAIN", a, w) for results, w in zip(rows, _SCALES, strict=False) for a in results
        ]
        return [load(_SCALES[: len(rows)]), *scaled]
    (results,), (entry,) = rows, entries
    steps = [load(_SCALES[: entry.words]), *(step(_SCALE[entry.mode], a) for a in results)]
    return steps if entry.shift is not None else steps + [step("SHIFT", a) for a in results]


_Output = tuple[str, int, Epilogue | Sum]
"""A scaled result: its register, where it is stored, and what comes before that."""


def _saturated(outputs: Sequence[_Output]) -> list[Step]:
    steps = [
        step("SATURATE", a, last.shift) if last.shift else step("SATURATE0", a) for a, _, last in outputs
    ]
    steps += [step("AT_LEAST", a, last.low) for a, _, last in outputs if last.low is not None]
    return steps + [step("AT_MOST", a, last.high) for a, _, last in outputs if last.high is not None]


def _stores(geometry: Geometry, outputs: Sequence[_Output]) -> list[Step]:
    store = "STORE16" if geometry.out_bytes == 2 else "STORE8"
    return [step(store, a, at) for a, at, _ in outputs]


def _add(geometry: Geometry, outputs: Sequence[_Output], total: Sum) -> list[Step]:
    """Saturates, adds what lies where the outputs go, two at a time so that nothing waits for a load, and stores."""
    read = "READ16" if geometry.out_bytes == 2 else "READ8"
    steps = [step("FETCH", "x1", "table"), step("SAVE", "wt", "stream"), step("TABLE_END", "wt")]
    for start in range(0, len(outputs), len(WEIGHTS)):
        group = outputs[start : start + len(WEIGHTS)]
        lanes = list(zip(group, WEIGHTS, strict=False))
        steps += [step(read, w, at) for (_, at, _), w in lanes]
        steps += _saturated(group)
        steps += [step("LOOK32", w) for _, w in lanes]
        steps += [step("PRODUCT_PLUS", a, a, "wt", w) for (a, _, _), w in lanes]
    sums: list[_Output] = [(a, at, total) for a, at, _ in outputs]
    return [*steps, step("FETCH", "wt", "stream"), *_saturated(sums), *_stores(geometry, sums)]


def _advance(geometry: Geometry, moved: int, taken: int, looped: bool) -> list[Step]:
    """Moves all pointers to the next block and branches back, at the end of a row to the next row."""
    positions = geometry.positions
    outputs = 1 if geometry.pooled else positions
    steps = move("wt", -WORD * taken)
    if looped:
        steps = move_output(outputs * geometry.out_x) + steps + move("in", positions * geometry.in_x - moved)
        whole, odd = divmod(geometry.columns, positions)
        steps.append(step("NEXT", "last", BLOCK, turns=((True, whole - 1), (False, 1 + odd))))
        if odd:
            past = step("PAST", geometry.in_x, "last", ROW_END, turns=((False, 1), (True, 1)))
            steps += [past, *move("in", -geometry.in_x), step("FETCH", "x0", "out")]
            steps += [*move_output(-geometry.out_x), step("GOTO", BLOCK, turns=((True, 1),)), label(ROW_END)]
        moved = geometry.columns * geometry.in_x
        written = geometry.columns // (2 if geometry.pooled else 1) * geometry.out_x
    else:
        written = 0
    if geometry.rows > 1:
        rest = move_output(geometry.out_y - written)
        steps += [step("FETCH", "x0", "out"), *rest] if rest else []
        steps += move("in", geometry.in_y * (2 if geometry.pooled else 1) - moved)
    return steps
