"""A front as a JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from keras_approx.errors import StoreError
from keras_approx.exploration.front.pareto_front import ParetoFront
from keras_approx.exploration.records import EvaluatedDesign
from keras_approx.exploration.strict_json import json_of
from keras_approx.storage.files import replacing
from keras_approx.storage.schema import Record, explain, read_bounded

FORMAT = "keras_approx Pareto front"
SCHEMA = 2
_MAX_BYTES = 1 << 30


class _Histogram(Record):
    edges: list[float]
    counts: list[float]

    @model_validator(mode="after")
    def _check_lengths(self) -> _Histogram:
        if len(self.edges) != len(self.counts) + 1:
            raise ValueError(f"{len(self.counts)} counts need one edge more, got {len(self.edges)}")
        return self


class _FrontRecord(Record):
    """What `save_front` writes."""

    format: Literal["keras_approx Pareto front"]
    version: Literal[2] = Field(alias="schema")
    objectives: Annotated[list[str], Field(min_length=1)]
    settings: dict[str, Any]
    exact: str
    front: list[str]
    evaluated: Annotated[list[EvaluatedDesign], Field(min_length=1)]
    significance: dict[str, _Histogram]


def save_front(front: ParetoFront, path: str | Path) -> None:
    """Writes a front to one JSON file: the whole file, or none of it.

    Args:
        front: The front.
        path: Of the file; one that is there is replaced.

    Raises:
        OSError: If it cannot be written.
    """
    path = Path(path)
    data = {
        "format": FORMAT,
        "schema": SCHEMA,
        "objectives": list(front.objectives),
        "settings": front.settings,
        "exact": front.exact.id,
        "front": [record.id for record in front.designs],
        "evaluated": [record.to_json() for record in front.evaluated],
        "significance": front.significance,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(f"{json_of(data, indent=1)}\n".encode())


def load_front(path: str | Path) -> ParetoFront:
    """Reads what `save_front` wrote.

    Args:
        path: Of the file.

    Returns:
        The front, with everything that was measured.

    Raises:
        StoreError: If the file is something else, or of a later version.
        OSError: If it cannot be read.
    """
    advice = f"{path} is not a Pareto front as keras_approx.save_front writes it"
    try:
        content = read_bounded(Path(path), _MAX_BYTES)
        found = _FrontRecord.model_validate_json(content)
        json_of(found.settings)  # NaN, wherever it stands
    except ValidationError as error:
        raise StoreError(f"{advice}: {explain(error)}") from error
    except ValueError as error:
        raise StoreError(f"{advice}: {error}") from error
    records = {record.id: record for record in found.evaluated}
    missing = ["the exact design"] if found.exact not in records else _missing(found, records[found.exact])
    if missing:
        raise StoreError(f"{advice}: {missing[0]} is missing")
    if len({record.higher_is_better for record in found.evaluated}) > 1:
        raise StoreError(f"{advice}: higher_is_better differs between designs")
    front = ParetoFront(
        records[found.exact],
        found.evaluated,
        objectives=found.objectives,
        settings=found.settings,
        significance={name: histogram.model_dump() for name, histogram in found.significance.items()},
    )
    strange = _no_share(found.evaluated) if front.is_share else None
    if strange is not None:
        raise StoreError(f"{advice}: {front.metric} is a share from 0 to 1, got {strange}")
    return front


def _no_share(records: list[EvaluatedDesign]) -> float | None:
    """The first score that is no share of anything."""
    scores = [score for one in records for score in (one.score, one.fine_tuned_score, one.test_score)]
    return next((score for score in scores if score is not None and not 0 <= score <= 1), None)


def _missing(found: _FrontRecord, exact: EvaluatedDesign) -> list[str]:
    """What some design lacks of the objectives, or of what the exact one has."""
    costs = dict.fromkeys([*found.objectives, *exact.costs])
    absent = [f"the cost {name!r}" for name in costs if any(name not in one.costs for one in found.evaluated)]
    return absent + [
        f"the kept share of the layer {name!r}"
        for name in exact.kept_by_layer
        if any(name not in one.kept_by_layer for one in found.evaluated)
    ]
