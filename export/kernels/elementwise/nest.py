"""Loops over operands whose elements lie at sums of an offset for each loop.

Most operators that move or combine single elements are such a nest: output element (i, j, ...) is computed from
elements whose places in memory are start + offsets of i + offsets of j + ... Offsets that grow by steps become
products, others tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np
from numpy.typing import NDArray

from export.kernels.layout import Layout

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Walk:
    """What a nest visits of one operand, in elements of its memory.

    Attributes:
        start: of the first element.
        offsets: for each loop, how far each of its turns is from the first.
    """

    start: int
    offsets: tuple[Ints, ...]


@dataclass(frozen=True)
class Nest:
    """Loops, the outermost first, and the walks of the operands."""

    extents: tuple[int, ...]
    walks: tuple[Walk, ...]


def addresses(layout: Layout, flat: Ints) -> Ints:
    """Where elements lie, given their indices in row-major order of the activation."""
    pixels, channels = np.divmod(flat, layout.channels)
    rows, columns = np.divmod(pixels, layout.width)
    places = channels
    if layout.shuffled:
        places = channels & ~3 | (channels & 1) << 1 | channels >> 1 & 1
    border = layout.border
    return (rows + border.top) * layout.row + (columns + border.left) * layout.pixel + places


def summed(start: int, offsets: Sequence[Sequence[int] | Ints]) -> Ints:
    """Int [extents]: start plus an offset for each dimension."""
    total = np.array(start, np.int64)
    for distances in offsets:
        total = total[..., None] + np.array(distances, np.int64)
    return total


def separated(indices: Ints) -> Walk | None:
    """The walk over an array of indices, or None where they are no sums of an offset for each dimension."""
    start = int(indices.flat[0])
    offsets = []
    for axis in range(indices.ndim):
        line = tuple(slice(None) if other == axis else 0 for other in range(indices.ndim))
        offsets.append(indices[line] - start)
    return Walk(start, tuple(offsets)) if np.array_equal(summed(start, offsets), indices) else None


def nest(layouts: Sequence[Layout], indices: Sequence[Ints]) -> Nest:
    """The loops over the elements that `indices` name, one array of one shape an operand.

    Args:
        layouts: of the operands.
        indices: int [*extents], row-major indices of the operands' elements.

    Returns:
        As few loops as there can be. Elements that lie at no sums of offsets, which no layout of the operators that
        are written so has, are one loop over a table.
    """
    placed = [addresses(layout, index) for layout, index in zip(layouts, indices, strict=True)]
    walks = [separated(places) for places in placed]
    if any(walk is None for walk in walks):
        placed = [places.reshape(-1) for places in placed]
        walks = [separated(places) for places in placed]
    return merged(_stepped(Nest(placed[0].shape, tuple(walk for walk in walks if walk is not None))))


def step(offsets: Ints) -> int | None:
    """The distance from turn to turn where it is always the same."""
    steps = np.unique(np.diff(offsets))
    if len(steps) > 1:
        return None
    return int(steps[0]) if len(steps) else 0


def _stepped(loops: Nest) -> Nest:
    """The same elements, loops that do not grow by steps made several that do, as far as that goes."""
    extents: list[int] = []
    offsets: list[list[Ints]] = [[] for _ in loops.walks]
    for axis, extent in enumerate(loops.extents):
        for part in _parts([walk.offsets[axis] for walk in loops.walks], extent):
            extents.append(len(part[0]))
            for kept, own in zip(offsets, part, strict=True):
                kept.append(own)
    walks = (Walk(walk.start, tuple(own)) for walk, own in zip(loops.walks, offsets, strict=True))
    return Nest(tuple(extents), tuple(walks))


def _parts(offsets: list[Ints], extent: int) -> list[list[Ints]]:
    """One loop as nested ones, the innermost of which grows by steps for each operand."""
    if all(step(own) is not None for own in offsets):
        return [offsets]
    for inner in range(extent // 2, 1, -1):
        if extent % inner:
            continue
        tables = [own.reshape(-1, inner) for own in offsets]
        near = [table[0] - table[0, 0] for table in tables]
        alike = all((table - table[:, :1] == own).all() for table, own in zip(tables, near, strict=True))
        if alike and all(step(own) is not None for own in near):
            return [*_parts([table[:, 0] for table in tables], extent // inner), near]
    return [offsets]


def merged(loops: Nest) -> Nest:
    """The same elements in fewer loops: those of one turn are dropped, those that follow on each other joined."""
    kept: list[tuple[int, list[Ints]]] = []
    for axis, extent in enumerate(loops.extents):
        offsets = [walk.offsets[axis] for walk in loops.walks]
        if extent == 1:
            continue
        if kept and _follow_on(kept[-1][1], offsets):
            before, outer = kept.pop()
            joined = [(first[:, None] + second).ravel() for first, second in zip(outer, offsets, strict=True)]
            kept.append((before * extent, joined))
        else:
            kept.append((extent, offsets))
    walks = (
        Walk(walk.start, tuple(offsets[number] for _, offsets in kept))
        for number, walk in enumerate(loops.walks)
    )
    return Nest(tuple(extent for extent, _ in kept), tuple(walks))


def _follow_on(outer: Sequence[Ints], inner: Sequence[Ints]) -> bool:
    """Whether two loops are one for each operand."""
    for first, second in zip(outer, inner, strict=True):
        far, near = step(first), step(second)
        if far is None or near is None or far != near * len(second):
            return False
    return True


def common_shape(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...] | None:
    """Dimensions of which those of both shapes of one size are products, or None where there are none."""
    ends = sorted({prod(shape[axis:]) for shape in (first, second) for axis in range(len(shape))} | {1})
    if any(larger % smaller for smaller, larger in pairwise(ends)):
        return None
    return tuple(larger // smaller for smaller, larger in reversed(list(pairwise(ends))))
