"""NSGA-II: a population that breeds towards the front (Deb, Pratap, Agarwal and Meyarivan, 2002)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_approx.errors import OptionError
from keras_approx.exploration.records import EvaluatedDesign
from keras_approx.exploration.search.pareto import crowding, layers_of
from keras_approx.exploration.search.protocol import Proposal, Proposals
from keras_approx.exploration.search.space import Space

_ATTEMPTS = 20  # to breed a child that is new


@dataclass(frozen=True)
class Evolve:
    """Breeds designs: genes are the layers' levels, and the granularity if there are several.

    The first population has designs of one level in all layers, and random ones. Parents win tournaments of two by
    rank, then by crowding; a child takes each gene from one of two parents, and moves some by a few levels.

    Attributes:
        population: Designs that breed.
        generations: Of as many children.
        mutation: Chance of a gene to move; None for one gene a child, on average.

    Raises:
        OptionError: If one is out of range.
    """

    population: int = 48
    generations: int = 20
    mutation: float | None = None

    def __post_init__(self) -> None:
        if self.population < 4 or self.generations < 1:
            raise OptionError(
                f"expected population >= 4 and generations >= 1, got {self.population} and {self.generations}"
            )
        if self.mutation is not None and not 0 <= self.mutation <= 1:
            raise OptionError(f"mutation must be a chance from 0 to 1, got {self.mutation}")

    def proposals(self, space: Space, objectives: Sequence[str], seed: int) -> Proposals:
        """See Search."""
        rng = np.random.default_rng(seed)
        sizes = np.array([*space.sizes, len(space.granularities)])
        seen: set[bytes] = set()
        genes = self._first(sizes, rng, seen)
        points = np.zeros((0, len(objectives) + 1))
        adults = genes[:0]
        for left in reversed(range(self.generations + 1)):
            designs = [space.design(one[:-1].tolist(), space.granularities[one[-1]]) for one in genes]
            records = yield Proposal(designs, left * self.population)
            points = np.vstack([points, _points(records, objectives)])
            adults = np.vstack([adults, genes])
            ranks, distances = _fitness(points)
            kept = np.lexsort((np.arange(len(adults)), -distances, ranks))[: self.population]
            points, adults = points[kept], adults[kept]
            genes = self._children(adults, ranks[kept], distances[kept], sizes, rng, seen)
            if not len(genes):
                return

    def _first(self, sizes: np.ndarray, rng: np.random.Generator, seen: set[bytes]) -> np.ndarray:
        half = np.linspace(0, 1, self.population // 2)
        levels = np.round(half[:, None] * (sizes - 1)).astype(np.int64)
        levels[:, -1] = np.arange(len(half)) % sizes[-1]
        random = rng.integers(0, sizes, (self.population - len(half), len(sizes)))
        return np.array(_new([*levels, *random], seen))

    def _children(
        self,
        adults: np.ndarray,
        ranks: np.ndarray,
        distances: np.ndarray,
        sizes: np.ndarray,
        rng: np.random.Generator,
        seen: set[bytes],
    ) -> np.ndarray:
        chance = 1 / max(int(np.count_nonzero(sizes > 1)), 1) if self.mutation is None else self.mutation
        order = np.empty(len(adults), np.int64)
        order[np.lexsort((-distances, ranks))] = np.arange(len(adults))
        children: list[np.ndarray] = []
        for _ in range(_ATTEMPTS * self.population):
            pairs = rng.integers(0, len(adults), (2, 2))
            mother, father = (adults[pair[np.argmin(order[pair])]] for pair in pairs)
            child = np.where(rng.random(len(sizes)) < 0.5, mother, father)
            steps = rng.geometric(0.5, len(sizes)) * rng.choice([-1, 1], len(sizes))
            child = np.clip(child + np.where(rng.random(len(sizes)) < chance, steps, 0), 0, sizes - 1)
            children.extend(_new([child], seen))
            if len(children) == self.population:
                break
        return np.array(children, np.int64).reshape(-1, len(sizes))


def _new(genes: Sequence[np.ndarray], seen: set[bytes]) -> list[np.ndarray]:
    """Those that were not there before."""
    found = []
    for one in genes:
        if one.tobytes() not in seen:
            seen.add(one.tobytes())
            found.append(one)
    return found


def _points(records: Sequence[EvaluatedDesign], costs: Sequence[str]) -> np.ndarray:
    return np.array([[*(record.costs[name] for name in costs), record.badness] for record in records])


def _fitness(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ranks = layers_of(points)
    distances = np.zeros(len(points))
    for rank in range(ranks.max() + 1):
        distances[ranks == rank] = crowding(points[ranks == rank])
    return ranks, distances
