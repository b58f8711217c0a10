"""Winograd's minimal filtering in integers: schemes of one direction, and the algorithms that two of them make.

A scheme computes a few outputs next to each other from sums at points. At a point, one or several components are
multiplied and added: each component is a combination of inputs times a combination of kernel taps. Rows of the kernel's
combinations are scaled to integers, so sums are the outputs times a known denominator. An algorithm for images is a
scheme down and a scheme across: its points and components are all pairs of the two schemes' own. Intermediate sums may
wrap modulo 2^32; only the final result has to fit.

F(4, 3) and F(2, 3) are Winograd's (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016). The scheme
for stride 2 splits taps into even ones, which F(2, 2) takes, and the odd one, whose products join the first and
the last point. A direct scheme has a point for each output and a component for each tap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from export.kernels.language.straight_line import StraightLine

Component = tuple[int, int]
"""A point of a direction, and which of its components."""
Sums = Callable[[int], str]
"""Loads the sum at a point of a direction."""

_SCALE = 8  # of each direction without thirds: all denominators have the same power of two, 64


class Input(NamedTuple):
    """An input, or the sum or difference of two: the second one belongs to `name`."""

    first: int
    name: str = ""
    second: int = 0

    @property
    def needed(self) -> set[int]:
        """The inputs."""
        return {self.first, self.second} if self.name else {self.first}


@dataclass(frozen=True, eq=False)  # compared by identity, which makes cache lookups cheap
class Scheme:
    """How outputs of one direction are computed.

    Attributes:
        name: F(outputs, taps), for people.
        outputs: Of a tile.
        taps: Of the kernel.
        stride: Of the convolution.
        kernel: By point and component, the factors of the taps.
        inputs: By point and component, the inputs; empty where `transform` says it.
        order: Of loading inputs, such that few values are alive at once.
        denominator: What outputs are multiplied by.
        shared: Points that are in every output once, or, if each output has such a point of its own, all of those.
        transform: Operations on inputs that give the components at given points, where they are more than one each.
        join: Operations on the sums at points that give the outputs asked for.
    """

    name: str
    outputs: int
    taps: int
    stride: int
    kernel: tuple[tuple[tuple[int, ...], ...], ...]
    inputs: tuple[tuple[Input, ...], ...]
    order: tuple[int, ...]
    denominator: int
    shared: tuple[int, ...]
    transform: Callable[[StraightLine, Sequence[str], int], dict[Component, str]] | None = field(repr=False)
    join: Callable[[StraightLine, Sums, Sequence[int]], dict[int, str]] = field(repr=False)

    @property
    def points(self) -> int:
        """How many there are."""
        return len(self.kernel)

    @cached_property
    def components(self) -> tuple[Component, ...]:
        """All components, point by point."""
        return tuple((point, which) for point, rows in enumerate(self.kernel) for which in range(len(rows)))

    def inputs_of(self, outputs: int) -> int:
        """Inputs that some outputs need."""
        return (outputs - 1) * self.stride + self.taps

    def points_of(self, outputs: int) -> int:
        """Points that the first outputs of a tile need: the last point serves the last output only."""
        return self.points if outputs == self.outputs else self.points - 1

    def transformed(self, code: StraightLine, inputs: Sequence[str], outputs: int) -> dict[Component, str]:
        """Adds the operations that give all components which the first outputs of a tile need.

        Args:
            code: Where to.
            inputs: `inputs_of(outputs)` values.
            outputs: How many.
        """
        if self.transform is not None:
            return self.transform(code, inputs, self.points_of(outputs))
        found = {}
        for point in range(self.points_of(outputs)):
            for which, (first, name, second) in enumerate(self.inputs[point]):
                value = inputs[first]
                found[point, which] = code.value(name, value, inputs[second]) if name else value
        return found


@dataclass(frozen=True)
class Algorithm:
    """A scheme for each direction.

    Attributes:
        name: As plans call it.
        down: From row to row.
        across: From column to column.
    """

    name: str
    down: Scheme
    across: Scheme

    @property
    def points(self) -> int:
        """Points of a tile."""
        return self.down.points * self.across.points

    @property
    def denominator(self) -> int:
        """Sums are the outputs times this."""
        return self.down.denominator * self.across.denominator

    @property
    def power(self) -> int:
        """The largest power of two that divides the denominator."""
        return self.denominator & -self.denominator

    @property
    def inverse(self) -> int:
        """The inverse of the denominator's odd factor, modulo 2^32."""
        return pow(self.denominator // self.power, -1, 1 << 32)

    @property
    def buffered(self) -> bool:
        """Whether columns are transformed into a buffer first, since a tile's values would not fit the registers."""
        return self.down.transform is not None

    def depth(self, point: tuple[int, int]) -> int:
        """Components at a point."""
        return len(self.down.kernel[point[0]]) * len(self.across.kernel[point[1]])

    def transformed(self, weights: NDArray[np.int32]) -> Mapping[tuple[int, int], NDArray[np.int64]]:
        """By point, what multiplies its components: int64 [out, components, in], those of `across` innermost.

        Args:
            weights: [out, kernel y, kernel x, in].
        """
        found = {}
        for point in product(range(self.down.points), range(self.across.points)):
            rows = np.array(self.down.kernel[point[0]], np.int64)
            columns = np.array(self.across.kernel[point[1]], np.int64)
            panel = np.einsum("ia,kabc,jb->kijc", rows, weights, columns, optimize=True)
            found[point] = panel.reshape(len(weights), -1, weights.shape[3])
        return found


@cache
def direct(taps: int, outputs: int, stride: int) -> Scheme:
    """A point for each output, a component for each tap; rows that several outputs read are read once."""
    identity = np.eye(taps, dtype=int) * _SCALE
    kernel = tuple(tuple(tuple(map(int, row)) for row in identity) for _ in range(outputs))
    inputs = tuple(tuple(Input(output * stride + tap) for tap in range(taps)) for output in range(outputs))
    return Scheme(
        name=f"direct({outputs}, {taps})",
        outputs=outputs,
        taps=taps,
        stride=stride,
        kernel=kernel,
        inputs=inputs,
        order=tuple(sorted({term.first for row in inputs for term in row})),
        denominator=_SCALE,
        shared=tuple(range(outputs)),
        transform=None,
        join=_join_direct,
    )


def _join_direct(code: StraightLine, m: Sums, wanted: Sequence[int]) -> dict[int, str]:
    return {output: m(output) for output in wanted}


def _input4(code: StraightLine, d: Sequence[str], points: int) -> dict[Component, str]:
    """Points 0, 1, -1, 2, -2 and infinity."""

    def plus(x: str, y: str) -> str:
        return code.value("SUM16", x, y)

    def minus(x: str, y: str) -> str:
        return code.value("DIFFERENCE16", x, y)

    d = [*d, *[d[-1]] * (6 - len(d))]  # what has no part in the outputs that are kept may be any int8 value
    even, odd = minus(d[4], d[2]), minus(d[3], d[1])
    first, last = minus(d[0], d[2]), minus(d[5], d[3])
    two, one = plus(d[2], d[2]), plus(d[1], d[1])
    odd2, first2 = plus(odd, odd), plus(first, first)
    four_two, four_one = plus(two, two), plus(one, one)
    first4 = plus(first2, first2)
    left, right = minus(four_two, d[4]), minus(four_one, d[3])
    found = [plus(first4, even), plus(left, right), minus(left, right), plus(even, odd2), minus(even, odd2)]
    if points == 6:
        found.append(minus(last, plus(odd2, odd2)))
    return {(point, 0): value for point, value in enumerate(found)}


def _join4(code: StraightLine, m: Sums, wanted: Sequence[int]) -> dict[int, str]:
    second, third, fourth, fifth = m(1), m(2), m(3), m(4)
    found = {}
    if 0 in wanted or 2 in wanted:
        near, far = code.value("SUM", second, third), code.value("SUM", fourth, fifth)
        if 2 in wanted:
            found[2] = code.value("SUM_LEFT", near, far, 2)
        if 0 in wanted:
            found[0] = code.value("SUM", code.value("SUM", m(0), near), far)
    if 1 in wanted or 3 in wanted:
        across, beyond = code.value("DIFFERENCE", second, third), code.value("DIFFERENCE", fourth, fifth)
        if 1 in wanted:
            found[1] = code.value("SUM_LEFT", across, beyond, 1)
        if 3 in wanted:
            found[3] = code.value("SUM_LEFT", code.value("SUM_LEFT", across, m(5), 1), beyond, 3)
    return found


def _join2(code: StraightLine, m: Sums, wanted: Sequence[int]) -> dict[int, str]:
    second, third = m(1), m(2)
    found = {}
    if 0 in wanted:
        found[0] = code.value("SUM", code.value("SUM", second, third), m(0))
    if 1 in wanted:
        found[1] = code.value("DIFFERENCE", code.value("DIFFERENCE", second, third), m(3))
    return found


def _join_stride2(code: StraightLine, m: Sums, wanted: Sequence[int]) -> dict[int, str]:
    middle = m(1)
    return {output: code.value("SUM", m(2 * output), middle) for output in wanted}


FOUR = Scheme(
    name="F(4, 3)",
    outputs=4,
    taps=3,
    stride=1,
    kernel=(((6, 0, 0),), ((4, 4, 4),), ((4, -4, 4),), ((1, 2, 4),), ((1, -2, 4),), ((0, 0, 12),)),
    inputs=(),
    order=tuple(range(6)),
    denominator=24,
    shared=(1,),
    transform=_input4,
    join=_join4,
)
TWO = Scheme(
    name="F(2, 3)",
    outputs=2,
    taps=3,
    stride=1,
    kernel=(((8, 0, 0),), ((4, 4, 4),), ((4, -4, 4),), ((0, 0, 8),)),
    inputs=(
        (Input(0, "DIFFERENCE16", 2),),
        (Input(1, "SUM16", 2),),
        (Input(2, "DIFFERENCE16", 1),),
        (Input(1, "DIFFERENCE16", 3),),
    ),
    order=(2, 0, 1, 3),
    denominator=_SCALE,
    shared=(1,),
    transform=None,
    join=_join2,
)
STRIDE2 = Scheme(
    name="F(2, 3) of stride 2",
    outputs=2,
    taps=3,
    stride=2,
    kernel=(((8, 0, 0), (0, 8, 0)), ((8, 0, 8),), ((0, 0, 8), (0, 8, 0))),
    inputs=(
        (Input(0, "DIFFERENCE16", 2), Input(1)),
        (Input(2),),
        (Input(4, "DIFFERENCE16", 2), Input(3)),
    ),
    order=(2, 0, 1, 4, 3),
    denominator=_SCALE,
    shared=(1,),
    transform=None,
    join=_join_stride2,
)


def algorithms(taps: tuple[int, int], stride: tuple[int, int]) -> list[Algorithm]:
    """The algorithms for a kernel of this size and stride; none unless it has three columns."""
    if taps[1] != FOUR.taps:
        return []
    if taps[0] == STRIDE2.taps and stride == (2, 2):
        return [Algorithm("winograd2s2", STRIDE2, STRIDE2)]
    if stride[1] != FOUR.stride:
        return []
    rows = [Algorithm(f"winograd{n}x4", direct(taps[0], n, stride[0]), FOUR) for n in (2, 1)]
    if taps[0] != FOUR.taps or stride[0] != FOUR.stride:
        return rows
    return [Algorithm("winograd4", FOUR, FOUR), Algorithm("winograd2", TWO, TWO), *rows]
