"""Masks keep what they should, in whole pairs, within their fraction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_approx.errors import MaskError, OptionError
from keras_approx.skipping.granularity import (
    GRANULARITIES,
    Granularities,
    Granularity,
    get_granularity,
    group_instructions,
    group_significance,
    group_sums,
    layer_granularities,
    spread,
)
from keras_approx.skipping.masks import (
    budget_masks,
    fraction_masks,
    kept_fraction,
    load_masks,
    save_masks,
    share_thresholds,
    threshold_mask,
)

shapes = st.one_of(
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.integers(1, 4)),
    st.tuples(st.integers(1, 7), st.integers(1, 4)),
)
granularities = st.sampled_from([*GRANULARITIES, Granularity(1, 3), Granularity(3, 2, taps=True)])


def _values(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape).astype(np.float32)


@given(shapes, st.floats(0, 2), granularities)
def test_threshold_keeps_whole_groups_at_or_above_it(
    shape: tuple[int, ...], threshold: float, granularity: str | Granularity
) -> None:
    values = _values(shape)
    mask = threshold_mask(values, threshold, granularity)
    assert mask.shape == shape
    kept = spread(group_sums(mask, granularity), shape, granularity) > 0
    assert np.array_equal(mask, kept)
    groups = spread(group_significance(values, granularity), shape, granularity)
    assert np.array_equal(mask, groups >= threshold)


@given(shapes, shapes, st.floats(0, 1), granularities, st.floats(0, 1))
def test_fraction_is_met_as_closely_as_groups_allow(
    first: tuple[int, ...],
    second: tuple[int, ...],
    fraction: float,
    granularity: str | Granularity,
    cost_exponent: float,
) -> None:
    significance = {"a": _values(first), "b": _values(second, seed=1)}
    positions = {"a": 9, "b": 1}
    masks = fraction_masks(
        significance, positions, fraction, granularity=granularity, cost_exponent=cost_exponent
    )
    total = sum(values.size * positions[name] for name, values in significance.items())
    largest = max(
        positions[name] * group_sums(np.ones(values.shape), granularity).max()
        for name, values in significance.items()
    )
    kept = kept_fraction(masks, positions) * total
    assert kept <= fraction * total + 0.5
    assert kept > fraction * total - largest - 0.5 or fraction == 1
    if fraction == 1:
        assert kept == pytest.approx(total)
    ranks = {
        name: group_significance(values / positions[name] ** cost_exponent, granularity)
        for name, values in significance.items()
    }
    chosen = {name: group_sums(masks[name], granularity) > 0 for name in masks}
    lowest = min((ranks[name][chosen[name]].min(initial=np.inf) for name in masks), default=np.inf)
    highest = max(ranks[name][~chosen[name]].max(initial=0) for name in masks)
    assert lowest >= highest


@given(shapes, st.integers(0, 100))
def test_more_is_a_superset_of_less(shape: tuple[int, ...], percent: int) -> None:
    significance = {"a": _values(shape)}
    less = fraction_masks(significance, {"a": 4}, percent / 200)["a"]
    more = fraction_masks(significance, {"a": 4}, percent / 100)["a"]
    assert np.all(more | ~less)


def test_layer_scope_gives_every_layer_its_fraction() -> None:
    significance = {"a": _values((4, 10)), "b": 100 * _values((8, 10))}
    masks = fraction_masks(significance, {"a": 1, "b": 1}, 0.5, scope="layer")
    assert {name: mask.mean() for name, mask in masks.items()} == {"a": 0.5, "b": 0.5}


def test_equal_groups_are_kept_in_order() -> None:
    mask = fraction_masks({"a": np.ones((4, 2))}, {"a": 1}, 0.5)["a"]
    assert np.array_equal(mask, [[True, True], [True, True], [False, False], [False, False]])


def test_cost_exponent_decides_between_cheap_and_dear_layers() -> None:
    significance = {"cheap": np.full((2, 2), 0.1), "dear": np.full((2, 2), 0.5)}
    positions = {"cheap": 1, "dear": 100}
    by_significance = fraction_masks(significance, positions, 0.5, granularity="operand", cost_exponent=0)
    assert not by_significance["cheap"].any()
    by_price = fraction_masks(significance, positions, 0.5, granularity="operand", cost_exponent=1)
    assert by_price["cheap"].all()


@given(
    shapes,
    shapes,
    st.floats(0, 1),
    st.sampled_from(["pair", "block", "kernel", Granularity(4, 2), {"a": "kernel block"}]),
)
def test_budget_buys_most_significance_per_cycle(
    first: tuple[int, ...], second: tuple[int, ...], share: float, granularity: Granularities
) -> None:
    significance = {"a": _values(first), "b": _values(second, seed=1)}
    prices = {"a": 30.5, "b": 1.25, "of another layer": 0}
    pairs = {name: group_sums(np.ones(values.shape), "pair").size for name, values in significance.items()}
    budget = share * sum(prices[name] * pairs[name] for name in pairs)
    masks = budget_masks(significance, prices, budget, granularity=granularity)

    def cycles(name: str, mask: np.ndarray) -> float:
        return prices[name] * np.count_nonzero(group_sums(mask, "pair"))

    spent = sum(cycles(name, mask) for name, mask in masks.items())
    extents = layer_granularities(granularity, list(significance))
    largest = max(
        prices[name]
        * group_instructions(values.shape, extents[name]).max()
        * get_granularity(extents[name]).inputs
        / 2
        for name, values in significance.items()
    )
    assert budget - largest - 1e-6 < spent <= budget + 1e-6
    if share == 1:
        assert all(mask.all() for mask in masks.values())
    gains = []
    for name, mask in masks.items():
        ones = group_sums(np.ones(mask.shape), extents[name])
        numbered = spread(np.arange(ones.size).reshape(ones.shape), mask.shape, extents[name])
        for number in range(ones.size):
            group = numbered == number
            gain = significance[name][group].sum() / cycles(name, group)
            gains.append((gain, mask[group].all(), mask[group].any()))
    assert all(some == every for _, every, some in gains)
    kept = [gain for gain, every, _ in gains if every]
    skipped = [gain for gain, every, _ in gains if not every]
    assert min(kept, default=np.inf) >= max(skipped, default=0) * (1 - 1e-6)


@given(shapes, st.floats(0, 1), st.floats(0, 1), granularities)
def test_least_is_kept_in_any_case(
    shape: tuple[int, ...], least: float, fraction: float, granularity: str | Granularity
) -> None:
    values = _values(shape)
    mask = threshold_mask(values, 1e9, granularity, least=least)
    assert mask.mean() >= least - 1e-6
    largest = group_sums(np.ones(shape), granularity).max()
    assert mask.sum() <= least * mask.size + largest
    assert not threshold_mask(values, 1e9, granularity).any()
    # A layer of no significance beside one that has all of it.
    significance = {"a": 1e-6 * values, "b": 1 + _values((8, 8))}
    positions = {"a": 1, "b": 1}
    share = (least * values.size + largest) / (values.size + 64)
    fraction = min(1.0, max(fraction, share))
    masks = fraction_masks(significance, positions, fraction, granularity=granularity, least={"a": least})
    assert masks["a"].mean() >= least - 1e-6
    assert sum(int(mask.sum()) for mask in masks.values()) <= fraction * (values.size + 64) + 0.5


def test_cost_exponent_decides_what_a_budget_buys() -> None:
    significance = {"cheap": np.full((4, 2), 0.1), "dear": np.full((4, 2), 0.5)}
    prices = {"cheap": 1.0, "dear": 10.0}
    per_cycle = budget_masks(significance, prices, 22)
    assert per_cycle["cheap"].all()
    by_significance = budget_masks(significance, prices, 22, cost_exponent=0)
    assert by_significance["dear"].mean() == 0.5
    assert not by_significance["cheap"].any()


def test_least_beyond_all() -> None:
    with pytest.raises(OptionError, match="lower `least`, or raise the fraction"):
        fraction_masks({"a": np.ones((4, 2))}, {"a": 1}, 0.25, least={"a": 0.5})
    with pytest.raises(OptionError, match="lower `least`, or raise the fraction"):
        budget_masks({"a": np.ones((4, 2))}, {"a": 10}, 10, least={"a": 0.5})
    with pytest.raises(OptionError, match="between 0 and 1"):
        threshold_mask(np.ones((4, 2)), 0.5, least=2)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"prices": {"b": 1}}, "layer 'a' has None"),
        ({"prices": {"a": 0}}, "above 0"),
        ({"budget": -1}, "at least 0"),
        ({"budget": float("nan")}, "at least 0"),
        ({"granularity": "operand"}, "whole pairs"),
    ],
)
def test_budgets_that_cannot_be(options: dict, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        budget_masks({"a": np.ones((2, 2))}, **{"prices": {"a": 1}, "budget": 1, **options})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fraction": 1.5}, "between 0 and 1"),
        ({"fraction": float("nan")}, "between 0 and 1"),
        ({"granularity": "triple"}, "granularity must be one of operand, pair, block"),
        ({"scope": "network"}, "scope must be one of"),
    ],
)
def test_options_that_do_not_exist(options: dict, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        fraction_masks({"a": np.ones((2, 2))}, {"a": 1}, **{"fraction": 0.5, **options})


def test_no_layers_no_masks() -> None:
    assert fraction_masks({}, {}, 0.5) == {}


def test_masks_survive_a_file(tmp_path: Path) -> None:
    masks = {"conv/../x": _values((3, 3, 5, 2)) > 0.5, "file": _values((7, 3)) > 0.5}
    path = tmp_path / "masks"
    save_masks(path, masks)
    loaded = load_masks(path)
    assert list(loaded) == list(masks)
    assert all(np.array_equal(masks[name], loaded[name]) for name in masks)
    assert [file.name for file in tmp_path.iterdir()] == ["masks"]


def test_files_that_are_no_masks(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no archive")
    np.save(tmp_path / "array.npy", np.ones(3))
    np.savez(tmp_path / "floats.npz", a=np.ones(3))
    np.savez(tmp_path / "objects.npz", a=np.array([{}]))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "floats.npz").read_bytes()[:60])
    save_masks(tmp_path / "broken.npz", {"a": _values((64, 64)) > 0.5})
    content = bytearray((tmp_path / "broken.npz").read_bytes())
    content[100:200] = bytes(100)
    (tmp_path / "broken.npz").write_bytes(content)
    for name in ("text", "array.npy", "floats.npz", "objects.npz", "cut.npz", "broken.npz"):
        with pytest.raises(MaskError, match=name):
            load_masks(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        load_masks(tmp_path / "missing")


@pytest.mark.parametrize("granularity", ["operand", "pair", "kernel", "kernel block"])
def test_thresholds_of_shares_keep_them(granularity: str) -> None:
    values = np.random.default_rng(0).random((3, 3, 6, 8))
    shares = (1.0, 0.75, 0.5, 0.25, 0.0)
    thresholds = share_thresholds(values, shares, granularity)
    assert thresholds == sorted(thresholds)
    for share, threshold in zip(shares, thresholds, strict=True):
        kept = threshold_mask(values, threshold, granularity).mean()
        assert kept == pytest.approx(share, abs=0.501 / group_sums(values, granularity).size)
    with pytest.raises(OptionError, match="between 0 and 1"):
        share_thresholds(values, [1.5], granularity)
