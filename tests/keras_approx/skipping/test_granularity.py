"""Groups cover a kernel once, have one of its positions or all, and are smaller at its ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_approx.errors import OptionError
from keras_approx.skipping.granularity import (
    GRANULARITIES,
    Granularity,
    get_granularity,
    granularity_name,
    group_instructions,
    group_rows,
    group_significance,
    group_sums,
    layer_granularities,
    refines,
    spread,
)
from tests.keras_approx.skipping.test_masks import granularities, shapes


def test_pairs_are_neighboring_input_channels_and_the_last_odd_one_is_alone() -> None:
    values = np.array([[1, 10], [2, 20], [3, 30]])
    assert np.array_equal(group_sums(values, "pair"), [[3, 30], [3, 30]])
    assert np.array_equal(spread(np.array([[5, 6], [7, 8]]), (3, 2), "pair"), [[5, 6], [5, 6], [7, 8]])
    assert np.array_equal(group_sums(values, "operand"), values)


def test_blocks_are_pairs_for_four_output_channels() -> None:
    values = np.ones((3, 6), int)
    assert np.array_equal(group_sums(values, "block"), [[8, 4], [4, 2]])
    assert np.array_equal(group_instructions(values.shape, "block"), [4, 2])
    assert np.array_equal(group_significance(values, "block"), [[2, 2], [1, 1]])
    assert np.array_equal(
        spread(np.array([[1, 2], [3, 4]]), (3, 6), "block"), [[1, 1, 1, 1, 2, 2]] * 2 + [[3, 3, 3, 3, 4, 4]]
    )


def test_kernels_are_pairs_at_all_positions() -> None:
    values = np.arange(2 * 3 * 3 * 2).reshape(2, 3, 3, 2)
    sums = group_sums(values, "kernel")
    assert sums.shape == (1, 1, 2, 2)
    assert np.array_equal(sums[0, 0, 0], values[:, :, :2].sum(axis=(0, 1, 2)))
    assert np.array_equal(sums[0, 0, 1], values[:, :, 2].sum(axis=(0, 1)))
    assert np.array_equal(group_instructions(values.shape, "kernel"), [6, 6])
    assert np.array_equal(spread(sums, values.shape, "kernel")[1, 2, 1], sums[0, 0, 0])
    blocks = group_sums(np.ones((3, 3, 4, 6), int), "kernel block")
    assert np.array_equal(blocks, [[[[72, 36], [72, 36]]]])
    assert np.array_equal(
        group_significance(np.ones((3, 3, 4, 6)), "kernel block"), 2 * np.ones((1, 1, 2, 2))
    )
    assert np.array_equal(group_sums(np.ones((3, 2)), "kernel"), group_sums(np.ones((3, 2)), "pair"))


@given(shapes, granularities)
def test_rows_are_the_operands_of_each_group(shape: tuple[int, ...], granularity: str | Granularity) -> None:
    rows = group_rows(shape, granularity)
    assert np.array_equal(np.sort(rows[rows >= 0]), np.arange(np.prod(shape[:-1])))
    values = np.random.default_rng(0).random(shape)
    flat = values.reshape(-1, shape[-1])
    sums = np.where(rows[:, :, None] >= 0, flat[rows], 0).sum(axis=1)
    extent = get_granularity(granularity)
    one_channel = Granularity(extent.inputs, 1, extent.taps)
    np.testing.assert_allclose(sums, group_sums(values, one_channel).reshape(sums.shape))


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


def test_layers_have_the_granularity_of_the_first_pattern() -> None:
    names = ["conv1", "conv2", "dense"]
    assert layer_granularities("kernel", names) == dict.fromkeys(names, "kernel")
    several = {"conv1": "pair", "conv*": Granularity(2, 4, taps=True)}
    found = layer_granularities(several, names)
    assert found == {"conv1": "pair", "conv2": "kernel block", "dense": "pair"}
    with pytest.raises(OptionError, match="pattern 'conv1' matches only conv1, which an earlier one does"):
        layer_granularities({"conv*": "pair", "conv1": "kernel"}, names)
    with pytest.raises(OptionError, match="pattern 'pool' matches no layer"):
        layer_granularities({"pool": "pair"}, names)
    with pytest.raises(OptionError, match="must be one of operand, pair, block, kernel, kernel block"):
        layer_granularities({"conv1": "tap"}, names)


def test_names_and_extents_are_the_same() -> None:
    for name, extent in GRANULARITIES.items():
        assert granularity_name(extent) == granularity_name(name) == name
    assert granularity_name(Granularity(3)) == Granularity(3)


def test_taps_are_all_or_one() -> None:
    with pytest.raises(OptionError, match="True or False, got 9"):
        Granularity(taps=9)


@pytest.mark.parametrize("extents", [{"inputs": 0}, {"outputs": -4}, {"outputs": 1.5}])
def test_extents_that_do_not_exist(extents: dict) -> None:
    with pytest.raises(OptionError, match="positive integers"):
        Granularity(**extents)


def test_pairs_make_up_kernels_and_blocks_and_not_the_other_way_round() -> None:
    assert refines("pair", "pair")
    assert refines("pair", "kernel")
    assert refines("pair", "kernel block")
    assert refines("kernel", "kernel block")
    assert not refines("kernel", "pair")
    assert not refines("kernel", "block")
    assert not refines("kernel block", "kernel")
    assert not refines("pair", "operand")
