"""Looks for the candidates of a layer, those first that may be the fastest."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count

from export.costing.candidate import NEAR_TIE, Candidate, Wanted


@dataclass(frozen=True)
class Way:
    """What may lead to candidates, before it is counted.

    Attributes:
        least: A lower bound on the cycles of its candidates, wherever their code lies. For lower strips and smaller
            blocks it is a heuristic, not a proof.
        look: Counts what it leads to: candidates, and ways that are known only then.
    """

    least: float
    look: Callable[[], Iterable[Way | Candidate]]


def search(ways: Iterable[Way], wanted: Wanted) -> list[Candidate]:
    """Follows ways in the order of their bounds.

    Of what may be the fastest, a way is left out once a candidate is known that is faster than its bound by more
    than scratch memory is worth; where less flash or memory is wanted, all are followed.

    Args:
        ways: Where there may be candidates.
        wanted: Which of them.

    Returns:
        All candidates, the one of the fewest cycles first, then of the fewest bytes.
    """
    candidates: list[Candidate] = []
    numbers = count()  # of equal bounds, the first way is followed first
    heap = [(way.least, next(numbers), way) for way in ways]
    heapq.heapify(heap)
    fewest: int | None = None
    while heap:
        least, _, way = heapq.heappop(heap)
        if wanted is Wanted.FASTEST and fewest is not None and least > NEAR_TIE * fewest:
            continue
        for one in way.look():
            if isinstance(one, Way):
                heapq.heappush(heap, (one.least, next(numbers), one))
            else:
                candidates.append(one)
                fewest = one.price.cycles if fewest is None else min(fewest, one.price.cycles)
    return sorted(candidates, key=lambda candidate: (candidate.price.cycles, candidate.price.flash_bytes))
