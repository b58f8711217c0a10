"""Layers get the setting of the first pattern that matches them, and masks that obey it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_approx.errors import OptionError
from keras_approx.skipping.granularity import group_sums
from keras_approx.skipping.masks import budget_masks, fraction_masks, kept_fraction, threshold_mask
from keras_approx.skipping.schedules import Constant, Polynomial
from keras_approx.skipping.selection import LayerSetting, Selection

RNG = np.random.default_rng(0)
SIGNIFICANCE = {
    "conv": RNG.random((3, 3, 4, 8)),
    "conv_1": RNG.random((3, 3, 8, 8)),
    "conv_2": RNG.random((3, 3, 8, 8)),
    "dense": RNG.random((64, 10)),
}
POSITIONS = {"conv": 36, "conv_1": 16, "conv_2": 4, "dense": 1}
PRICES = {"conv": 40.0, "conv_1": 20.0, "conv_2": 5.0, "dense": 2.0}


def _masks(value: float, *, step: int = 0, **options: Any) -> dict[str, np.ndarray]:
    return Selection(**options).masks(SIGNIFICANCE, POSITIONS, value, step=step, prices=PRICES)


def _same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return list(a) == list(b) and all(np.array_equal(a[name], b[name]) for name in a)


def _cycles(masks: dict[str, np.ndarray]) -> float:
    return sum(PRICES[name] * np.count_nonzero(group_sums(mask, "pair")) for name, mask in masks.items())


def test_without_settings_it_is_the_function() -> None:
    assert _same(_masks(0.4), fraction_masks(SIGNIFICANCE, POSITIONS, 0.4))
    expected = {name: threshold_mask(values, 1.0, "block") for name, values in SIGNIFICANCE.items()}
    assert _same(_masks(1.0, select="threshold", granularity="block"), expected)
    assert _same(_masks(9000, select="budget"), budget_masks(SIGNIFICANCE, PRICES, 9000))


def test_the_first_pattern_that_matches_counts() -> None:
    own, other = LayerSetting(0.5), LayerSetting(0.9)
    selection = Selection(exempt=("dense",), layers={"conv_1": own, "conv*": other})
    assert selection.settings(list(SIGNIFICANCE)) == {
        "conv": other,
        "conv_1": own,
        "conv_2": other,
        "dense": None,
    }


def test_layers_with_their_own_value_are_not_ranked_with_the_others() -> None:
    masks = _masks(0.3, exempt=("dense",), layers={"conv_2": LayerSetting(0.75)})
    rest = {name: SIGNIFICANCE[name] for name in ("conv", "conv_1")}
    expected = fraction_masks(rest, POSITIONS, 0.3)
    assert all(np.array_equal(masks[name], expected[name]) for name in rest)
    assert masks["conv_2"].mean() == 0.75
    assert masks["dense"].all()


def test_layers_of_unlike_granularity_are_one_ranking() -> None:
    granularity = {"conv": "pair", "conv_*": "kernel"}
    options: dict[str, Any] = {"granularity": granularity, "cost_exponent": 0.0}
    masks = _masks(0.4, **options)
    assert _same(masks, fraction_masks(SIGNIFICANCE, POSITIONS, 0.4, **options))
    assert not _whole(masks["conv"], "kernel")
    assert _whole(masks["conv"], "pair")
    assert _whole(masks["conv_1"], "kernel")
    assert 0 < masks["conv_1"].mean() < 1
    own = _masks(0.4, granularity=granularity, layers={"conv_1": LayerSetting(0.5)})
    assert _whole(own["conv_1"], "kernel")
    assert own["conv_1"].mean() == 0.5
    thresholds = _masks(1.0, select="threshold", granularity=granularity)
    assert _whole(thresholds["conv_2"], "kernel")
    budgeted = _masks(9000, select="budget", granularity=granularity)
    assert _same(budgeted, budget_masks(SIGNIFICANCE, PRICES, 9000, granularity=granularity))
    assert 9000 - 9 * 20 < _cycles(budgeted) <= 9000


def _whole(mask: np.ndarray, granularity: str) -> bool:
    """Whether groups are kept or skipped whole."""
    sizes = group_sums(np.ones(mask.shape, int), granularity)
    return bool(np.isin(group_sums(mask, granularity) / sizes, (0, 1)).all())


def test_own_schedules_follow_the_step() -> None:
    selection = Selection(layers={"dense": LayerSetting(Polynomial(1.0, 0.5, end_step=100, power=1))})
    assert selection.end_step == 100
    kept = [selection.masks(SIGNIFICANCE, POSITIONS, 0.3, step=step)["dense"].mean() for step in (0, 50, 100)]
    assert kept == [1.0, 0.75, 0.5]
    assert Selection(layers={"dense": LayerSetting(Constant(0.5))}).end_step == 0


def test_a_least_share_protects_a_layer() -> None:
    assert _masks(0.2)["conv"].mean() < 0.5
    masks = _masks(0.2 + 0.5 * 0.5, layers={"conv": LayerSetting(least=0.5)})
    assert masks["conv"].mean() >= 0.5
    masks = _masks(5.0, select="threshold", layers={"conv": LayerSetting(least=0.5)})
    assert masks["conv"].mean() == 0.5
    assert not masks["conv_1"].any()


def test_a_budget_pays_for_everything() -> None:
    everything = _cycles({name: np.ones(values.shape, bool) for name, values in SIGNIFICANCE.items()})
    options = {"exempt": ("dense",), "layers": {"conv_2": LayerSetting(300.0)}}
    masks = _masks(everything / 2, select="budget", **options)
    assert everything / 2 - 40 < _cycles(masks) <= everything / 2
    assert masks["dense"].all()
    assert 295 < _cycles({"conv_2": masks["conv_2"]}) <= 300
    with pytest.raises(OptionError, match="take the whole budget"):
        _masks(500, select="budget", **options)
    with pytest.raises(OptionError, match="needs prices"):
        Selection(select="budget").masks(SIGNIFICANCE, POSITIONS, 500)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"exempt": ("pool*",)}, "matches no layer; layers that skip: conv, conv_1, conv_2, dense"),
        ({"layers": {"conv_3": LayerSetting()}}, "'conv_3' matches no layer"),
        (
            {"layers": {"conv_*": LayerSetting(), "conv_1": LayerSetting()}},
            "'conv_1' matches only conv_1, which an earlier one does",
        ),
        ({"exempt": ("dense",), "layers": {"dense": LayerSetting()}}, "an earlier one does"),
        ({"exempt": "dense"}, "sequence of layer names"),
        ({"granularity": {"pool*": "kernel"}}, "pattern 'pool\\*' matches no layer"),
        ({"granularity": {"conv": "tap"}}, "granularity must be one of"),
        ({"layers": {"dense": 0.5}}, "must be a LayerSetting, got 0.5"),
        ({"select": "cycles"}, "select must be one of fraction, threshold, budget"),
        ({"select": "threshold", "scope": "layer"}, "for fractions, not for a threshold"),
    ],
)
def test_options_that_do_not_exist(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        _masks(0.5, **options)


def test_a_layer_keeps_no_more_than_its_most() -> None:
    free = _masks(0.5)
    assert free["dense"].mean() > 0.3
    masks = _masks(0.5, layers={"dense": LayerSetting(most=0.3)})
    assert 0.3 - 2 / 640 < masks["dense"].mean() <= 0.3
    # The others get what it may not keep.
    assert masks["conv"].sum() >= free["conv"].sum()
    assert kept_fraction(masks, POSITIONS) == pytest.approx(0.5, abs=0.01)
    masks = _masks(0.0, select="threshold", layers={"conv": LayerSetting(most=0.5)})
    assert masks["conv"].mean() == 0.5
    assert masks["conv_1"].all()
    masks = _masks(1e9, select="budget", layers={"conv": LayerSetting(most=0.25, least=0.25)})
    assert masks["conv"].mean() == 0.25
    assert masks["conv_1"].all()


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    share=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    threshold=st.floats(0, 2),
    seed=st.integers(0, 9),
)
def test_shares_hold_and_keep_the_most_significant(share: list[float], threshold: float, seed: int) -> None:
    values = np.random.default_rng(seed).random((3, 3, 3, 5))
    least, most = share
    mask = threshold_mask(values, threshold, "operand", least=least, most=most)
    group = 1 / mask.size
    assert least - 1e-6 <= mask.mean() <= max(most, least + group) + 1e-6
    if mask.any() and not mask.all():
        assert values[mask].min() >= values[~mask].max()


def test_shares_in_the_wrong_order() -> None:
    with pytest.raises(OptionError, match=r"in this order, got 0\.5 and 0\.3"):
        LayerSetting(least=0.5, most=0.3)


def test_least_share_out_of_range() -> None:
    with pytest.raises(OptionError, match="between 0 and 1"):
        LayerSetting(least=1.5)
