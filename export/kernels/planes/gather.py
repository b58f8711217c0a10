"""The kernel that gathers planes: some channels of an image, int16 or int8, become planes of int16.

What it copies are the words that `kernel` reads of each row, so that it does not matter what lies around them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from export.kernels.language.steps import NEAR, Step, label, step
from export.kernels.plan import Kernel
from export.kernels.planes.moves import moved, moved_to

_ROW, _REPEAT = 1, 2  # labels
_UNROLLED, _TURN = 24, 12  # words of a row that are written out, and of a turn where there are more
_GROUP = 2  # words whose loads come together
_TARGETS = {2: ("r2", "r12"), 4: ("r9", "r10", "r11", "r12")}
_FRAME = 2
_END, _ROW_END = range(2)  # stack slots


@dataclass(frozen=True)
class Gathering:
    """What the code depends on.

    Attributes:
        words: Of a row of a plane.
        read: Elements of a row that matter; those behind may hold anything.
        rows: Of a plane.
        in_x: Bytes from one pixel to the next of a row.
        in_y: Bytes from one row to the next.
        widened: Whether pixels are int8, four shuffled channels a word, and not int16, two a word.
    """

    words: int
    read: int
    rows: int
    in_x: int
    in_y: int
    widened: bool

    @property
    def channels(self) -> int:
        """Planes that are made at once."""
        return 4 if self.widened else 2

    @property
    def plane_bytes(self) -> int:
        """Bytes of a plane."""
        return 4 * self.words * self.rows

    @property
    def applies(self) -> bool:
        """Whether a pixel is within reach of a load from the one before it."""
        return self.in_x <= NEAR


def gather_kernel(gathering: Gathering) -> Kernel:
    """Writes the kernel: r0 is the first pixel, r2 the first plane, the others follow it."""
    targets = _TARGETS[gathering.channels]
    steps: list[Step] = []
    if targets[0] != "r2":
        steps.append(step("COPY", targets[0], "r2"))
    for before, target in pairwise(targets):
        steps += moved_to(target, before, gathering.plane_bytes)
    steps += [*moved_to("r1", targets[0], gathering.plane_bytes), step("SAVE", "r1", _END)]
    row = _Row(gathering)
    if gathering.rows == 1:
        steps += row.steps()
    else:
        steps += [label(_ROW), *row.steps()]
        steps += [step("FETCH", "r1", _END), *moved("r0", gathering.in_y - row.moved)]
        if row.stored < 4 * gathering.words:
            for target in targets:
                steps += moved(target, 4 * gathering.words - row.stored)
        steps.append(step("UNTIL", targets[0], "r1", _ROW, turns=((True, gathering.rows - 1), (False, 1))))
    return Kernel(tuple(steps), _FRAME)


class _Row:
    """Writes a row.

    Attributes:
        moved: Bytes by which it moves the pointer to pixels.
        stored: Bytes by which it moves the pointers to planes.
    """

    def __init__(self, gathering: Gathering) -> None:
        self.moved = self.stored = 0
        self._gathering = gathering
        self._targets = _TARGETS[gathering.channels]

    def steps(self) -> list[Step]:
        """All steps of a row."""
        one = self._gathering
        if one.words <= _UNROLLED:
            return self._words(0, one.words)
        turns = (one.words - 1) // _TURN
        size = 2 * _TURN * one.in_x
        end = moved_to("r1", self._targets[0], 4 * _TURN * turns)
        body = [*self._words(0, _TURN), *moved("r0", size - self.moved)]
        for target in self._targets:
            body += moved(target, 4 * _TURN)
        again = step("UNTIL", self._targets[0], "r1", _REPEAT, turns=((True, turns - 1), (False, 1)))
        body += [step("FETCH", "r1", _ROW_END), again]
        self.moved, self.stored = size * turns, 4 * _TURN * turns
        rest = self._words(_TURN * turns, one.words)
        return [*end, step("SAVE", "r1", _ROW_END), label(_REPEAT), *body, *rest]

    def _words(self, first: int, end: int) -> list[Step]:
        steps: list[Step] = []
        for start in range(first, end, _GROUP):
            group = range(start, min(start + _GROUP, end))
            steps += self._wide(group) if self._gathering.widened else self._narrow(group)
        return steps

    def _pixel(self, element: int) -> tuple[list[Step], int]:
        """How to get within reach of a pixel, and its distance from the pointer then."""
        one = self._gathering
        distance = min(element, one.read - 1) * one.in_x - self.moved
        if distance <= NEAR:
            return [], distance
        self.moved += distance
        return moved("r0", distance), 0

    def _load(self, word: int, registers: tuple[str, str]) -> list[Step]:
        """Loads the pixels of both halves of a word."""
        steps = []
        for half, register in enumerate(registers):
            before, distance = self._pixel(2 * word + half)
            steps += [*before, step("LDR", register, "r0", distance)]
        return steps

    def _narrow(self, words: range) -> list[Step]:
        """Two channels: r3 to r6 hold pixels, then r3 and r5 the first channel, r7 and r8 the second."""
        lanes = list(zip(words, (("r3", "r4", "r7"), ("r5", "r6", "r8")), strict=False))
        steps = [item for word, (a, b, _) in lanes for item in self._load(word, (a, b))]
        for _, (a, b, high) in lanes:
            steps += [step("PACK_HIGH", high, a, b), step("PACK_LOW", a, a, b)]
        for word, (a, _, high) in lanes:
            steps += [step("STR", a, self._targets[0], 4 * word - self.stored)]
            steps += [step("STR", high, self._targets[1], 4 * word - self.stored)]
        return steps

    def _wide(self, words: range) -> list[Step]:
        """Four channels: first and second are in the even bytes of a word, third and fourth in the odd ones."""
        steps = []
        for word in words:
            steps += self._load(word, ("r3", "r4"))
            steps += [step("WIDEN_EVEN", "r5", "r3"), step("WIDEN_EVEN", "r6", "r4")]
            steps += [step("WIDEN_ODD", "r3", "r3"), step("WIDEN_ODD", "r4", "r4")]
            steps += [step("PACK_LOW", "r7", "r5", "r6"), step("PACK_HIGH", "r8", "r5", "r6")]
            steps += [step("PACK_LOW", "r5", "r3", "r4"), step("PACK_HIGH", "r6", "r3", "r4")]
            for register, target in zip(("r7", "r8", "r5", "r6"), self._targets, strict=True):
                steps.append(step("STR", register, target, 4 * word - self.stored))
        return steps
