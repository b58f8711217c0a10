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
from keras_approx.exploration.records import EvaluatedDesign
from keras_approx.exploration.search.pareto import non_dominated
from keras_approx.exploration.text import json_of
from keras_approx.schema import Record, explain, read_bounded
from keras_approx.skipping.granularity import Granularity
from keras_approx.skipping.significance import ELIMINATION

FORMAT = "keras_approx Pareto front"
SCHEMA = 1
_MAX_BYTES = 1 << 30
# Accuracies are quotients of counts: what differs by less is the same.
_ROUNDING = 1e-9


class ParetoFront:
    """Designs, from an exploration or from a file; see `explore` and `load`.

    Args:
        exact: The design that keeps everything.
        evaluated: Every design that was evaluated, the exact one among them.
        objectives: Names of the costs that the front is about, beside accuracy.
        settings: What made it: search, options, seed, images, versions. As JSON has it.
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
    def designs(self) -> tuple[EvaluatedDesign, ...]:
        """The Pareto front: no other design is as good in accuracy and all objectives, and better in one.

        Sorted by the first objective. Of designs with equal figures there is one.
        """
        return tuple(pareto_designs(self.evaluated, self.objectives))

    def __repr__(self) -> str:
        designs = f"{len(self.designs):,} of {len(self.evaluated):,} designs"
        return (
            f"<ParetoFront of {', '.join(self.objectives)}: {designs}, exact model {self.exact.accuracy:.2%}>"
        )

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

        With `max_drop` the one that costs least by the first objective (then the most accurate), otherwise the most
        accurate one (then the one that costs least).

        Args:
            max_drop: Accuracy that may be lost against the exact model: 0.01 is one percentage point.
            max_cycles: Cycles of an inference.
            max_flash: Bytes.
            max_ram: Bytes.
            fine_tuned: Whether to compare accuracies and costs after fine-tuning, of designs that were fine-tuned.
                The exact model's is that after fine-tuning too, if it was.

        Raises:
            OptionError: If no limit is given, one is on a cost that was not measured, or no design is within them.
        """
        if max_drop is not None and not 0 <= max_drop < 1:
            raise OptionError(
                f"max_drop is a share of the samples from 0 to below 1: 0.01 is one percentage point; got {max_drop}"
            )
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
        least = -np.inf if max_drop is None else _accuracy(self.exact, fine_tuned, self.exact) - max_drop
        first = self.objectives[0]

        def rank(record: EvaluatedDesign) -> tuple[float, float]:
            accuracy, cost = -_accuracy(record, fine_tuned, self.exact), _costs(record, fine_tuned)[first]
            return (accuracy, cost) if max_drop is None else (cost, accuracy)

        found = [
            record
            for record in self.evaluated
            if not record.dropped_early
            and (not fine_tuned or record.fine_tuned_accuracy is not None)
            and _accuracy(record, fine_tuned, self.exact) >= least - _ROUNDING
            and all(_costs(record, fine_tuned)[name] <= limit for name, limit in limits.items())
        ]
        if not found:
            raise OptionError(
                f"no {'fine-tuned ' if fine_tuned else ''}design of {len(self._records)} is within the limits: "
                "allow more, or explore further"
            )
        return min(found, key=rank)

    def annotate(self, design: EvaluatedDesign | Design, **measured: Any) -> EvaluatedDesign:
        """Adds what was measured of a design later, such as test_accuracy=, and returns its new record.

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
        """Draws accuracy against a cost: all designs, the front, and the exact model.

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
        """Draws what each layer bears by itself: accuracy against the cost of the whole model.

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
    version: Literal[1] = Field(alias="schema")
    objectives: Annotated[list[str], Field(min_length=1)]
    settings: dict[str, Any]
    exact: str
    front: list[str]
    evaluated: Annotated[list[EvaluatedDesign], Field(min_length=1)]
    significance: dict[str, _Histogram]


def pareto_designs(records: Sequence[EvaluatedDesign], objectives: Sequence[str]) -> list[EvaluatedDesign]:
    """The records that no other beats in accuracy and costs, by the first objective; none dropped early."""
    whole = sorted((record for record in records if not record.dropped_early), key=lambda record: record.id)
    points = np.array(
        [[*(record.costs[name] for name in objectives), -record.accuracy] for record in whole], np.float64
    )
    return [whole[number] for number in non_dominated(points.reshape(len(whole), len(objectives) + 1))]


def _accuracy(record: EvaluatedDesign, fine_tuned: bool, exact: EvaluatedDesign) -> float:
    """After fine-tuning if it is asked for; the exact model stands as it is if it was not fine-tuned."""
    if not fine_tuned or (record.id == exact.id and record.fine_tuned_accuracy is None):
        return record.accuracy
    return -np.inf if record.fine_tuned_accuracy is None else record.fine_tuned_accuracy


def _costs(record: EvaluatedDesign, fine_tuned: bool) -> Mapping[str, float]:
    return record.fine_tuned_costs if fine_tuned and record.fine_tuned_costs else record.costs
