"""The models worth showing: those that no other beats in cycles and accuracy."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from keras_approx.exploration.search.pareto import non_dominated


def front(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """(cycles, accuracy) of models of which no other is as fast and as accurate, the fastest first."""
    found = list(points)
    objectives = np.array([(cycles, -accuracy) for cycles, accuracy in found], np.float64).reshape(-1, 2)
    return [found[number] for number in non_dominated(objectives)]
