"""Elimination in rounds between epochs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx.errors import CalibrationError, OptionError
from keras_approx.skipping.schedules import Polynomial
from keras_approx.skipping.selection import LayerSetting, Selection
from keras_approx.training.callbacks import EliminateInRounds
from tests.keras_approx import models
from tests.keras_approx.training.fitting import Watch, compiled, fit


def test_elimination_in_rounds() -> None:
    model, watch = compiled(), Watch()
    inputs = models.inputs(model, 100)
    schedule = Polynomial(0.6, 0.3, end_step=5, power=1)
    history = fit(model, EliminateInRounds(schedule, inputs, steps=[5, 0, 2]), watch, epochs=2)
    expected = [schedule(step) for step in (0, 0, 2, 2, 2, 5, 5, 5)]
    np.testing.assert_allclose(watch.kept, expected, atol=0.02)
    assert history["kept"] == [watch.kept[3], watch.kept[7]]


def test_elimination_is_that_of_the_function_and_goes_on_where_training_does() -> None:
    model, same = compiled(), compiled()
    model.optimizer.learning_rate.assign(0)
    inputs = models.inputs(model, 100)
    first = LayerSetting(Polynomial(0.5, 0.4, end_step=4, power=1))
    eliminates = EliminateInRounds(
        0.5, inputs, steps=[0, 4], selection=Selection(layers={"first": first}, granularity="operand")
    )
    shares = []
    for _ in range(3):  # the second round is due where the second part begins, and not again in the third
        fit(model, eliminates)
        shares.append(float(keras_approx.get_masks(model)["first"].mean()))
    assert shares == [pytest.approx(0.5, abs=0.02), pytest.approx(0.4, abs=0.02), shares[1]]
    for value in (0.5, 0.4):
        keras_approx.eliminate(
            same,
            inputs,
            kept=0.5,
            layers={"first": LayerSetting(value)},
            granularity="operand",
            verbose=False,
        )
    for name, mask in keras_approx.get_masks(same).items():
        np.testing.assert_array_equal(keras_approx.get_masks(model)[name], mask)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"steps": []}, "at least one step"),
        ({"steps": [-1]}, "none below 0"),
        ({"data": iter([])}, "is used up after the first"),
    ],
)
def test_elimination_that_cannot_be(options: dict[str, Any], says: str) -> None:
    with pytest.raises((OptionError, CalibrationError), match=says):
        EliminateInRounds(0.5, **{"data": np.zeros((4, 8, 8, 3)), **options})
