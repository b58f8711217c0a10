"""The few designs of a front that a report is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from export.training_side import EvaluatedDesign, ParetoFront

_WORTH = 0.95  # of the exact model's cost: what costs more is not worth showing first
_DROPS = ((0.0, "no loss"), (0.01, "at most 1 point"), (0.05, "at most 5 points"))


@dataclass(frozen=True)
class Chosen:
    """A design, and what it is called: why it is shown."""

    label: str
    record: EvaluatedDesign


def choose(front: ParetoFront) -> tuple[Chosen, ...]:
    """The exact design, the cheapest at some losses of validation accuracy, and all that were fine-tuned or "
    "tested.
    """
    found = {front.exact.id: Chosen("exact", front.exact)}
    for drop, reason in _DROPS:
        record = front.best(max_drop=drop)
        found.setdefault(record.id, Chosen(reason, record))
    for record in front.evaluated:
        if record.fine_tuned_accuracy is not None or record.test_accuracy is not None:
            found.setdefault(record.id, Chosen(f"fine-tuned {record.id[:6]}", record))
    return tuple(found.values())


def highlight(front: ParetoFront, chosen: Sequence[Chosen]) -> Chosen:
    """The design to show first: what loses least of those that cost clearly less; the exact one if none does."""
    objective = front.objectives[0]
    most = _WORTH * front.exact.costs[objective]
    return next((one for one in chosen if one.record.costs[objective] <= most), chosen[0])
