"""Each metric on numbers small enough to check by hand, and its invariances."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_approx.errors import NotCalibratedError, OptionError
from keras_approx.skipping.significance import METRICS, OperandStatistics, significance

KERNEL = np.array([[1.0, 0.0], [-2.0, 0.0]], np.float32)
STATISTICS = OperandStatistics(
    mean=np.array([2.0, 1.0], np.float32),
    mean_square=np.array([5.0, 1.0], np.float32),
    relative=np.array([[0.5, 1.0], [3.0, 1.0]], np.float32),
    gradient=np.array([[0.25, 1.0], [3.0, 1.0]], np.float32),
)


@pytest.mark.parametrize(
    ("metric", "first_channel"),
    [
        ("relative", [0.5, 6.0]),  # |w| times the mean of |a| / |sum|
        ("expected", [0.5, 0.5]),  # 2 and 2 of 4
        ("energy", [5 / 9, 4 / 9]),  # 5 and 4 of 9
        ("variance", [1.0, 0.0]),  # Var = 1 and 0
        ("taylor", [0.25, 6.0]),  # |w| times the mean magnitude of the gradient
    ],
)
def test_values(metric: str, first_channel: list[float]) -> None:
    values = significance(metric, KERNEL, STATISTICS)
    np.testing.assert_allclose(values[:, 0], first_channel, rtol=1e-6)
    assert np.array_equal(values[:, 1], [0, 0])


@pytest.mark.parametrize("metric", sorted(METRICS))
@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 99))
def test_channels_of_any_scale_compare(metric: str, channels: int, outputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.normal(1, 1, (200, 9 * channels))
    original = kernel = rng.normal(size=(3, 3, channels, outputs))
    scale = 2.0 ** rng.integers(-4, 4, outputs)
    gradient = rng.random(kernel.shape)

    def values(kernel: np.ndarray) -> np.ndarray:
        sums = np.abs(a @ kernel.reshape(-1, outputs))
        shape = (3, 3, channels)
        statistics = OperandStatistics(
            mean=a.mean(0).reshape(shape),
            mean_square=(a**2).mean(0).reshape(shape),
            relative=(np.abs(a).T @ (1 / sums) / len(a)).reshape(kernel.shape),
            gradient=gradient * original / kernel,  # what follows makes up for the scale
        )
        return significance(metric, kernel, statistics)

    np.testing.assert_allclose(values(kernel), values(kernel * scale), rtol=1e-9)


def test_a_function_is_a_metric() -> None:
    assert np.array_equal(significance(lambda kernel, _: np.abs(kernel), KERNEL, STATISTICS), np.abs(KERNEL))


def test_metrics_that_are_none() -> None:
    with pytest.raises(OptionError, match="relative, expected, energy, variance, taylor or a function"):
        significance("entropy", KERNEL, STATISTICS)
    with pytest.raises(OptionError, match="finite values >= 0"):
        significance(lambda kernel, _: kernel, KERNEL, STATISTICS)
    with pytest.raises(OptionError, match=r"shape \(1,\)"):
        significance(lambda kernel, _: np.ones(1), KERNEL, STATISTICS)
    with pytest.raises(OptionError, match="finite"):
        significance(lambda kernel, _: kernel * np.nan, KERNEL, STATISTICS)


def test_taylor_needs_gradients() -> None:
    with pytest.raises(NotCalibratedError, match="loss="):
        significance("taylor", KERNEL, dataclasses.replace(STATISTICS, gradient=None))
