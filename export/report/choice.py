"""The few designs of a front that a report is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_approx.exploration.front import ParetoFront
    from keras_approx.exploration.records import EvaluatedDesign

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
