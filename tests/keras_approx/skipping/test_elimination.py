"""Elimination finds what brute force finds, and refitted weights are the best there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_approx.skipping.elimination import RIDGE, elimination_significance, refit
from keras_approx.skipping.granularity import GRANULARITIES, group_rows, group_sums, spread

_KERNELS = st.sampled_from([(6, 3), (5, 4), (2, 2, 3, 4), (1, 2, 4, 5)])
_SEEDS = st.integers(0, 2**32 - 1)


def _layer(shape: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A kernel, the covariance of inputs that resemble each other, and sensitivities."""
    rng = np.random.default_rng(seed)
    operands = int(np.prod(shape[:-1]))
    inputs = rng.normal(size=(200, operands)) @ rng.normal(size=(operands, operands))
    kernel = rng.normal(size=shape).astype(np.float32)
    return kernel, np.cov(inputs.T, bias=True), 10.0 ** rng.uniform(-4, 4, shape[-1])


def _ridged(covariance: np.ndarray) -> np.ndarray:
    return covariance + RIDGE * covariance.diagonal().mean() * np.eye(len(covariance))


def _loss(weights: np.ndarray, kept: np.ndarray, covariance: np.ndarray) -> float:
    """What is lost of a channel's output if only some weights are left, at their best: by least squares."""
    root = np.linalg.cholesky(covariance).T
    best, *_ = np.linalg.lstsq(root[:, kept], root @ weights, rcond=None)
    return float(np.sum((root @ weights - root[:, kept] @ best) ** 2))


