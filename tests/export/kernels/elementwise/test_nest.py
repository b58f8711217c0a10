"""Nests of loops: they visit what they are made of, in as few loops as there can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.ir.ops import Padding
from export.kernels.elementwise.nest import Nest, addresses, common_shape, nest, stride, summed
from export.kernels.layout import Layout

SHAPES = st.tuples(*[st.integers(1, 5)] * 3)


def plain(shape: tuple[int, int, int], **changes: object) -> Layout:
    fields = {"pixel": shape[2], "border": Padding(), "element": "int8", **changes}
    return Layout(*shape, **fields)


def visited(loops: Nest, operand: int) -> list[int]:
    access = loops.accesses[operand]
    return summed(access.start, access.offsets).ravel().tolist()


@given(SHAPES, st.permutations(range(3)), st.integers(0, 2), st.booleans())
def test_every_element_is_visited_once(
    shape: tuple[int, int, int], order: list[int], border: int, padded: bool
) -> None:
    index = np.arange(int(np.prod(shape))).reshape(shape)
    source = plain(shape, pixel=shape[2] + padded, border=Padding(border, 1, 0, border))
    moved = index.transpose(order)
    loops = nest((source, plain(moved.shape)), (moved, np.arange(index.size).reshape(moved.shape)))
    assert dict(zip(visited(loops, 1), visited(loops, 0), strict=True)) == dict(
        enumerate(addresses(source, moved.ravel()).tolist())
    )


@pytest.mark.parametrize(
    ("indices", "count"),
    [
        (np.arange(24).reshape(2, 3, 4), 1),
        (np.tile(np.arange(6).reshape(2, 3), (2, 2)), 4),
        (np.arange(24).reshape(2, 3, 4)[:, :, ::2], 1),
        (np.arange(24).reshape(4, 6).repeat(2, axis=0), 3),
        (np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1), 3),
    ],
    ids=["whole", "tile", "every other", "repeat", "transposed"],
)
def test_loops_have_constant_strides(indices: np.ndarray, count: int) -> None:
    everything = np.arange(indices.size).reshape(indices.shape)
    layouts = (plain((1, 1, int(indices.max()) + 1)), plain((1, 1, indices.size)))
    loops = nest(layouts, (indices, everything))
    assert len(loops.extents) <= count
    assert all(stride(offsets) is not None for access in loops.accesses for offsets in access.offsets)
    assert visited(loops, 0) == indices.ravel().tolist()


def test_shapes_of_one_size() -> None:
    assert common_shape((1, 5, 12), (1, 20, 3)) == (5, 4, 3)
    assert common_shape((5, 6, 5), (6, 5, 5)) is None
