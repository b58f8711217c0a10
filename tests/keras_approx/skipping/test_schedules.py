"""Schedules start, end and pass where they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from keras_approx.errors import OptionError
from keras_approx.skipping.schedules import Constant, Cosine, Polynomial, Ramp, get_schedule


def test_polynomial() -> None:
    schedule = Polynomial(1.0, 0.2, end_step=30, begin_step=10)
    assert [schedule(step) for step in (0, 10, 30, 99)] == [1.0, 1.0, 0.2, 0.2]
    assert schedule(20) == pytest.approx(0.2 + 0.8 / 8)
    values = [schedule(step) for step in range(40)]
    assert values == sorted(values, reverse=True)
    assert Polynomial(0.0, 1.0, end_step=10, power=1)(3) == pytest.approx(0.3)


def test_cosine() -> None:
    schedule = Cosine(1.0, 0.2, end_step=30, begin_step=10)
    assert [schedule(step) for step in (0, 10, 30, 99)] == pytest.approx([1.0, 1.0, 0.2, 0.2])
    assert schedule(20) == pytest.approx(0.6)
    assert schedule(15) == pytest.approx(0.6 + 0.4 * 0.5**0.5)


def test_numbers_are_constants() -> None:
    assert get_schedule(1) == get_schedule(np.float32(1)) == Constant(1.0)
    schedule = Cosine(1.0, 0.2, end_step=30)
    assert get_schedule(schedule) is schedule


def test_ramp() -> None:
    ramp = Ramp(1.0, 0.2, begin=0.1, end=0.6, power=2)
    assert ramp.over(100) == Polynomial(1.0, 0.2, end_step=60, begin_step=10, power=2)
    assert get_schedule(ramp, steps=100, first=5) == Polynomial(1.0, 0.2, end_step=65, begin_step=15, power=2)
    assert ramp.over(1).end_step == 1  # too short for a ramp, but not for its end
    with pytest.raises(OptionError, match="whose length is not known"):
        get_schedule(ramp)
    for shares in ({"end": 1.1}, {"begin": 0.5, "end": 0.5}, {"begin": -0.1}):
        with pytest.raises(OptionError, match="0 <= begin < end <= 1"):
            Ramp(1.0, 0.2, **shares)


def test_constant() -> None:
    assert (Constant(0.5)(0), Constant(0.5)(1000), Constant(0.5).end_step) == (0.5, 0.5, 0)


@pytest.mark.parametrize("schedule", [Cosine, Polynomial])
@pytest.mark.parametrize(("begin", "end"), [(5, 5), (6, 5), (-1, 5)])
def test_steps_out_of_order(schedule: type, begin: int, end: int) -> None:
    with pytest.raises(OptionError, match="begin_step < end_step"):
        schedule(1.0, 0.5, end_step=end, begin_step=begin)


@pytest.mark.parametrize("schedule", [Polynomial, Cosine])
@pytest.mark.parametrize("steps", [{"end_step": 0.5}, {"end_step": 10, "begin_step": 0.1}])
def test_steps_are_no_shares(schedule: Any, steps: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=r"Ramp takes shares of the training"):
        schedule(1.0, 0.5, **steps)


@pytest.mark.parametrize("schedule", [lambda step: 0.5, "cosine", None])
def test_what_is_no_schedule(schedule: Any) -> None:
    with pytest.raises(OptionError, match="a schedule must be a number"):
        get_schedule(schedule)
