"""The budget search: sensitivity curves of single layers, the exact optimum over them, and its neighbors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import LinearConstraint, milp

from keras_approx.errors import OptionError
from keras_approx.exploration.records import EvaluatedDesign
from keras_approx.exploration.search.alone import single_levels
from keras_approx.exploration.search.pareto import non_dominated
from keras_approx.exploration.search.protocol import Proposal, Proposals
from keras_approx.exploration.search.space import Space
from keras_approx.skipping.granularity import Granularity

Levels = tuple[int, ...]


@dataclass(frozen=True)
class Budget:
    """Chooses the levels of all layers at once, from what each does alone.

    Each layer is measured at each level with the others at their first: what it costs, and how far it moves the
    outputs (EvaluatedDesign.distortion, which unlike accuracy hardly depends on chance, and adds up over layers as
    long as their errors are small and independent). For each of many budgets a mixed-integer program finds the levels
    of least total distortion. These designs are measured; then, in rounds, all that differ from one of the front by
    one level less in one layer, or one less in one and one more in another (Pareto local search: Paquete, Chiarandini
    and Stuetzle, 2004), which finds what does not add up.

    Attributes:
        budgets: How many, evenly spaced between the costs of the cheapest design and of the first.
        rounds: Of refinement.

    Raises:
        OptionError: If one is out of range.
    """

    budgets: int = 24
    rounds: int = 2

    def __post_init__(self) -> None:
        if self.budgets < 1 or self.rounds < 0:
            raise OptionError(f"expected budgets >= 1 and rounds >= 0, got {self.budgets} and {self.rounds}")

    def proposals(self, space: Space, objectives: Sequence[str], seed: int) -> Proposals:
        """See Search. Deterministic."""
        del seed
        for granularity in space.granularities:
            yield from self._refined(space, objectives[0], granularity)

    def _refined(self, space: Space, objective: str, granularity: str | Granularity) -> Proposals:
        sizes = space.sizes
        near = len(sizes) ** 2  # moves from one design
        remaining = self.budgets * (1 + self.rounds * near)
        levels = [(0,) * len(sizes), *single_levels(sizes)]
        records = yield Proposal(
            [space.design(one, granularity) for one in levels], remaining, droppable=False
        )
        known = dict(zip(levels, records, strict=True))
        chosen = list(dict.fromkeys(_choices(known, sizes, objective, self.budgets)))
        records = yield Proposal(
            [space.design(one, granularity) for one in chosen], len(chosen) * self.rounds * near
        )
        known |= zip(chosen, records, strict=True)
        for left in reversed(range(self.rounds)):
            front = _front(known, objective)
            moves = dict.fromkeys(move for one in front for move in _moves(one, sizes))
            chosen = [move for move in moves if move not in known]
            records = yield Proposal(
                [space.design(one, granularity) for one in chosen], left * len(front) * near
            )
            known |= zip(chosen, records, strict=True)


def _choices(
    known: dict[Levels, EvaluatedDesign], sizes: Sequence[int], objective: str, budgets: int
) -> Iterator[Levels]:
    """The levels of least total distortion within each budget, by the records of single layers."""
    base = known[(0,) * len(sizes)]
    owner = np.repeat(np.arange(len(sizes)), sizes)
    singles = [
        known[tuple(level if other == layer else 0 for other in range(len(sizes)))]
        for layer, size in enumerate(sizes)
        for level in range(size)
    ]
    scale = max(base.costs[objective], 1.0)
    harm = np.array([record.distortion - base.distortion for record in singles])
    cost = np.array([record.costs[objective] - base.costs[objective] for record in singles]) / scale
    cheapest = sum(cost[owner == layer].min() for layer in range(len(sizes)))
    one_each = LinearConstraint(owner == np.arange(len(sizes))[:, None], 1, 1)
    for budget in np.linspace(cheapest, 0, budgets):
        # Room for rounding, so that the cheapest design is within the least budget.
        within = LinearConstraint(cost[None], -np.inf, budget + 1e-9)
        found = milp(harm, constraints=[one_each, within], integrality=np.ones_like(harm), bounds=(0, 1))
        if found.x is None:
            raise RuntimeError(f"no choice of levels found for a budget: {found.message}")
        yield tuple(int(np.argmax(found.x[owner == layer])) for layer in range(len(sizes)))


def _front(known: dict[Levels, EvaluatedDesign], objective: str) -> list[Levels]:
    whole = [levels for levels, record in known.items() if not record.dropped_early]
    points = [[known[levels].costs[objective], known[levels].badness] for levels in whole]
    return [whole[number] for number in non_dominated(np.array(points))]


def _moves(levels: Levels, sizes: Sequence[int]) -> Iterator[Levels]:
    """One level on in one layer; or that, and one level back in another."""
    for less in range(len(levels)):
        if levels[less] + 1 == sizes[less]:
            continue
        step = tuple(level + (layer == less) for layer, level in enumerate(levels))
        yield step
        for more in range(len(levels)):
            if more != less and levels[more] > 0:
                yield tuple(level - (layer == more) for layer, level in enumerate(step))
