"""The kernel that computes planes of a depthwise convolution of three taps along rows.

A word holds two neighbors, so that a dual multiply-accumulate takes two taps. With stride 1 two outputs are computed
at once: what one reads as (x0, x1) and x2, the other reads as x1 and (x2, x3), and the words of one step are those of
the next. With stride 2 each word belongs to the two taps of one output and to the third tap of the one before it.

Nothing waits on a Cortex-M33 nor, but for loads that stand alone, on a Cortex-M4.
"""

from __future__ import annotations

from dataclasses import dataclass

from export.kernels.language.steps import NEAR, Step, label, step
from export.kernels.plan import Kernel
from export.kernels.planes.moves import moved, moved_to

TAPS = 3  # along a row
MOST_ROWS = 3  # of taps
_IN, _OUT, _STREAM, _BIAS, _END, _MORE, _ADDEND, _TURN = range(8)  # stack slots
_FRAME = 8
_PLANE, _ROW, _REPEAT = range(1, 4)  # labels
_X = ("r8", "r9", "r10")  # a word of each row of taps
_SUMS = ("r11", "r12")
_MULT = "lr"
_UNROLLED = 40  # outputs of a row that are written out
_TURN_OUTPUTS = 16  # of a turn, where a row has more


@dataclass(frozen=True)
class PlaneShape:
    """What the code depends on.

    Attributes:
        rows: Of taps.
        stride: Along rows of the plane, 1 or 2.
        length: Outputs of a row.
        count: Rows of outputs.
        tap: Bytes from one row of taps to the next.
        step: Bytes from the inputs of one row of outputs to those of the next.
        out_x: Bytes from one output of a row to the next.
        out_y: Bytes from one row of outputs to the next.
        element: Bytes of an output.
        mode: Of the requantization, "plain", "round" or "signed".
        shift: Its last shift.
        low: Lower clamp bound that saturation does not give, or None.
        high: Upper clamp bound likewise.
    """

    rows: int
    stride: int
    length: int
    count: int
    tap: int
    step: int
    out_x: int
    out_y: int
    element: int
    mode: str
    shift: int
    low: int | None
    high: int | None

    @property
    def words(self) -> int:
        """Words that a row of outputs reads of each row of taps."""
        return row_words(self.length, self.stride)

    @property
    def read(self) -> int:
        """Inputs of a row that have a part in outputs."""
        return self.stride * (self.length - 1) + TAPS

    @property
    def applies(self) -> bool:
        """Whether everything is within reach of the kernel's loads and stores."""
        turn = min(self.length, _UNROLLED)
        return (self.rows - 1) * self.tap + 4 * turn + 8 <= NEAR and 2 * self.out_x <= NEAR


def row_words(length: int, stride: int) -> int:
    """Words that outputs of a row read of each row of taps."""
    return (length + 1) // 2 + 1 if stride == 1 else length + 1


def weight_words(shape: PlaneShape, rows: list[list[int]]) -> list[int]:
    """A plane's weights [rows of taps][3] as the words that the kernel reads."""
    pairs = [[_word(one[0], one[1]), _word(one[1], one[2])] for one in rows]
    if shape.stride == 1:
        return [word for pair in pairs for word in pair]
    last = [one[2] for one in rows] + [0]
    return [pair[0] for pair in pairs] + [_word(last[i], last[i + 1]) for i in range(0, len(rows), 2)]


def _word(low: int, high: int) -> int:
    return (low & 0xFFFF) | (high & 0xFFFF) << 16


def record(
    shape: PlaneShape,
    rows: list[list[int]],
    numbers: tuple[int, int, int],
    offsets: tuple[int, int],
    more: bool,
) -> list[int]:
    """A plane's constants.

    Args:
        shape: Of the code.
        rows: The scaled weights [rows of taps][3].
        numbers: What sums start from, the multiplier, the addend.
        offsets: Bytes from the input pointer to the plane, and from the output pointer to its outputs.
        more: Whether the kernel goes on with the next plane.
    """
    start, mult, addend = numbers
    words = [*weight_words(shape, rows), start, mult, *([] if shape.mode == "plain" else [addend])]
    return [
        word & 0xFFFFFFFF
        for word in (*words, offsets[0], offsets[1], int(more), offsets[0] + shape.count * shape.step)
    ]


