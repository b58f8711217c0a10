"""Kernels of the output transform: the sums of tiles become outputs, a channel at a time.

Sums of a tile are transformed across first, a row of points at a time; the rows are joined downwards as soon as they
are there, and what has to wait does so in stack slots. A 2 x 2 max pool takes the largest before anything is scaled.
"""

from __future__ import annotations

from collections.abc import Sequence

from export.kernels.language.addresses import Addresses
from export.kernels.language.instructions import aligned, instructions
from export.kernels.language.scheduler import OutOfRegistersError
from export.kernels.language.steps import WORD, Step, label, load, step
from export.kernels.language.straight_line import StraightLine
from export.kernels.plan import Kernel
from export.kernels.winograd.algorithm import FOUR, STRIDE2, TWO
from export.kernels.winograd.outputs import ADD_RATE, ADD_TABLE, Held, Outputs, Target
from export.kernels.winograd.requantization import Form
from export.kernels.winograd.tiles import PAIR_BYTES, Tiling
from export.targets import Timing, block_cycles
from export.targets.timing import Pairing

# Stack slots: those of a fused Add, those of the loops, then values that wait.
_SUMS, _OUT, _TILES, _COUNT, _CONSTANTS, _CONSTANTS_END, _SUMS_NOW, _CONSTANTS_NOW, _WAITING = range(2, 11)
_ROW = 4  # slots of the outputs of a row
_FRAME = _WAITING + 5 * _ROW
_TILE, _CHANNEL = 1, 2  # labels
_CHANNEL_SUMS, _CHANNEL_CONSTANTS = "%sums", "%constants"  # values that the block is entered with
_REGISTERS = ("r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "r0", "r2")


def header_words(target: Target) -> int:
    """Words before a block's constants: their bytes; with an Add, how far behind its table is, and its multiplier."""
    return 1 if target.sum is None else 3


def output_kernel(
    tiling: Tiling, target: Target, form: Form, rows: int, columns: int, timing: Timing
) -> Kernel:
    """A kernel for tiles of one shape: r0 the first block's sums, r1 a table of tiles, r2 the output, r3 constants.

    The table holds the number of tiles, then for each of them the offsets of its sums and of its outputs.

    Args:
        tiling: Of the layer.
        target: Of its outputs.
        form: Of its requantization.
        rows: Outputs of a tile inside the image, down.
        columns: Likewise, across.
        timing: The core's pipeline.
    """
    steps = [step("SAVE", "r0", _SUMS), step("SAVE", "r2", _OUT), load(("r4",))]
    steps += [step("SAVE", "r1", _TILES), step("SAVE", "r4", _COUNT), step("LDRC", "r4", "r3", 0)]
    if target.sum is not None:
        steps += [step("LDRC", "r5", "r3", WORD), step("ADVANCE", "r5", "r3", "r5")]
        steps += [step("SAVE", "r5", ADD_TABLE)]
        steps += [step("LDRC", "r5", "r3", 2 * WORD), step("SAVE", "r5", ADD_RATE)]
    steps += [step("ADD", "r3", WORD * header_words(target)), step("SAVE", "r3", _CONSTANTS)]
    steps += [step("ADVANCE", "r4", "r3", "r4"), step("SAVE", "r4", _CONSTANTS_END), label(_TILE)]
    steps += [step("FETCH", "r1", _TILES), load(("r4", "r5")), step("SAVE", "r1", _TILES)]
    steps += [step("FETCH", "r0", _SUMS), step("FETCH", "r1", _OUT), step("FETCH", "r2", _CONSTANTS)]
    steps += [step("ADVANCE", "r0", "r0", "r4"), step("ADVANCE", "r1", "r1", "r5"), label(_CHANNEL)]
    steps += [step("SAVE", "r0", _SUMS_NOW), step("SAVE", "r2", _CONSTANTS_NOW)]
    steps += _channel(tiling, target, form, rows, columns, timing)
    steps += [step("FETCH", "r2", _CONSTANTS_NOW), step("FETCH", "r0", _SUMS_NOW)]
    steps += [step("FETCH", "r3", _CONSTANTS_END), step("ADD", "r2", WORD * form.words)]
    steps += [step("ADD", "r0", PAIR_BYTES), step("ADD", "r1", target.channel)]
    steps.append(step("UNTIL", "r2", "r3", _CHANNEL, turns=((True, "channels"), (False, 1))))
    steps.append(step("AGAIN", _COUNT, _TILE, turns=((True, "tiles"), (False, 1))))
    return Kernel(aligned(steps, timing), _FRAME)


def _channel(
    tiling: Tiling, target: Target, form: Form, rows: int, columns: int, timing: Timing
) -> list[Step]:
    """The code of one channel of one tile, with as much in registers as makes it fastest."""
    best: tuple[int, list[Step]] | None = None
    for held in Held.choices(form, target):
        code = StraightLine()
        _Tile(code, tiling, target, form, columns, held).write(rows)
        if best is not None and code.least_cycles >= best[0] and timing.pairing is not Pairing.WIDE:
            continue
        try:
            steps = code.steps(_REGISTERS, timing, {_CHANNEL_SUMS: "r0", _CHANNEL_CONSTANTS: "r2"})
        except OutOfRegistersError:
            continue
        cycles = block_cycles([one for item in steps for one in instructions(item)], timing)
        if best is None or cycles < best[0]:
            best = cycles, steps
    if best is None:
        raise OutOfRegistersError(f"no order of a tile's outputs fits {len(_REGISTERS)} registers")
    return best[1]


class _Tile:
    """The straight-line code of one channel of one tile.

    Registers are few, so pointers are given up in between, and fetched again from where the loop has saved them.
    """

    def __init__(
        self, code: StraightLine, tiling: Tiling, target: Target, form: Form, columns: int, held: Held
    ) -> None:
        self._code, self._tiling, self._columns = code, tiling, columns
        self._pooled = target.pooled
        self._outputs = Outputs(code, _CHANNEL_CONSTANTS, tiling.algorithm, form, target, held)
        self._addresses = Addresses(code, _CHANNEL_SUMS)
        self._left: dict[int, str] = {}
        self._begun: set[tuple[int, int]] = set()

    def write(self, rows: int) -> None:
        """All of it, for so many rows of outputs inside the image."""
        down = self._tiling.algorithm.down
        if down is FOUR:
            self._write_four(rows)
        elif down is TWO:
            self._write_two(rows)
        elif down is STRIDE2:
            self._write_stride2(rows)
        else:
            self._write_direct(rows)

    def _across(self, i: int, columns: Sequence[int]) -> dict[int, str]:
        """A row of points joined across. Points that go into every output once bring the bias along."""
        algorithm = self._tiling.algorithm

        def loaded(j: int) -> str:
            base, offset = self._addresses.at(self._tiling.sums_slot((i, j)))
            value = self._code.value("LDR", base, offset)
            shared = i in algorithm.down.shared and j in algorithm.across.shared
            return self._outputs.biased(value) if shared else value

        return algorithm.across.join(self._code, loaded, columns)

    def _write_four(self, rows: int) -> None:
        """Rows of points in the order 1 and 2, 3 and 4, 0, 5; sums and differences of the first ones wait."""
        code, slot, columns = self._code, self._slot, range(self._columns)
        second, third = self._across(1, columns), self._across(2, columns)
        for column in columns:
            code.save(code.value("SUM", second[column], third[column]), slot(0, column))
            if rows > 1:
                code.save(code.value("DIFFERENCE", second[column], third[column]), slot(1, column))
        fourth, fifth = self._across(3, columns), self._across(4, columns)
        for column in columns:
            far = code.value("SUM", fourth[column], fifth[column])
            beyond = code.value("DIFFERENCE", fourth[column], fifth[column]) if rows > 1 else ""
            near = code.fetch(slot(0, column))
            code.save(code.value("SUM", near, far), slot(2, column))
            if rows > 2:
                self._emit(code.value("SUM_LEFT", near, far, 2), 2, column)
            if rows > 1:
                across = code.fetch(slot(1, column))
                if rows > 3:
                    code.save(code.value("SUM_LEFT", across, beyond, 3), slot(3, column))
                self._emit(code.value("SUM_LEFT", across, beyond, 1), 1, column)
        self._addresses = Addresses(code, code.fetch(_SUMS_NOW))
        self._outputs.release(code.fetch(_CONSTANTS_NOW))
        first = self._across(0, columns)
        for column in columns:
            self._emit(code.value("SUM", first[column], code.fetch(slot(2, column))), 0, column)
        if rows > 3:
            last = self._across(5, columns)
            for column in columns:
                self._emit(code.value("SUM_LEFT", code.fetch(slot(3, column)), last[column], 1), 3, column)

    def _write_two(self, rows: int) -> None:
        code, columns = self._code, range(self._columns)
        second, third, first = (self._across(i, columns) for i in (1, 2, 0))
        for column in columns:
            near = code.value("SUM", second[column], third[column])
            self._emit(code.value("SUM", near, first[column]), 0, column)
        if rows > 1:
            across = [code.value("DIFFERENCE", second[column], third[column]) for column in columns]
            last = self._across(3, columns)
            for column in columns:
                self._emit(code.value("DIFFERENCE", across[column], last[column]), 1, column)

    def _write_stride2(self, rows: int) -> None:
        columns = range(self._columns)
        middle = self._across(1, columns)
        for row in range(rows):
            found = self._across(2 * row, columns)
            for column in columns:
                self._emit(self._code.value("SUM", found[column], middle[column]), row, column)

    def _write_direct(self, rows: int) -> None:
        columns = range(self._columns)
        for row in range(rows):
            found = self._across(row, columns)
            for column in columns:
                self._emit(found[column], row, column)

    @staticmethod
    def _slot(row: int, column: int) -> int:
        return _WAITING + _ROW * row + column

    def _emit(self, value: str, row: int, column: int) -> None:
        """Finishes an output; with a pool, joins it with its neighbors first. A row's outputs come from the left."""
        value = self._outputs.comparable(value)
        if not self._pooled:
            self._outputs.finish(value, row, column)
        elif column % 2 == 0:
            self._left[row] = value
        else:
            value = self._code.value("MAX", value, self._left.pop(row))
            window = row // 2, column // 2
            slot = self._slot(4, 2 * window[0] + window[1])
            if window in self._begun:
                self._outputs.finish(self._code.value("MAX", value, self._code.fetch(slot)), *window)
            else:
                self._begun.add(window)
                self._code.save(value, slot)
