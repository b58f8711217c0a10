"""Groups cover a kernel once, never cross kernel positions, and are smaller at its ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_approx.errors import OptionError
from keras_approx.skipping.granularity import (
    Granularity,
    group_outputs,
    group_significance,
    group_sums,
    spread,
)
from tests.keras_approx.skipping.test_masks import granularities, shapes


def test_pairs_are_neighbouring_input_channels_and_the_last_odd_one_is_alone() -> None:
    values = np.array([[1, 10], [2, 20], [3, 30]])
    assert np.array_equal(group_sums(values, "pair"), [[3, 30], [3, 30]])
    assert np.array_equal(spread(np.array([[5, 6], [7, 8]]), (3, 2), "pair"), [[5, 6], [5, 6], [7, 8]])
    assert np.array_equal(group_sums(values, "operand"), values)


def test_blocks_are_pairs_for_four_output_channels() -> None:
    values = np.ones((3, 6), int)
    assert np.array_equal(group_sums(values, "block"), [[8, 4], [4, 2]])
    assert np.array_equal(group_outputs(values.shape, "block"), [4, 2])
    assert np.array_equal(group_significance(values, "block"), [[2, 2], [1, 1]])
    assert np.array_equal(
        spread(np.array([[1, 2], [3, 4]]), (3, 6), "block"), [[1, 1, 1, 1, 2, 2]] * 2 + [[3, 3, 3, 3, 4, 4]]
    )


@given(shapes, granularities)
def test_every_operand_is_in_one_group(shape: tuple[int, ...], granularity: str | Granularity) -> None:
    ones = np.ones(shape, int)
    sums = group_sums(ones, granularity)
    assert sums.sum() == ones.sum()
    numbered = spread(np.arange(sums.size).reshape(sums.shape), shape, granularity)
    assert np.array_equal(np.bincount(numbered.ravel(), minlength=sums.size), sums.ravel())


@given(shapes, st.integers(1, 3), st.integers(1, 5))
def test_groups_never_cross_kernel_positions(shape: tuple[int, ...], inputs: int, outputs: int) -> None:
    index = np.arange(np.prod(shape)).reshape(shape)
    sums = group_sums(index, Granularity(inputs, outputs))
    for where in np.ndindex(sums.shape):
        rows = slice(inputs * where[-2], inputs * (where[-2] + 1))
        columns = slice(outputs * where[-1], outputs * (where[-1] + 1))
        assert sums[where] == index[(*where[:-2], rows, columns)].sum()


@pytest.mark.parametrize("extents", [{"inputs": 0}, {"outputs": -4}, {"outputs": 1.5}])
def test_extents_that_do_not_exist(extents: dict) -> None:
    with pytest.raises(OptionError, match="positive integers"):
        Granularity(**extents)
