"""The sensitivity search: each layer alone at each of its levels, all others exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keras_approx.exploration.search.protocol import Proposal, Proposals
from keras_approx.exploration.search.space import Space


@dataclass(frozen=True)
class Alone:
    """Evaluates the designs in which one layer skips; see ParetoFront.sensitivity."""

    def proposals(self, space: Space, objectives: Sequence[str], seed: int) -> Proposals:
        """See Search. Deterministic."""
        del objectives, seed
        levels = single_levels(space.sizes)
        yield Proposal(
            [space.design(one, each) for each in space.granularities for one in levels], 0, droppable=False
        )


def single_levels(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Every other level of each layer than its first, with the others at theirs."""
    return [
        tuple(level if other == layer else 0 for other in range(len(sizes)))
        for layer, size in enumerate(sizes)
        for level in range(1, size)
    ]
