"""Evaluates what a search proposes, and keeps the records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from keras_approx.exploration.design import Design
from keras_approx.exploration.evaluate.design_prices import Pricing
from keras_approx.exploration.evaluate.evaluator import Outcome, Work
from keras_approx.exploration.evaluate.images import ValidationSet
from keras_approx.exploration.evaluate.workers import Runner
from keras_approx.exploration.front.pareto_front import pareto_designs
from keras_approx.exploration.progress import ExplorationProgress
from keras_approx.exploration.records import EvaluatedDesign
from keras_approx.exploration.search.protocol import Search
from keras_approx.exploration.search.space import Space
from keras_approx.exploration.store import Store


class Exploration:
    """One exploration, which continues from what its store has.

    Args:
        runner: Measures designs.
        store: Keeps the records; those that it has are not measured again.
        pricing: Prices designs.
        data: What designs are scored on.
        droppable: Whether designs may be given up early, where the metric counts right images.
    """

    def __init__(
        self,
        runner: Runner,
        store: Store,
        pricing: Pricing,
        data: ValidationSet,
        *,
        droppable: bool,
    ) -> None:
        self._runner = runner
        self._store = store
        self._pricing = pricing
        self._images = len(data)
        self._scorer = data.scorer
        self._droppable = droppable and data.scorer.right is not None
        self.records: dict[str, EvaluatedDesign] = {}

    def run(self, search: Search, space: Space, exact: Design, seed: int, *, verbose: bool) -> None:
        """Searches to the end; the records are then those of all designs that the search proposed."""
        [first] = self._evaluate([exact], droppable=False)
        progress = ExplorationProgress(first, self._pricing.objectives[0], verbose, metric=self._scorer.name)
        proposals = search.proposals(space, self._pricing.objectives, seed)
        try:
            proposal = next(proposals)
            while True:
                droppable = self._droppable and proposal.droppable
                found = self._evaluate(
                    proposal.designs, droppable=droppable, progress=progress, remaining=proposal.remaining
                )
                proposal = proposals.send(found)
        except StopIteration:
            progress.expect(0)
        finally:
            progress.finish()

    def _evaluate(
        self,
        designs: Sequence[Design],
        *,
        droppable: bool,
        progress: ExplorationProgress | None = None,
        remaining: int = 0,
    ) -> list[EvaluatedDesign]:
        """The records of designs, in their order.

        What may be given up follows from the records of earlier proposals alone, so it does not matter in which order,
        where, and in how many attempts the designs of one proposal are evaluated.
        """
        wanted = {design.id: design for design in designs if design.id not in self.records}
        known = {name: self._store.records[name] for name in wanted if name in self._store.records}
        missing = [design for name, design in wanted.items() if name not in known]
        if progress is not None:
            progress.restore(list(known.values()))
            progress.expect(len(missing) + remaining)
        for record in self._measured(missing, droppable):
            self._store.add(record)
            known[record.id] = record
            if progress is not None:
                progress.update(record)
        self._store.sync()
        self.records |= {name: known[name] for name in wanted}
        return [self.records[design.id] for design in designs]

    def _measured(self, designs: Sequence[Design], droppable: bool) -> Iterator[EvaluatedDesign]:
        if not designs:
            return
        costs = [self._pricing.costs(design) for design in designs]
        required = self._required(costs) if droppable else np.zeros(len(designs), np.int64)
        for outcome in self._runner.run(self._work(designs, required)):
            yield self._record(designs[outcome.row], costs[outcome.row], outcome)

    def _required(self, costs: Sequence[dict[str, float]]) -> np.ndarray:
        """For each design the most images that are right with a known one which costs no more."""
        objectives = self._pricing.objectives
        front = pareto_designs(list(self.records.values()), objectives)
        known = np.array([[record.costs[name] for name in objectives] for record in front])
        right = np.array([record.right for record in front])
        wanted = np.array([[found[name] for name in objectives] for found in costs])
        no_more = np.all(known <= wanted[:, None], axis=2)
        return np.where(no_more, right, 0).max(axis=1)

    def _work(self, designs: Sequence[Design], required: np.ndarray) -> Work:
        masks: dict[str, list[np.ndarray]] = {name: [] for name in self._pricing.layers.significance}
        numbers: dict[int, int] = {}  # equal masks of a layer are one array
        rows = np.zeros((len(designs), len(masks)), np.int64)
        for row, design in enumerate(designs):
            for column, (name, mask) in enumerate(self._pricing.layers.masks(design).items()):
                if id(mask) not in numbers:
                    numbers[id(mask)] = len(masks[name])
                    masks[name].append(mask)
                rows[row, column] = numbers[id(mask)]
        return Work(masks, rows, required)

    def _record(self, design: Design, costs: dict[str, float], outcome: Outcome) -> EvaluatedDesign:
        layers = self._pricing.layers
        products = layers.products(layers.masks(design))
        whole = {name: times * layers.significance[name].size for name, times in layers.positions.items()}
        return EvaluatedDesign(
            design,
            outcome.score,
            outcome.images,
            outcome.images < self._images,
            costs,
            sum(products.values()) / sum(whole.values()),
            {name: kept / whole[name] for name, kept in products.items()},
            outcome.distortion,
            self._scorer.higher_is_better,
        )
