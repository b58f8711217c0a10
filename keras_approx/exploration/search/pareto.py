"""The non-dominated points of a set. Pure NumPy; all objectives are minimized."""

from __future__ import annotations

import numpy as np


def dominates(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether points a are nowhere worse than points b, and somewhere better: bool, over the last axis."""
    return np.all(a <= b, axis=-1) & np.any(a < b, axis=-1)


def non_dominated(points: np.ndarray) -> np.ndarray:
    """Numbers of the points that no other dominates, by the first objective; of equal points the first.

    Args:
        points: (points, objectives).

    Returns:
        int (n,), ascending by the first objective, then by the others.
    """
    points = np.asarray(points, np.float64)
    # Whatever dominates a point comes before it in this order.
    order = np.lexsort((np.arange(len(points)), *points.T[::-1])) if len(points) else np.zeros(0, np.int64)
    front = np.zeros((0, points.shape[1]))
    found = []
    for number in order:
        if not np.any(np.all(front <= points[number], axis=1)):
            found.append(number)
            front = np.vstack([front, points[number]])
    return np.array(found, np.int64)


def layers_of(points: np.ndarray) -> np.ndarray:
    """The rank of each point: 0 on the front, 1 on the front of the rest, and so on (Deb et al., 2002).

    Args:
        points: (points, objectives).

    Returns:
        int (points,).
    """
    beaten = dominates(points[:, None], points[None])  # [i, j]: i dominates j
    ranks = np.full(len(points), -1)
    rank = 0
    while (ranks < 0).any():
        left = ranks < 0
        ranks[left & ~beaten[left].any(axis=0)] = rank
        rank += 1
    return ranks


def crowding(points: np.ndarray) -> np.ndarray:
    """How far apart a point's neighbors lie, over all objectives; infinite at the ends (Deb et al., 2002).

    Args:
        points: (points, objectives), of one rank.

    Returns:
        Float (points,).
    """
    distance = np.zeros(len(points))
    for values in points.T:
        order = np.argsort(values, kind="stable")
        ends = values[order[[0, -1]]]
        distance[order[[0, -1]]] = np.inf
        if ends[0] < ends[1]:
            distance[order[1:-1]] += (values[order[2:]] - values[order[:-2]]) / (ends[1] - ends[0])
    return distance
