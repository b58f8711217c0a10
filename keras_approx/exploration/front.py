"""The outcome of an exploration: every evaluated design, and those that no other beats."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from keras_approx.errors import OptionError, StoreError
from keras_approx.exploration.design import Design
from keras_approx.exploration.front_tables import to_html, write_csv
from keras_approx.exploration.quality import ACCURACY, Loss, is_share, losses, shown
from keras_approx.exploration.records import EvaluatedDesign, within
from keras_approx.exploration.search.pareto import non_dominated
from keras_approx.exploration.text import json_of
from keras_approx.schema import Record, explain, read_bounded
from keras_approx.skipping.granularity import Granularity
from keras_approx.skipping.significance import ELIMINATION

FORMAT = "keras_approx Pareto front"
SCHEMA = 2
_MAX_BYTES = 1 << 30


class ParetoFront:
    """Designs, from an exploration or from a file; see `explore` and `load`.

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

    def shown(self, score: float) -> str:
        """A score for people: a percentage of accuracy, else a number."""
        return shown(self.metric, score)

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
        exact = f"exact model {self.shown(self.exact.score)}"
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
        candidates = [_tuned(record) for record in self.evaluated] if fine_tuned else self.evaluated
        exact = (_tuned(self.exact) if fine_tuned else None) or self.exact
        first = self.objectives[0]

        def rank(record: EvaluatedDesign) -> tuple[float, float]:
            badness, cost = record.badness, record.costs[first]
            return (badness, cost) if max_drop is None else (cost, badness)

        found = [
            record
            for record in candidates
            if record is not None
            and not record.dropped_early
            and (max_drop is None or within(record, exact, max_drop))
            and all(record.costs[name] <= limit for name, limit in limits.items())
        ]
        if not found:
            raise OptionError(
                f"no {'fine-tuned ' if fine_tuned else ''}design of {len(self._records)} is within the limits: "
                "allow more, or explore further"
            )
        return self[min(found, key=rank).id]

    def annotate(self, design: EvaluatedDesign | Design, **measured: Any) -> EvaluatedDesign:
        """Adds what was measured of a design later, such as test_score=, and returns its new record.

        Raises:
            KeyError: If the design was not evaluated.
            TypeError: If a record has no field of that name.
        """
        record = dataclasses.replace(self[design.id], **measured)
        self._records[record.id] = record
        return record

    @property
    def measured_anew(self) -> bool:
        """Whether designs got statistics or weights of their own, so that applying one takes calibration data."""
        recalibrated = bool(self.settings.get("recalibrate", False))
        return recalibrated or self.settings.get("significance") == ELIMINATION

    def to_csv(self, path: str | Path) -> None:
        """Writes a table of all evaluated designs, one a line, those of the front first."""
        write_csv(self, path)

    def plot(self, path: str | Path | None = None, *, objective: str | None = None) -> Any:
        """Draws the score against a cost: all designs, the front, and the exact model.

        Args:
            path: Where to save the picture; its ending says the format. None saves nothing.
            objective: The cost; None for the first objective.

        Returns:
            The matplotlib Figure.

        Raises:
            ModuleNotFoundError: If matplotlib is not installed; the message says how to get it.
            OptionError: If the cost was not measured.
        """
        from keras_approx.exploration.plotting import plot_front  # noqa: PLC0415 - matplotlib

        return plot_front(self, path, objective or self.objectives[0])

    def sensitivity(self) -> dict[tuple[str, str | Granularity], list[EvaluatedDesign]]:
        """What each layer bears by itself: the designs in which it alone skips, and the exact one.

        The search `Alone` evaluates them all, `Budget` does so on its way.

        Returns:
            By layer name and granularity, sorted by the share of the layer that is kept, the exact design last.

        Example:
            front = keras_approx.explore(model, search=Alone(), granularity=["pair", "kernel"], ...)
            front.plot_sensitivity("layers.png")
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

    def plot_sensitivity(self, path: str | Path | None = None, *, objective: str | None = None) -> Any:
        """Draws what each layer bears by itself: the score against the cost of the whole model.

        Args:
            path: Where to save the picture; its ending says the format. None saves nothing.
            objective: The cost; None for the first objective.

        Returns:
            The matplotlib Figure.

        Raises:
            MissingPackageError: If matplotlib is not installed; the message says how to get it.
            OptionError: If the cost was not measured, or no design in which one layer skips was evaluated.
        """
        from keras_approx.exploration.plotting import plot_sensitivity  # noqa: PLC0415 - matplotlib

        return plot_sensitivity(self, path, objective or self.objectives[0])

    def save(self, path: str | Path) -> None:
        """Writes everything to one JSON file: the whole file, or none of it."""
        path = Path(path)
        data = {
            "format": FORMAT,
            "schema": SCHEMA,
            "objectives": list(self.objectives),
            "settings": self.settings,
            "exact": self.exact.id,
            "front": [record.id for record in self.designs],
            "evaluated": [record.to_json() for record in self.evaluated],
            "significance": self.significance,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_text(json_of(data, indent=1) + "\n", encoding="utf-8")
        os.replace(part, path)

    @classmethod
    def load(cls, path: str | Path) -> ParetoFront:
        """Reads what `save` wrote.

        Raises:
            StoreError: If the file is something else, or of a later version.
            OSError: If it cannot be read.
        """
        advice = f"{path} is not a Pareto front as ParetoFront.save writes it"
        try:
            content = read_bounded(Path(path), _MAX_BYTES)
            found = _FrontRecord.model_validate_json(content)
            json_of(found.settings)  # NaN, wherever it stands
        except ValidationError as error:
            raise StoreError(f"{advice}: {explain(error)}") from error
        except ValueError as error:
            raise StoreError(f"{advice}: {error}") from error
        records = {record.id: record for record in found.evaluated}
        missing = [
            name for name in found.objectives if any(name not in record.costs for record in found.evaluated)
        ]
        if found.exact not in records or missing:
            what = f"the cost {missing[0]!r}" if missing else "the exact design"
            raise StoreError(f"{advice}: {what} is missing")
        if len({record.higher_is_better for record in found.evaluated}) > 1:
            raise StoreError(f"{advice}: higher_is_better differs between designs")
        return cls(
            records[found.exact],
            found.evaluated,
            objectives=found.objectives,
            settings=found.settings,
            significance={name: histogram.model_dump() for name, histogram in found.significance.items()},
        )


class _Histogram(Record):
    edges: list[float]
    counts: list[float]

    @model_validator(mode="after")
    def _check_lengths(self) -> _Histogram:
        if len(self.edges) != len(self.counts) + 1:
            raise ValueError(f"{len(self.counts)} counts need one edge more, got {len(self.edges)}")
        return self


class _FrontRecord(Record):
    """What `ParetoFront.save` writes."""

    format: Literal["keras_approx Pareto front"]
    version: Literal[2] = Field(alias="schema")
    objectives: Annotated[list[str], Field(min_length=1)]
    settings: dict[str, Any]
    exact: str
    front: list[str]
    evaluated: Annotated[list[EvaluatedDesign], Field(min_length=1)]
    significance: dict[str, _Histogram]


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


def _tuned(record: EvaluatedDesign) -> EvaluatedDesign | None:
    """The record with the score and the costs after fine-tuning in place of those before; None without."""
    if record.fine_tuned_score is None:
        return None
    costs = record.fine_tuned_costs or record.costs
    return dataclasses.replace(record, score=record.fine_tuned_score, costs=costs)
