"""Winograd's minimal filtering F(m x m, 3 x 3) in integers: matrices, weights, and the operations of both transforms.

With a kernel g and an input tile d, the m x m outputs are A' [(G g G') * (B' d B)] A. Rows of G are scaled to integers
so that the result is the outputs times a known denominator: 576 for m = 4 and 64 for m = 2. All sums are taken modulo
2^32, which is harmless, since only the end has to fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.kernels.straight_line import StraightLine

Sums = Callable[[int], str]
"""Loads the sum at a point of a direction."""
InputTransform = Callable[[StraightLine, Sequence[str], Sequence[int]], dict[int, str]]
"""Adds the operations of one direction of B', on inputs, for those points that are asked for."""
OutputTransform = Callable[[StraightLine, Sums, Sequence[int]], dict[int, str]]
"""Adds the operations of one direction of A', for those outputs that are asked for."""


@dataclass(frozen=True)
class Algorithm:
    """F(m x m, 3 x 3).

    Attributes:
        name: as plans call it.
        outputs: m, of a tile in each direction.
        kernel_rows: G, scaled to integers: [m + 2, 3].
        denominator: what the outputs are multiplied by, a power of two times an odd number.
        inverse: of the odd number modulo 2^32.
        transform_input: B', on two channels of a word at once.
        transform_output: A', on sums of 32 bits.
    """

    name: str
    outputs: int
    kernel_rows: tuple[tuple[int, int, int], ...]
    denominator: int
    inverse: int
    transform_input: InputTransform
    transform_output: OutputTransform

    @property
    def points(self) -> int:
        """Points in each direction: inputs of a tile, too."""
        return self.outputs + 2

    def transformed(self, weights: NDArray[np.int32]) -> NDArray[np.int64]:
        """G g G' of weights [out, 3, 3, in]: [out, points, points, in], within 16 bits for int8 weights."""
        rows = np.array(self.kernel_rows, np.int64)
        return np.asarray(np.einsum("ia,kabc,jb->kijc", rows, weights, rows, optimize=True))


def _input4(block: StraightLine, d: Sequence[str], wanted: Sequence[int]) -> dict[int, str]:
    """Points 0, 1, -1, 2, -2 and infinity."""

    def plus(x: str, y: str) -> str:
        return block.value("SUM16", x, y)

    def minus(x: str, y: str) -> str:
        return block.value("DIFFERENCE16", x, y)

    even, odd = minus(d[4], d[2]), minus(d[3], d[1])
    first, last = minus(d[0], d[2]), minus(d[5], d[3])
    two, one = plus(d[2], d[2]), plus(d[1], d[1])
    odd2, first2 = plus(odd, odd), plus(first, first)
    four_two, four_one = plus(two, two), plus(one, one)
    first4 = plus(first2, first2)
    left, right = minus(d[4], four_two), minus(d[3], four_one)
    found = {0: plus(first4, even), 1: plus(left, right), 2: minus(left, right)}
    found |= {3: plus(even, odd2), 4: minus(even, odd2)}
    if 5 in wanted:
        found[5] = minus(last, plus(odd2, odd2))
    return found


def _output4(block: StraightLine, m: Sums, wanted: Sequence[int]) -> dict[int, str]:
    second, third = m(1), m(2)
    near, across = block.value("SUM", second, third), block.value("DIFFERENCE", second, third)
    fourth, fifth = m(3), m(4)
    far, beyond = block.value("SUM", fourth, fifth), block.value("DIFFERENCE", fourth, fifth)
    found = {}
    if 2 in wanted:
        found[2] = block.value("SUM_LEFT", near, far, 2)
    if 0 in wanted:
        found[0] = block.value("SUM", block.value("SUM", m(0), near), far)
    if 1 in wanted:
        found[1] = block.value("SUM_LEFT", across, beyond, 1)
    if 3 in wanted:
        found[3] = block.value("SUM_LEFT", block.value("SUM_LEFT", across, m(5), 1), beyond, 3)
    return found


def _input2(block: StraightLine, d: Sequence[str], wanted: Sequence[int]) -> dict[int, str]:
    """Points 0, 1, -1 and infinity."""
    found = {
        0: block.value("DIFFERENCE16", d[0], d[2]),
        1: block.value("SUM16", d[1], d[2]),
        2: block.value("DIFFERENCE16", d[2], d[1]),
    }
    if 3 in wanted:
        found[3] = block.value("DIFFERENCE16", d[1], d[3])
    return found


def _output2(block: StraightLine, m: Sums, wanted: Sequence[int]) -> dict[int, str]:
    second, third = m(1), m(2)
    found = {}
    if 0 in wanted:
        found[0] = block.value("SUM", block.value("SUM", second, third), m(0))
    if 1 in wanted:
        found[1] = block.value("DIFFERENCE", block.value("DIFFERENCE", second, third), m(3))
    return found


F4 = Algorithm(
    name="winograd4",
    outputs=4,
    kernel_rows=((6, 0, 0), (-4, -4, -4), (-4, 4, -4), (1, 2, 4), (1, -2, 4), (0, 0, 12)),
    denominator=576,
    inverse=pow(9, -1, 1 << 32),
    transform_input=_input4,
    transform_output=_output4,
)
F2 = Algorithm(
    name="winograd2",
    outputs=2,
    kernel_rows=((8, 0, 0), (4, 4, 4), (4, -4, 4), (0, 0, 8)),
    denominator=64,
    inverse=1,
    transform_input=_input2,
    transform_output=_output2,
)
