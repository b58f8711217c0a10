"""The few designs of a front that a report is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from export.training_side import EvaluatedDesign, ParetoFront

_WORTH = 0.95  # of the exact model's cost: what costs more is not worth showing first


@dataclass(frozen=True)
class Chosen:
    """A design with its label, which says why the report shows it."""

    label: str
    record: EvaluatedDesign


def choose(front: ParetoFront) -> tuple[Chosen, ...]:
    """The exact design, the cheapest at some losses on the validation images, and all that were tuned or tested."""
    found = {front.exact.id: Chosen("exact", front.exact)}
    for loss in front.losses():
        record = front.best(max_drop=loss.drop)
        found.setdefault(record.id, Chosen(f"at most {loss.text}" if loss.drop else "no loss", record))
    for record in front.evaluated:
        if record.fine_tuned_score is not None or record.test_score is not None:
            found.setdefault(record.id, Chosen(f"fine-tuned {record.id[:6]}", record))
    return tuple(found.values())


def highlight(front: ParetoFront, chosen: Sequence[Chosen]) -> Chosen:
    """The design to show first: what loses least of those that cost clearly less; the exact one if none does."""
    objective = front.objectives[0]
    most = _WORTH * front.exact.costs[objective]
    return next((one for one in chosen if one.record.costs[objective] <= most), chosen[0])