@settings(max_examples=40, deadline=None)
@given(shape=_KERNELS, seed=_SEEDS)
def test_the_first_to_go_is_the_one_that_costs_least(shape: tuple[int, ...], seed: int) -> None:
    kernel, covariance, sensitivity = _layer(shape, seed)
    found = elimination_significance(kernel, covariance, sensitivity, "operand").reshape(-1, shape[-1])
    ridged, weights = _ridged(covariance), kernel.reshape(-1, shape[-1]).astype(np.float64)
    every = np.arange(len(weights))
    for channel in range(shape[-1]):
        losses = [_loss(weights[:, channel], np.delete(every, row), ridged) for row in every]
        least = min(losses) * sensitivity[channel]
        assert found[:, channel].min() == pytest.approx(least, rel=1e-2, abs=1e-6 * sensitivity[channel])
        assert losses[int(found[:, channel].argmin())] == pytest.approx(min(losses), rel=1e-2, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(shape=st.sampled_from([(2, 2, 3, 2), (1, 3, 4, 2), (3, 3, 5, 1)]), seed=_SEEDS)
def test_all_weights_of_a_kernel_leave_together(shape: tuple[int, ...], seed: int) -> None:
    kernel, covariance, sensitivity = _layer(shape, seed)
    found = elimination_significance(kernel, covariance, sensitivity, "kernel")
    sums = group_sums(found, "kernel")[0, 0]
    ridged, weights = _ridged(covariance), kernel.reshape(-1, shape[-1]).astype(np.float64)
    rows = group_rows(shape, "kernel")
    every = np.arange(len(weights))
    for channel in range(shape[-1]):
        losses = np.array(
            [_loss(weights[:, channel], np.delete(every, row[row >= 0]), ridged) for row in rows]
        )
        first = int(sums[:, channel].argmin())
        assert losses[first] == pytest.approx(losses.min(), rel=1e-2, abs=1e-6)
        assert sums[first, channel] == pytest.approx(
            losses.min() * sensitivity[channel], rel=1e-2, abs=1e-6 * sensitivity[channel]
        )


@settings(max_examples=40, deadline=None)
@given(shape=_KERNELS, seed=_SEEDS, granularity=st.sampled_from(list(GRANULARITIES)))
def test_groups_have_one_value_and_every_threshold_is_a_point_of_the_order(
    shape: tuple[int, ...], seed: int, granularity: str
) -> None:
    kernel, covariance, sensitivity = _layer(shape, seed)
    found = elimination_significance(kernel, covariance, sensitivity, granularity)
    assert found.shape == shape
    assert (found > 0).all()
    sums = group_sums(found, granularity)
    sizes = group_sums(np.ones(shape), granularity)
    extent = GRANULARITIES[granularity]
    np.testing.assert_allclose(spread(sums / sizes, shape, granularity), found)
    # What goes last is all that is left of the output: never more than the whole, and what went before cost less.
    last = sums.reshape(-1, sums.shape[-1]).max(axis=0)
    flat = kernel.reshape(-1, shape[-1]).astype(np.float64)
    whole = sensitivity * (flat * (_ridged(covariance) @ flat)).sum(axis=0)
    assert (last <= np.add.reduceat(whole, np.arange(0, shape[-1], extent.outputs)) * 1.001).all()


def test_the_loss_of_the_last_group_is_what_it_alone_explains() -> None:
    kernel, covariance, sensitivity = _layer((2, 1), seed=3)
    found = elimination_significance(kernel, covariance, sensitivity, "operand").reshape(-1)
    ridged, weights = _ridged(covariance), kernel.reshape(-1).astype(np.float64)
    last = int(found.argmax())
    variance = weights @ ridged @ weights
    left = variance - _loss(weights, np.array([last]), ridged)
    assert found[last] == pytest.approx(left * sensitivity[0], rel=1e-4)


def test_a_channel_that_moves_nothing_goes_first() -> None:
    kernel, covariance, sensitivity = _layer((6, 3), seed=4)
    sensitivity[1] = 0
    found = elimination_significance(kernel, covariance, sensitivity)
    assert (found[:, 1] == 0).all()
    assert (found[:, [0, 2]] > 0).all()
    assert (elimination_significance(kernel, covariance, np.zeros(3)) == 0).all()


def test_without_weights_there_is_no_loss() -> None:
    kernel, covariance, sensitivity = _layer((6, 3), seed=5)
    kernel[2:4, 1] = 0
    kernel[:, 2] = 0
    found = elimination_significance(kernel, covariance, sensitivity)
    assert (found[2:4, 1] == 0).all()
    assert (found[:, 2] == 0).all()
    assert (found[:2, 1] > 0).all()
    without = elimination_significance(
        np.delete(kernel, [2, 3], axis=0), _minor(covariance, [0, 1, 4, 5]), sensitivity
    )
    np.testing.assert_allclose(found[[0, 1, 4, 5], 1], without[:, 1], rtol=2e-2)


def _minor(matrix: np.ndarray, rows: list[int]) -> np.ndarray:
    return matrix[np.ix_(rows, rows)]


@settings(max_examples=40, deadline=None)
@given(shape=_KERNELS, seed=_SEEDS)
def test_refit_weights_are_the_best(shape: tuple[int, ...], seed: int) -> None:
    kernel, covariance, _ = _layer(shape, seed)
    mask = np.random.default_rng(seed).random(shape) < 0.6
    found = refit(kernel, mask, covariance)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[~mask], kernel[~mask])
    ridged = _ridged(covariance)
    flat = kernel.reshape(-1, shape[-1]).astype(np.float64)
    for channel in range(shape[-1]):
        kept = np.flatnonzero(mask.reshape(-1, shape[-1])[:, channel])
        if len(kept):
            rest = flat[:, channel].copy()
            rest[kept] -= found.reshape(-1, shape[-1])[kept, channel]
            loss = rest @ ridged @ rest
            assert loss == pytest.approx(_loss(flat[:, channel], kept, ridged), rel=1e-3, abs=1e-5)


def test_inputs_that_do_not_vary_matter_little_and_help_nobody() -> None:
    kernel, covariance, sensitivity = _layer((6, 2), seed=8)
    covariance[3, :] = covariance[:, 3] = 0
    found = elimination_significance(kernel, covariance, sensitivity, "operand")
    assert (found[3] < 1e-2 * np.median(found, axis=0)).all()
    mask = np.ones(kernel.shape, np.bool_)
    mask[0] = False
    np.testing.assert_allclose(refit(kernel, mask, covariance)[3], kernel[3], rtol=1e-5)
