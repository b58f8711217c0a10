"""The confidence interval of a share that was counted on samples."""

from __future__ import annotations

from math import sqrt

_Z = 1.959963984540054  # of the normal distribution: 95 % lie within


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson, "Probable inference, the law of succession, and statistical
    inference", Journal of the American Statistical Association 22, 1927).

    It holds for few samples and for shares near 0 and 1, where the standard error says that nothing is uncertain.

    Args:
        right: Of `count` samples, at least 0.
        count: At least 1.

    Returns:
        Least and largest share that the count goes with.
    """
    middle = (right + _Z**2 / 2) / (count + _Z**2)
    spread = _Z * sqrt(right * (count - right) / count + _Z**2 / 4) / (count + _Z**2)
    return max(0.0, middle - spread), min(1.0, middle + spread)
