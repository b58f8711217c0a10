"""Kernels of the input transform: a row of tiles, all pairs of input channels, into the blocks of scratch memory.

Where the scheme down is F(4, 3), columns of the row, which neighboring tiles share, are transformed into a buffer
first; other schemes leave registers enough to do a tile at once. Nothing is read outside of what the image's outputs
need.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from export.kernels.language.addresses import Addresses
from export.kernels.language.instructions import aligned
from export.kernels.language.steps import NEAR, WORD, Step, label, step
from export.kernels.language.straight_line import StraightLine
from export.kernels.plan import Kernel
from export.kernels.winograd.algorithm import Component
from export.kernels.winograd.tiles import PAIR_BYTES, Tiling
from export.targets import Timing

_IN, _TABLE, _PAIR, _BUFFER, _COLUMNS_END, _TILES_END, _COUNT = range(7)  # stack slots
_FRAME = 7
_PAIRS, _COLUMNS, _TILES = range(1, 4)  # labels
_LOW_FIRST = tuple(f"r{i}" for i in range(13))
_WIDEN = ("WIDEN_EVEN", "WIDEN_ODD")


@dataclass(frozen=True)
class Source:
    """How inputs lie.

    Attributes:
        pixel: Bytes from one column of the kernel to the next.
        row: Bytes from one row of the kernel to the next.
        half: Of int8 inputs, which pair of a word of four channels the kernel takes, 0 or 1; None for int16 inputs.
    """

    pixel: int
    row: int
    half: int | None

    @property
    def stride(self) -> int:
        """Pairs from one that the kernel takes to the next."""
        return 1 if self.half is None else 2


def buffer_bytes(tiling: Tiling) -> int:
    """Scratch memory for the columns of a row of tiles, beside the blocks."""
    return tiling.inputs_across * _column_bytes(tiling) if tiling.algorithm.buffered else 0


def _column_bytes(tiling: Tiling) -> int:
    return len(tiling.algorithm.down.components) * WORD


def input_kernel(tiling: Tiling, source: Source, rows: int, pairs: int, timing: Timing) -> Kernel:
    """A kernel for one row of tiles: r0 its first input, r1 offsets of its tiles, r2 scratch memory, r3 the buffer.

    Args:
        tiling: Of the layer.
        source: Of its inputs.
        rows: Outputs of these tiles inside the image, down.
        pairs: Of input channels that the kernel takes.
        timing: The core's pipeline.
    """
    across = tiling.algorithm.across
    buffered = tiling.algorithm.buffered
    last_cut = tiling.cut[1]
    full = tiling.across - last_cut
    size = _column_bytes(tiling) if buffered else source.pixel
    tile_step = across.outputs * across.stride * size
    steps = [step("SAVE", "r0", _IN), step("SAVE", "r1", _TABLE), step("SAVE", "r2", _PAIR)]
    if buffered:
        steps += [step("SAVE", "r3", _BUFFER)]
        steps += [
            *_pointed("r4", "r3", tiling.inputs_across // 2 * 2 * size),
            step("SAVE", "r4", _COLUMNS_END),
        ]
    start = "r3" if buffered else "r0"
    steps += [*_pointed("r4", start, full * tile_step), step("SAVE", "r4", _TILES_END)]
    steps += [step("SET", pairs, _COUNT), label(_PAIRS)]
    if buffered:
        steps += _columns(tiling, source, rows, timing)
    steps += [step("FETCH", "r0", _BUFFER if buffered else _IN), step("FETCH", "r2", _TABLE)]

    def tile(columns: int) -> list[Step]:
        block = StraightLine()
        write = _Writer(block, tiling)
        if buffered:
            _tile_of_buffer(block, tiling, write, rows, columns)
        else:
            _tile_of_image(block, tiling, source, write, rows, columns)
        free = [name for name in (*_LOW_FIRST, "lr") if name not in ("r0", "r1", "r2")]
        begin = [step("FETCH", "r3", _PAIR), step("LDRC_NEXT", "r1", "r2", WORD)]
        return [*begin, step("ADVANCE", "r1", "r3", "r1"), *block.steps(free, timing)]

    if full:
        end = [step("ADD", "r0", tile_step), step("FETCH", "r4", _TILES_END)]
        turns = ((True, full - 1), (False, 1))
        steps += [label(_TILES), *tile(across.outputs), *end, step("UNTIL", "r0", "r4", _TILES, turns=turns)]
    if last_cut:
        steps += tile(tiling.last_columns)
    steps += [step("FETCH", "r0", _IN), step("FETCH", "r2", _PAIR)]
    steps += [step("ADD", "r0", WORD), step("ADD", "r2", PAIR_BYTES * source.stride)]
    steps += [step("SAVE", "r0", _IN), step("SAVE", "r2", _PAIR)]
    if not buffered and full:
        steps += [step("FETCH", "r4", _TILES_END), step("ADD", "r4", WORD), step("SAVE", "r4", _TILES_END)]
    steps.append(step("AGAIN", _COUNT, _PAIRS, turns=((True, pairs - 1), (False, 1))))
    return Kernel(aligned(steps, timing), _FRAME)


def _pointed(to: str, base: str, distance: int) -> list[Step]:
    """A pointer some bytes further, in as many instructions as it takes."""
    steps = []
    while distance > NEAR:
        steps.append(step("POINT", to, base, NEAR // WORD * WORD))
        base, distance = to, distance - NEAR // WORD * WORD
    return [*steps, step("POINT", to, base, distance)]


def _columns(tiling: Tiling, source: Source, rows: int, timing: Timing) -> list[Step]:
    """Transforms the columns of a row of tiles into the buffer, two at a time."""
    down = tiling.algorithm.down
    inputs = down.inputs_of(rows)
    size = _column_bytes(tiling)
    reach = NEAR - source.pixel
    reached = min(inputs, reach // source.row + 1)  # rows that a pointer reaches
    pointers = [f"r{i}" for i in range(-(-inputs // reached))]
    steps = [step("FETCH", "r0", _IN), step("FETCH", "lr", _BUFFER)]
    for before, pointer in pairwise(pointers):
        steps += _pointed(pointer, before, reached * source.row)
    free = [name for name in _LOW_FIRST if name not in pointers]

    def block_of(count: int) -> list[Step]:
        block = StraightLine()
        for column in range(count):
            values = []
            for row in range(inputs):
                offset = row % reached * source.row + column * source.pixel
                values.append(_loaded(block, source, pointers[row // reached], offset))
            for component, value in down.transformed(block, values, rows).items():
                place = down.components.index(component)
                block.effect("STR", value, "lr", column * size + WORD * place)
        return block.steps(free, timing)

    turns, rest = divmod(tiling.inputs_across, 2)
    if turns:
        moves = [step("ADD", pointer, 2 * source.pixel) for pointer in pointers]
        moves += [step("ADD", "lr", 2 * size), step("FETCH", free[0], _COLUMNS_END)]
        until = step("UNTIL", "lr", free[0], _COLUMNS, turns=((True, turns - 1), (False, 1)))
        steps += [label(_COLUMNS), *block_of(2), *moves, until]
    return steps + (block_of(1) if rest else [])


def _loaded(block: StraightLine, source: Source, base: str, offset: int) -> str:
    """A pair of input channels as halves of a word."""
    word = block.value("LDR", base, offset)
    return word if source.half is None else block.value(_WIDEN[source.half], word)


class _Writer:
    """Stores transformed values in a block of scratch memory, whose address is in r1."""

    def __init__(self, block: StraightLine, tiling: Tiling) -> None:
        self._block = block
        self._tiling = tiling
        self._addresses = Addresses(block, "r1")

    def store(self, value: str, down: Component, across: Component) -> None:
        point = down[0], across[0]
        component = down[1] * len(self._tiling.algorithm.across.kernel[point[1]]) + across[1]
        base, offset = self._addresses.at(self._tiling.input_slot(point, component))
        self._block.effect("STR", value, base, offset)


def _tile_of_buffer(block: StraightLine, tiling: Tiling, write: _Writer, rows: int, columns: int) -> None:
    """Transforms what is transformed downwards across, component by component."""
    down, across = tiling.algorithm.down, tiling.algorithm.across
    count = len(down.components)
    for place, component in enumerate(down.components):
        if component[0] < down.points_of(rows):
            offsets = [WORD * (count * x + place) for x in range(across.inputs_of(columns))]
            values = [block.value("LDR", "r0", offset) for offset in offsets]
            for other, value in across.transformed(block, values, columns).items():
                write.store(value, component, other)


def _tile_of_image(
    block: StraightLine, tiling: Tiling, source: Source, write: _Writer, rows: int, columns: int
) -> None:
    """Transforms rows across, and joins them downwards as soon as they are there."""
    down, across = tiling.algorithm.down, tiling.algorithm.across
    read = Addresses(block, "r0")
    waiting = {
        (point, which): term
        for point in range(down.points_of(rows))
        for which, term in enumerate(down.inputs[point])
    }
    there: dict[int, dict[Component, str]] = {}
    for y in down.order:
        if y >= down.inputs_of(rows):
            continue
        offsets = [y * source.row + x * source.pixel for x in range(across.inputs_of(columns))]
        values = [_loaded(block, source, *read.at(offset)) for offset in offsets]
        there[y] = across.transformed(block, values, columns)
        ready = [component for component, term in waiting.items() if term.needed <= there.keys()]
        for component in ready:
            first, name, second = waiting.pop(component)
            for other, value in there[first].items():
                joined = block.value(name, value, there[second][other]) if name else value
                write.store(joined, component, other)
