"""The kernel that transforms weights at run time, where flash is too short for transformed ones: F(4 x 4, 3 x 3).

Weights lie in flash as int8: for a block of output channels, pair by pair of input channels and channel by channel,
nine taps of two inputs in five words. They become what the products read, in scratch memory.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.kernels.language.addresses import Addresses
from export.kernels.language.instructions import aligned
from export.kernels.language.steps import WORD, Step, label, step
from export.kernels.language.straight_line import StraightLine
from export.kernels.plan import Kernel
from export.kernels.winograd.algorithm import FOUR
from export.kernels.winograd.tiles import CHANNELS, Tiling
from export.targets import Timing

KERNEL_WORDS = 5
"""Words of the nine taps of a pair of input channels."""

_COUNT, _TRANSFORMED = 0, 1  # stack slots; behind the count what is transformed in one direction
_FRAME = _TRANSFORMED + FOUR.points * FOUR.taps
_KERNELS = 1  # label
_FREE = ("r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "r0")


def packed_words(weights: NDArray[np.int32]) -> NDArray[np.uint32]:
    """Weights as the kernel reads them.

    Args:
        weights: [..., 9 taps, 2 input channels], within int8.

    Returns:
        [..., KERNEL_WORDS]: a word has one tap in its even bytes and the next in its odd ones.
    """
    taps = np.concatenate([weights, np.zeros_like(weights[..., :1, :])], axis=-2) & 0xFF
    pairs = taps.reshape(*taps.shape[:-2], KERNEL_WORDS, 2, 2)  # [word, tap of it, input]
    shifts = np.array([[0, 16], [8, 24]])
    return np.asarray((pairs << shifts).sum(axis=(-2, -1)).astype(np.uint32))


def transformed_bytes(tiling: Tiling) -> int:
    """Scratch memory for the transformed weights of a block of output channels."""
    return tiling.components * tiling.pairs * CHANNELS * WORD


def weights_kernel(tiling: Tiling, timing: Timing) -> Kernel:
    """A kernel for a block of output channels: r1 its packed weights, r2 where the transformed ones go.

    Args:
        tiling: Of the layer.
        timing: The core's pipeline.
    """
    code = StraightLine()
    for column in range(FOUR.taps):
        taps = [_tap(code, FOUR.taps * row + column) for row in range(FOUR.taps)]
        for row, value in enumerate(_combined(code, *taps)):
            code.save(value, _slot(row, column))
    write = Addresses(code, "r2")
    points = [point for group in tiling.groups for point in group.points]
    panel = tiling.pairs * CHANNELS * WORD
    for row in range(FOUR.points):
        values = [code.fetch(_slot(row, column)) for column in range(FOUR.taps)]
        for column, value in enumerate(_combined(code, *values)):
            base, offset = write.at(panel * points.index((row, column)))
            code.effect("STR", value, base, offset)
    steps: list[Step] = [
        step("SET", tiling.pairs * CHANNELS, _COUNT),
        label(_KERNELS),
        *code.steps(_FREE, timing),
    ]
    steps += [step("ADD", "r1", WORD * KERNEL_WORDS), step("ADD", "r2", WORD)]
    turns = ((True, tiling.pairs * CHANNELS - 1), (False, 1))
    return Kernel(aligned([*steps, step("AGAIN", _COUNT, _KERNELS, turns=turns)], timing), _FRAME)


def _slot(row: int, column: int) -> int:
    return _TRANSFORMED + FOUR.taps * row + column


def _tap(code: StraightLine, tap: int) -> str:
    word = code.value("LDRC", "r1", WORD * (tap // 2))
    return code.value("WIDEN_ODD" if tap % 2 else "WIDEN_EVEN", word)


def _combined(code: StraightLine, a: str, b: str, c: str) -> list[str]:
    """The combinations of `FOUR.kernel`."""

    def plus(x: str, y: str) -> str:
        return code.value("SUM16", x, y)

    def minus(x: str, y: str) -> str:
        return code.value("DIFFERENCE16", x, y)

    def doubled(x: str) -> str:
        return plus(x, x)

    ends = plus(a, c)
    four_sum, four_difference = doubled(doubled(plus(ends, b))), doubled(doubled(minus(ends, b)))
    two_b, four_c = doubled(b), doubled(doubled(c))
    far = plus(a, four_c)
    two_a = doubled(a)
    return [
        plus(two_a, doubled(two_a)),
        four_sum,
        four_difference,
        plus(far, two_b),
        minus(far, two_b),
        plus(four_c, doubled(four_c)),
    ]
