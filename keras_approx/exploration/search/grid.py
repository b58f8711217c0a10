"""Every combination of the layers' values: the search of Armeniakos, Mentzos and Soudris (2024)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from keras_approx.exploration.design import Design
from keras_approx.exploration.search.protocol import Proposal, Proposals
from keras_approx.exploration.search.space import Space
from keras_approx.skipping.granularity import Granularity

_TOGETHER = 500


@dataclass(frozen=True)
class Grid:
    """Evaluates all designs of the space.

    First come those with the same level in all layers: against what they reach, many others can be given up early.
    """

    def proposals(self, space: Space, objectives: Sequence[str], seed: int) -> Proposals:
        """See Search. Deterministic."""
        del objectives, seed
        remaining = math.prod(space.sizes) * len(space.granularities)
        yield Proposal([design for g in space.granularities for design in _diagonal(space, g)], remaining)
        designs = _all(space)
        while part := list(itertools.islice(designs, _TOGETHER)):
            remaining -= len(part)
            yield Proposal(part, remaining)


def _diagonal(space: Space, granularity: str | Granularity) -> list[Design]:
    ends = [size - 1 for size in space.sizes]
    steps = max(ends) or 1
    return [
        space.design([round(end * step / steps) for end in ends], granularity) for step in range(steps + 1)
    ]


def _all(space: Space) -> Iterator[Design]:
    """Depth first: the last layer's value changes fastest, so most designs differ from the one before in it alone."""
    for granularity in space.granularities:
        for levels in itertools.product(*map(range, space.sizes)):
            yield space.design(levels, granularity)