def plane_kernel(shape: PlaneShape) -> Kernel:
    """Writes the kernel: r0 is the base of input planes, r1 the records, r2 the base of outputs."""
    steps = [step("SAVE", "r0", _IN), step("SAVE", "r2", _OUT), label(_PLANE), *_open(shape)]
    writer = _Writer(shape)
    if shape.count == 1:
        steps += writer.row()
    else:
        steps += [
            label(_ROW),
            *writer.row(),
            step("FETCH", "r8", _END),
            *moved("r0", shape.step - writer.moved),
            *moved("r1", shape.out_y - writer.written),
            step("UNTIL", "r0", "r8", _ROW, turns=((True, shape.count - 1), (False, 1))),
        ]
    steps += [step("FETCH", "r8", _MORE), step("FETCH", "r1", _STREAM)]
    steps.append(step("MORE", "r8", _PLANE, turns=((True, "planes"), (False, 1))))
    return Kernel(tuple(steps), _FRAME)


def _open(shape: PlaneShape) -> list[Step]:
    """Loads a plane's constants and finds where it lies."""
    names = [f"r{2 + i}" for i in range(_weights(shape))] + [_bias(shape), _MULT]
    steps = [step(f"LOAD{len(part)}", *part) for part in (names[i : i + 4] for i in range(0, len(names), 4))]
    if shape.mode != "plain":
        steps += [step("LOAD1", "r12"), step("SAVE", "r12", _ADDEND)]
    if _bias(shape) == "r8":
        steps.append(step("SAVE", "r8", _BIAS))
    steps += [step("LOAD4", "r9", "r10", "r11", "r12"), step("SAVE", "r1", _STREAM)]
    steps += [step("SAVE", "r11", _MORE), step("FETCH", "r11", _IN), step("FETCH", "r1", _OUT)]
    steps += [step("ADVANCE", "r0", "r11", "r9"), step("ADVANCE", "r12", "r11", "r12")]
    return [*steps, step("ADVANCE", "r1", "r1", "r10"), step("SAVE", "r12", _END)]


def _weights(shape: PlaneShape) -> int:
    """Registers of weights, from r2 on."""
    return 2 * shape.rows if shape.stride == 1 else shape.rows + (shape.rows + 1) // 2


def _bias(shape: PlaneShape) -> str:
    """Where the first value of sums is: in a register, or where there is none left, on the stack by way of r8."""
    return f"r{2 + _weights(shape)}"


