"""Which class outputs stand for."""

from __future__ import annotations

import numpy as np
import pytest

from export.answers import class_count, classified, decision


def test_the_largest_of_several_outputs_is_the_class() -> None:
    np.testing.assert_array_equal(classified(np.array([[1, 3, 2], [0, -4, -1]]), 9.0), [1, 0])
    assert class_count(3) == 3


@pytest.mark.parametrize(
    ("scale", "zero_point", "threshold"),
    [(1 / 256, -128, 0), (0.5, 7, 7), (1 / 256, 0, 0), (0.1, -128, -128)],
)
def test_one_output_decides_between_two_classes(scale: float, zero_point: int, threshold: float) -> None:
    """By a half of a probability, which has one scale, and else by a logit of 0."""
    assert decision(scale, zero_point) == threshold
    values = np.array([[threshold - 1], [threshold], [threshold + 1]])
    np.testing.assert_array_equal(classified(values, threshold), [0, 0, 1])
    assert class_count(1) == 2
