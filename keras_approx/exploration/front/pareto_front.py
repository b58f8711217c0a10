"""The outcome of an exploration: every evaluated design, those that no other beats, and the choice among them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_approx.errors import OptionError
from keras_approx.exploration.design import Design
from keras_approx.exploration.front.tables import to_html
from keras_approx.exploration.quality import ACCURACY, Loss, is_share, losses, shown
from keras_approx.exploration.records import EvaluatedDesign, within
from keras_approx.exploration.search.pareto import non_dominated
from keras_approx.skipping.granularity import Granularity
from keras_approx.skipping.significance import ELIMINATION


class ParetoFront:
    """Designs, from `explore` or from a file that `load_front` reads.

    Args:
        exact: The design that keeps everything.
        evaluated: Every design that was evaluated, the exact one among them.
        objectives: Names of the costs that the front is about, beside the score.
        settings: What made it: search, options, seed, images, versions. As JSON has it. "metric" names the scores;
            without it they are accuracies.
        significance: By layer name, in model order, how many groups of operands have which significance: a
            histogram with n + 1 "edges" and n "counts".
    """

    def __init__(
        self,
        exact: EvaluatedDesign,
        evaluated: Sequence[EvaluatedDesign],
        *,
        objectives: Sequence[str],
        settings: Mapping[str, Any],
        significance: Mapping[str, Mapping[str, Sequence[float]]],
    ) -> None:
        self._exact = exact.id
        self._records = {record.id: record for record in [exact, *evaluated]}
        self.objectives = tuple(objectives)
        self.settings = dict(settings)
        self.significance = {
            name: {key: list(numbers) for key, numbers in histogram.items()}
            for name, histogram in significance.items()
        }

    @property
    def exact(self) -> EvaluatedDesign:
        """The design that keeps everything, which losses are measured against."""
        return self._records[self._exact]

    @property
    def evaluated(self) -> tuple[EvaluatedDesign, ...]:
        """Every design that was evaluated, in the order of their ids."""
        return tuple(self._records[name] for name in sorted(self._records))

    @property
    def metric(self) -> str:
        """Name of the metric that scores are of."""
        return str(self.settings.get("metric", ACCURACY))

    @property
    def is_share(self) -> bool:
        """Whether scores are shares of images that are right, which people read as percentages."""
        return is_share(self.metric)

    def losses(self) -> tuple[Loss, ...]:
        """Losses against the exact design whose cheapest designs are worth showing; see `best`."""
        return losses(self.metric, self.exact.score)

    @property
    def designs(self) -> tuple[EvaluatedDesign, ...]:
        """The Pareto front: no other design is as good in its score and all objectives, and better in one.

        Sorted by the first objective. Of designs with equal figures there is one.
        """
        return tuple(pareto_designs(self.evaluated, self.objectives))

    def __repr__(self) -> str:
        designs = f"{len(self.designs):,} of {len(self.evaluated):,} designs"
        exact = f"exact model {shown(self.metric, self.exact.score)}"
        return f"<ParetoFront of {', '.join((self.metric, *self.objectives))}: {designs}, {exact}>"

    def _repr_html_(self) -> str:
        return to_html(self)

    def __getitem__(self, name: str | Design) -> EvaluatedDesign:
        """The record of a design, by the design or its id.

        Raises:
            KeyError: If it was not evaluated.
        """
        return self._records[name.id if isinstance(name, Design) else name]

    def best(
        self,
        *,
        max_drop: float | None = None,
        max_cycles: float | None = None,
        max_flash: float | None = None,
        max_ram: float | None = None,
        fine_tuned: bool = False,
    ) -> EvaluatedDesign:
        """The best design within limits, of all that were evaluated on all images.

        With `max_drop` the one that costs least by the first objective (then the one of the best score), otherwise the
        one of the best score (then the one that costs least).

        Args:
            max_drop: By how much the score may be worse than the exact model's, in units of the metric: of accuracy
                0.01 is one percentage point, of an error 0.01 allows one that is higher by 0.01.
            max_cycles: Cycles of an inference.
            max_flash: Bytes.
            max_ram: Bytes.
            fine_tuned: Whether to compare scores and costs after fine-tuning, of designs that were fine-tuned.
                The exact model's is that after fine-tuning too, if it was.

        Raises:
            OptionError: If no limit is given, one is on a cost that was not measured, or no design is within them.
        """
        _check_drop(max_drop, self.metric)
        given = {"cycles": max_cycles, "flash": max_flash, "ram": max_ram}
        limits = {name: limit for name, limit in given.items() if limit is not None}
        if max_drop is None and not limits:
            raise OptionError("give at least one limit: max_drop=, max_cycles=, max_flash= or max_ram=")
        unknown = [name for name in limits if name not in self.exact.costs]
        if unknown:
            raise OptionError(
                f"{', '.join(unknown)} was not measured, only {', '.join(self.exact.costs)}: explore with "
                "price=export.Pricer(model, ...)"
            )
        records = [_tuned(record) for record in self.evaluated] if fine_tuned else self.evaluated
        candidates = [record for record in records if record is not None and not record.dropped_early]
        exact = (_tuned(self.exact) if fine_tuned else None) or self.exact
        found = [
            record
            for record in candidates
            if (max_drop is None or within(record, exact, max_drop))
            and all(record.costs[name] <= limit for name, limit in limits.items())
        ]
        if not found:
            lowest = _lowest(candidates, limits)
            raise OptionError(
                f"no {'fine-tuned ' if fine_tuned else ''}design of {len(self._records)} is within the limits"
                f"{f', the lowest there are: {lowest}' if lowest else ''}; allow more, or explore further"
            )
        first = self.objectives[0]
        if max_drop is None:
            return self[min(found, key=lambda record: (record.badness, record.costs[first])).id]
        return self[min(found, key=lambda record: (record.costs[first], record.badness)).id]

    def annotate(self, design: EvaluatedDesign | Design, **measured: Any) -> EvaluatedDesign:
        """Adds what was measured of a design later, and returns its new record.

        Args:
            design: A design that was evaluated, or its record.
            **measured: Fields of its record, such as test_score=0.81.

        Raises:
            KeyError: If the design was not evaluated.
            TypeError: If a record has no field of that name.
        """
        record = dataclasses.replace(self[design.id], **measured)
        self._records[record.id] = record
        return record

    @property
    def needs_calibration(self) -> bool:
        """Whether applying a design takes calibration data, as each has statistics or weights of its own."""
        recalibrated = bool(self.settings.get("recalibrate", False))
        return recalibrated or self.settings.get("significance") == ELIMINATION

    def sensitivity(self) -> dict[tuple[str, str | Granularity], list[EvaluatedDesign]]:
        """Sensitivity by layer: the designs in which that layer alone skips, and the exact one.

        The search `Alone` evaluates them all, `Budget` does so on its way.

        Returns:
            By layer name and granularity, sorted by the share of the layer that is kept, the exact design last.

        Example:
            front = keras_approx.explore(model, search=Alone(), granularity=["pair", "kernel"], ...)
            keras_approx.plot_sensitivity(front, "layers.png")
        """
        found: dict[tuple[str, str | Granularity], list[EvaluatedDesign]] = {}
        for record in self.evaluated:
            names = list(record.design.values)
            if len(names) == 1 and not record.dropped_early:
                found.setdefault((names[0], record.design.granularity_of(names[0])), []).append(record)
        order = list(self.exact.kept_by_layer)
        return {
            key: [*sorted(records, key=lambda record: record.kept_by_layer[key[0]]), self.exact]
            for key, records in sorted(
                found.items(), key=lambda item: (order.index(item[0][0]), str(item[0][1]))
            )
        }


def pareto_designs(records: Sequence[EvaluatedDesign], objectives: Sequence[str]) -> list[EvaluatedDesign]:
    """The records that no other beats in score and costs, by the first objective; none dropped early."""
    whole = sorted((record for record in records if not record.dropped_early), key=lambda record: record.id)
    points = np.array(
        [[*(record.costs[name] for name in objectives), record.badness] for record in whole], np.float64
    )
    return [whole[number] for number in non_dominated(points.reshape(len(whole), len(objectives) + 1))]


def _check_drop(drop: float | None, metric: str) -> None:
    if drop is None:
        return
    if is_share(metric) and not 0 <= drop < 1:
        raise OptionError(
            f"max_drop is a share of the samples from 0 to below 1: 0.01 is one percentage point; got {drop}"
        )
    if not 0 <= drop < np.inf:
        raise OptionError(
            f"max_drop is by how much the {metric} may be worse, a finite number of at least 0; got {drop}"
        )


def _lowest(candidates: Sequence[EvaluatedDesign], names: Iterable[str]) -> str:
    """The least of each cost that any candidate has, for the error message."""
    if not candidates:
        return ""
    return ", ".join(f"{name} {min(record.costs[name] for record in candidates):,.0f}" for name in names)


def _tuned(record: EvaluatedDesign) -> EvaluatedDesign | None:
    """The record with the score and the costs after fine-tuning in place of those before; None without."""
    if record.fine_tuned_score is None:
        return None
    costs = record.fine_tuned_costs or record.costs
    return dataclasses.replace(record, score=record.fine_tuned_score, costs=costs)
