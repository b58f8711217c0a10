"""The Search protocol: a generator proposes designs and receives their records before it proposes more."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from keras_approx.exploration.design import Design
from keras_approx.exploration.records import EvaluatedDesign
from keras_approx.exploration.search.space import Space


@dataclass(frozen=True)
class Proposal:
    """Designs to evaluate, all before the search goes on.

    Attributes:
        designs: The designs; those that are known already are not evaluated again.
        remaining: How many more the search will propose after these, about.
        droppable: Whether designs may be given up early; otherwise all images are looked at.
    """

    designs: Sequence[Design]
    remaining: int
    droppable: bool = True


Proposals = Generator[Proposal, Sequence[EvaluatedDesign], None]
"""Gives proposals, and is sent the records of each, in the proposal's order."""


class Search(Protocol):
    """A way to go through a design space. Equal searches with equal seeds and records propose the same."""

    def proposals(self, space: Space, objectives: Sequence[str], seed: int) -> Proposals:
        """Starts searching.

        Args:
            space: What to choose from.
            objectives: Names of the costs to keep small, the most important first.
            seed: Of all chance.
        """
