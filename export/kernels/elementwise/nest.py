"""Loop nests over operands whose addresses are sums of one offset a loop.

Most operators that move or combine single elements are such a nest: output element (i, j, ...) is computed from
elements at the addresses start + offsets of i + offsets of j + ... Offsets of a constant stride become moves of
pointers, others tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np
from numpy.typing import NDArray

from export.kernels.layout import Layout, shuffled_channel

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Access:
    """The elements of one operand that a nest reads or writes, counted from the start of its memory.

    Attributes:
        start: Of the first element.
        offsets: For each loop, the distance of each turn from the first.
    """

    start: int
    offsets: tuple[Ints, ...]


@dataclass(frozen=True)
class Nest:
    """Loops, the outermost first, and what they access of each operand."""

    extents: tuple[int, ...]
    accesses: tuple[Access, ...]


def addresses(layout: Layout, flat: Ints) -> Ints:
    """Where elements lie, given their indices in row-major order of the activation, which is not in planes."""
    assert not layout.lines
    pixels, channels = np.divmod(flat, layout.channels)
    rows, columns = np.divmod(pixels, layout.width)
    within = shuffled_channel(channels) if layout.shuffled else channels
    border = layout.border
    return (rows + border.top) * layout.row + (columns + border.left) * layout.pixel + within


def summed(start: int, offsets: Sequence[Sequence[int] | Ints]) -> Ints:
    """Int [extents]: start plus an offset for each dimension."""
    total = np.array(start, np.int64)
    for distances in offsets:
        total = total[..., None] + np.array(distances, np.int64)
    return total


def separated(indices: Ints) -> Access | None:
    """The access of an array of indices; None if they are not sums of one offset a dimension."""
    start = int(indices.flat[0])
    offsets = []
    for axis in range(indices.ndim):
        line = tuple(slice(None) if other == axis else 0 for other in range(indices.ndim))
        offsets.append(indices[line] - start)
    return Access(start, tuple(offsets)) if np.array_equal(summed(start, offsets), indices) else None


def nest(layouts: Sequence[Layout], indices: Sequence[Ints]) -> Nest:
    """The loops over the elements that `indices` name, one array of one shape an operand.

    Args:
        layouts: Of the operands.
        indices: int [*extents], row-major indices of the operands' elements.

    Returns:
        As few loops as possible. Addresses that are not sums of offsets, which no layout of these operators has, become
        one loop over a table.
    """
    placed = [addresses(layout, index) for layout, index in zip(layouts, indices, strict=True)]
    accesses = [separated(one) for one in placed]
    if any(access is None for access in accesses):
        placed = [one.reshape(-1) for one in placed]
        accesses = [separated(one) for one in placed]
    return merged(_stepped(Nest(placed[0].shape, tuple(access for access in accesses if access is not None))))


def stride(offsets: Ints) -> int | None:
    """The distance from turn to turn; None if it varies."""
    steps = np.unique(np.diff(offsets))
    if len(steps) > 1:
        return None
    return int(steps[0]) if len(steps) else 0


def _stepped(loops: Nest) -> Nest:
    """The same elements; loops without a constant stride are split into nested ones that have it, where possible."""
    extents: list[int] = []
    offsets: list[list[Ints]] = [[] for _ in loops.accesses]
    for axis, extent in enumerate(loops.extents):
        for part in _parts([access.offsets[axis] for access in loops.accesses], extent):
            extents.append(len(part[0]))
            for kept, own in zip(offsets, part, strict=True):
                kept.append(own)
    accesses = (Access(access.start, tuple(own)) for access, own in zip(loops.accesses, offsets, strict=True))
    return Nest(tuple(extents), tuple(accesses))


def _parts(offsets: list[Ints], extent: int) -> list[list[Ints]]:
    """One loop as nested ones, the innermost with a constant stride for each operand."""
    if all(stride(own) is not None for own in offsets):
        return [offsets]
    for inner in range(extent // 2, 1, -1):
        if extent % inner:
            continue
        tables = [own.reshape(-1, inner) for own in offsets]
        near = [table[0] - table[0, 0] for table in tables]
        alike = all((table - table[:, :1] == own).all() for table, own in zip(tables, near, strict=True))
        if alike and all(stride(own) is not None for own in near):
            return [*_parts([table[:, 0] for table in tables], extent // inner), near]
    return [offsets]


def merged(loops: Nest) -> Nest:
    """The same elements in fewer loops: loops of one turn are dropped, contiguous ones joined."""
    kept: list[tuple[int, list[Ints]]] = []
    for axis, extent in enumerate(loops.extents):
        offsets = [access.offsets[axis] for access in loops.accesses]
        if extent == 1:
            continue
        if kept and _follow_on(kept[-1][1], offsets):
            before, outer = kept.pop()
            joined = [(first[:, None] + second).ravel() for first, second in zip(outer, offsets, strict=True)]
            kept.append((before * extent, joined))
        else:
            kept.append((extent, offsets))
    accesses = (
        Access(access.start, tuple(offsets[number] for _, offsets in kept))
        for number, access in enumerate(loops.accesses)
    )
    return Nest(tuple(extent for extent, _ in kept), tuple(accesses))


def _follow_on(outer: Sequence[Ints], inner: Sequence[Ints]) -> bool:
    """Whether two nested loops visit what a single loop would, for each operand."""
    for first, second in zip(outer, inner, strict=True):
        far, near = stride(first), stride(second)
        if far is None or near is None or far != near * len(second):
            return False
    return True


def common_shape(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...] | None:
    """The fewest dimensions that merge into those of both shapes, which have one size; None if there are none."""
    ends = sorted({prod(shape[axis:]) for shape in (first, second) for axis in range(len(shape))} | {1})
    if any(larger % smaller for smaller, larger in pairwise(ends)):
        return None
    return tuple(larger // smaller for smaller, larger in reversed(list(pairwise(ends))))
