"""The score interval of a share."""

import pytest
from scipy.stats import binomtest

from export.proportions import wilson_interval


@pytest.mark.parametrize(("right", "count"), [(0, 1), (1, 1), (0, 10), (10, 10), (17, 20), (813, 1000)])
def test_is_that_of_scipy(right: int, count: int) -> None:
    expected = binomtest(right, count).proportion_ci(0.95, "wilson")
    assert wilson_interval(right, count) == pytest.approx((expected.low, expected.high), abs=1e-12)