class _Writer:
    """Writes a row of outputs.

    Attributes:
        moved: Bytes by which the row moves the input pointer.
        written: Bytes by which it moves the output pointer.
    """

    def __init__(self, shape: PlaneShape) -> None:
        self.moved = self.written = 0
        self._shape = shape
        self._x = _X[: shape.rows]
        self._steps: list[Step] = []

    def row(self) -> list[Step]:
        """All steps of a row."""
        shape = self._shape
        self._steps = []
        turns, rest = divmod(shape.length, _TURN_OUTPUTS)
        if shape.length <= _UNROLLED:
            turns, rest = 0, shape.length
        elif rest == 0:  # the last outputs read nothing ahead
            turns, rest = turns - 1, _TURN_OUTPUTS
        self._first()
        if turns:
            size = _TURN_OUTPUTS
            end = [*moved_to("r11", "r0", 2 * shape.stride * size * turns), step("SAVE", "r11", _TURN)]
            self._steps = [*end, *self._steps, label(_REPEAT)]
            self._outputs(size, follows=True)
            self._steps += moved("r0", 2 * shape.stride * size)
            self._steps += moved("r1", size * shape.out_x - self.written)
            again = step("UNTIL", "r0", self._spare, _REPEAT, turns=((True, turns - 1), (False, 1)))
            self._steps += [step("FETCH", self._spare, _TURN), again]
            self.moved = 2 * shape.stride * size * turns
            self.written = 0
        self._outputs(rest, follows=False)
        self.written += turns * _TURN_OUTPUTS * shape.out_x
        return self._steps

    @property
    def _spare(self) -> str:
        """A register that holds nothing between two steps: with stride 2, the first sum is under way."""
        return _SUMS[self._shape.stride - 1]

    def _add(self, name: str, *args: str | int) -> None:
        self._steps.append(step(name, *args))

    def _load(self, row: int, word: int, into: str | None = None) -> None:
        self._add("LDR", into or self._x[row], "r0", row * self._shape.tap + 4 * word)

    def _first(self) -> None:
        """What is there before the first output of a row."""
        for row in range(self._shape.rows):
            self._load(row, 0)
        if self._shape.stride == 1:
            self._start_sum()
            return
        self._new_sum(_SUMS[0])
        for row in range(self._shape.rows):
            self._load(row, 1)

    def _start_sum(self) -> None:
        """With stride 1: brings the first value of the next sums, where it is on the stack."""
        if _bias(self._shape) == "r8":
            self._add("FETCH", "r12", _BIAS)

    def _outputs(self, count: int, *, follows: bool) -> None:
        if self._shape.stride == 2:
            for place in range(count):
                self._of_two(place, last=place == count - 1 and not follows)
            return
        for place in range(0, count, 2):
            self._pair(place, single=place == count - 1, last=place >= count - 2 and not follows)

    def _pair(self, place: int, *, single: bool, last: bool) -> None:
        """With stride 1: two outputs, or the last one of a row."""
        left, right = _SUMS
        ahead, x = place // 2 + 1, self._x
        if len(x) == 1:  # words take turns in two registers
            now, then = _X[ahead % 2 == 0], _X[ahead % 2]
            self._load(0, ahead, then)
            self._first_half(0, now, single=single)
            self._second_half(0, then, single=single)
        else:
            for row in range(2):
                self._first_half(row, x[row], single=single)
            for row in range(2):
                self._load(row, ahead)
            for row in range(2, len(x)):
                self._first_half(row, x[row], single=single)
                self._load(row, ahead)
            for row in range(len(x)):
                self._second_half(row, x[row], single=single)
        self._scale((left,) if single else (right, left))
        self._saturate((left,) if single else (right, left))
        self._store((place,) if single else (place + 1, place), (left,) if single else (right, left), last)
        if self._shape.mode != "plain" and len(x) == MOST_ROWS and not last:
            self._load(2, ahead)

    def _first_half(self, row: int, x: str, *, single: bool) -> None:
        """A word with the first two taps of the left sum and the first of the right one."""
        left, right = _SUMS
        start = _bias(self._shape)
        before = ("r12", "r12") if start == "r8" else (start, start)
        before = (left, right) if row else before
        weights = f"r{2 + 2 * row}"
        self._add("DOT_FROM", left, x, weights, before[0])
        if not single:
            self._add("HIGH_LOW", right, x, weights, before[1])

    def _second_half(self, row: int, x: str, *, single: bool) -> None:
        left, right = _SUMS
        weights = f"r{3 + 2 * row}"
        if not single:
            self._add("DOT_FROM", right, x, weights, right)
        self._add("LOW_HIGH", left, x, weights, left)

    def _new_sum(self, total: str) -> None:
        before = _bias(self._shape)
        for row, x in enumerate(self._x):
            self._add("DOT_FROM", total, x, f"r{2 + row}", before)
            before = total

    def _of_two(self, place: int, *, last: bool) -> None:
        """With stride 2: ends an output and begins the next one."""
        total, following = _SUMS[place % 2], _SUMS[1 - place % 2]
        x, shape = self._x, self._shape
        for row, word in enumerate(x):
            name = "LOW_HIGH" if row % 2 else "LOW_LOW"
            self._add(name, total, word, f"r{2 + shape.rows + row // 2}", total)
        early = shape.mode == "plain" and not last  # otherwise it takes a register that holds a word
        if not last:
            self._new_sum(following)
        if early:
            self._steps.insert(1 - len(x) + len(self._steps), step("SCALE_PLAIN", total, _MULT))
        else:
            self._scale((total,))
        self._saturate((total,))
        if not last:
            for row in range(shape.rows):
                self._load(row, place + 2)
        self._store((place,), (total,), last)

    def _scale(self, sums: tuple[str, ...]) -> None:
        """Multiplies sums."""
        shape = self._shape
        if shape.mode == "plain":
            for a in sums:
                self._add("SCALE_PLAIN", a, _MULT)
        elif shape.mode == "round":
            self._add("FETCH", "r10", _ADDEND)
            for a in sums:
                self._add("HIGH_ROUNDED", a, a, _MULT, "r10")
        else:
            for a in sums:
                self._add("FETCH", "r10", _ADDEND)
                self._add("SUM_RIGHT", "r10", "r10", a, 31)
                self._add("HIGH_ROUNDED", a, a, _MULT, "r10")

    def _saturate(self, sums: tuple[str, ...]) -> None:
        """Makes outputs of what is multiplied."""
        shape = self._shape
        for a in sums:
            self._add(*(("SATURATED", a, a, shape.shift) if shape.shift else ("SATURATED0", a, a)))
        for name, bound in (("AT_LEAST", shape.low), ("AT_MOST", shape.high)):
            if bound is not None:
                for a in sums:
                    self._add(name, a, bound)

    def _store(self, places: tuple[int, ...], sums: tuple[str, ...], last: bool) -> None:
        """Stores outputs; a load between two stores costs a Cortex-M4 less than one behind them."""
        shape = self._shape
        name = "STRH" if shape.element == 2 else "STRB"
        furthest = max(places) * shape.out_x - self.written
        if furthest > NEAR:
            distance = min(places) * shape.out_x - self.written
            self._steps += moved("r1", distance)
            self.written += distance
        for number, (place, a) in enumerate(zip(places, sums, strict=True)):
            self._add(name, a, "r1", place * shape.out_x - self.written)
            if number == 0 and len(places) == 2 and not last:
                self._start_sum()
