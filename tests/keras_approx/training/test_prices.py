"""Prices of a linear cost are found exactly, and the model is left as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx.errors import OptionError
from keras_approx.skipping.granularity import Granularities, group_sums
from keras_approx.skipping.schedules import Constant
from keras_approx.training.prices import CyclePrices, measure_prices
from tests.keras_approx import models

PRICES = {"first": 40.5, "second": 9.0, "third": 1.25}


def _cycles(model: Any) -> float:
    masks = keras_approx.get_masks(model)
    return 1000 + sum(PRICES[name] * np.count_nonzero(group_sums(masks[name], "pair")) for name in masks)


@pytest.mark.parametrize("granularity", ["pair", {"third": "block", "*": "kernel"}])
def test_linear_costs(granularity: Granularities) -> None:
    wrapped = keras_approx.wrap(models.small())
    masks = models.random_masks(wrapped)
    keras_approx.set_masks(wrapped, masks)
    prices = measure_prices(wrapped, _cycles, granularity=granularity)
    assert prices.pairs == pytest.approx(PRICES)
    assert prices.fixed == pytest.approx(1000)
    assert all(np.array_equal(mask, masks[name]) for name, mask in keras_approx.get_masks(wrapped).items())
    assert prices.cycles(masks) == pytest.approx(_cycles(wrapped))


def test_prices_are_taken_as_they_are_measured() -> None:
    wrapped = keras_approx.wrap(models.small())
    images = models.inputs(wrapped, 200)
    keras_approx.calibrate(wrapped, images, verbose=False)
    prices = measure_prices(wrapped, _cycles)
    budget = prices.budget(0.5 * _cycles(wrapped))
    found = []
    for given in (prices, dict(prices.pairs)):
        model = keras_approx.wrap(models.small())
        keras_approx.eliminate(model, images, kept=budget, select="budget", prices=given, verbose=False)
        found.append(keras_approx.get_masks(model))
        keras_approx.Rank(kept=Constant(budget), select="budget", prices=given)
    assert prices.cycles(found[0]) <= 0.5 * _cycles(wrapped)
    for name, mask in found[0].items():
        np.testing.assert_array_equal(mask, found[1][name])


def test_budgets() -> None:
    prices = CyclePrices(PRICES, 1000)
    assert prices.budget(1500) == 500
    with pytest.raises(OptionError, match="takes 1000 cycles already"):
        prices.budget(1000)


def test_costs_that_are_none() -> None:
    wrapped = keras_approx.wrap(models.small())
    masks = keras_approx.get_masks(wrapped)
    with pytest.raises(OptionError, match=r"'first' with .* takes 0 more cycles.* fractions further apart$"):
        measure_prices(wrapped, lambda _: 12)
    assert all(np.array_equal(mask, masks[name]) for name, mask in keras_approx.get_masks(wrapped).items())
    with pytest.raises(OptionError, match="two fractions"):
        measure_prices(wrapped, _cycles, kept=(0.5, 0.5))
