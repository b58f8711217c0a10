"""Fronts against their definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keras_approx.exploration.search.pareto import crowding, dominates, layers_of, non_dominated

points = st.integers(1, 3).flatmap(
    lambda columns: arrays(
        np.int64, st.tuples(st.integers(0, 25), st.just(columns)), elements=st.integers(0, 6)
    )
)


@given(points)
def test_a_front_is_what_nothing_dominates(given_points: np.ndarray) -> None:
    front = non_dominated(given_points)
    chosen = given_points[front]
    for number, point in enumerate(given_points):
        beaten = any(dominates(other, point) for other in given_points)
        equal_before = any((other == point).all() for other in given_points[:number])
        assert (number in front) == (not beaten and not equal_before)
    assert sorted(map(tuple, chosen)) == list(map(tuple, chosen))


@given(points, st.randoms(use_true_random=False))
def test_order_does_not_matter(given_points: np.ndarray, random: object) -> None:
    order = list(range(len(given_points)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = given_points[order]
    np.testing.assert_array_equal(
        given_points[non_dominated(given_points)], shuffled[non_dominated(shuffled)]
    )


@given(points)
def test_ranks(given_points: np.ndarray) -> None:
    ranks = layers_of(given_points)
    for rank, point in zip(ranks, given_points, strict=True):
        above = [other for other, r in zip(given_points, ranks, strict=True) if r == rank - 1]
        assert rank == 0 or any(dominates(other, point) for other in above)
        assert not any(dominates(other, point) for other in given_points[ranks == rank])


def test_crowding() -> None:
    line = np.array([[0.0, 10.0], [1.0, 8.0], [4.0, 4.0], [10.0, 0.0]])
    np.testing.assert_allclose(crowding(line), [np.inf, 0.4 + 0.6, 0.9 + 0.8, np.inf])
    assert np.isinf(crowding(line[:1])).all()
    np.testing.assert_array_equal(crowding(np.zeros((3, 1)))[1], 0)
