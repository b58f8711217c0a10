"""Designs are given up as rarely as is said, and surely where they cannot make it."""

from __future__ import annotations

from math import comb

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keras_approx.exploration.evaluate.confidence import hopeless


@given(st.integers(2, 40), st.data())
def test_against_counting(images: int, data: st.DataObject) -> None:
    seen = data.draw(st.integers(1, images))
    required = data.draw(st.integers(1, images))
    correct = np.arange(seen + 1)
    ways = [comb(required, k) * comb(images - required, seen - k) for k in correct]
    chance = np.cumsum(ways) / comb(images, seen)
    found = hopeless(correct, seen, images, np.full(len(correct), required), 0.95)
    clear = np.abs(chance - 0.05) > 1e-9
    np.testing.assert_array_equal(found[clear], (chance <= 0.05)[clear])


def test_what_cannot_reach_it_is_given_up_and_what_has_reached_it_is_not() -> None:
    correct = np.array([49, 130, 100])
    assert hopeless(correct, 900, 1000, np.array([150, 150, 100]), 0.999).tolist() == [True, False, False]


def test_nothing_required() -> None:
    assert not hopeless(np.zeros(2, int), 500, 1000, np.zeros(2, int), 0.5).any()


def test_it_errs_as_rarely_as_it_says() -> None:
    """Of 4,000 random orders of 1,000 images, of which 800 are right, about 1 % look hopeless at 99 %."""
    rng = np.random.default_rng(0)
    correct = rng.hypergeometric(800, 200, 250, size=4000)
    errors = hopeless(correct, 250, 1000, np.full(4000, 800), 0.99).mean()
    assert 0.002 < errors <= 0.013
    assert hopeless(np.array([180]), 250, 1000, np.array([800]), 0.999)[0]
