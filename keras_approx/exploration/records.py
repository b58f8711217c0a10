"""The record of an evaluated design. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, Field, InstanceOf, TypeAdapter

from keras_approx.exploration.design import Design
from keras_approx.storage.schema import STRICT

Share = Annotated[float, Field(ge=0, le=1)]
Costs = dict[str, Annotated[float, Field(ge=0)]]
Read = Annotated[InstanceOf[Design], BeforeValidator(Design.from_json)]

_ROUNDING = 1e-9  # of a score: what differs by less is the same


@dataclass(frozen=True)
class EvaluatedDesign:
    """A design and what was measured of it.

    Attributes:
        design: The design.
        score: The metric of the exploration, in its own units, of the masked model on the validation images that were
            looked at: with "accuracy" the share that is right.
        images: Validation images that were looked at.
        dropped_early: Whether not all were, because the design could hardly reach the score of one that
            costs no more; its score is then an estimate, and it is on no front.
        costs: By name, such as "cycles", "flash" (bytes) and "ram" (bytes), or "products".
        kept: Share of the products of all layers that skip.
        kept_by_layer: The same for each of them, by name, in model order.
        distortion: Mean squared distance of the outputs from those of the exact model, in units of the variance of
            these.
        higher_is_better: Whether higher scores are better.
        fine_tuned_score: On validation images, after fine-tuning with the design's values.
        fine_tuned_costs: As `costs`, of the masks that fine-tuning ended with.
        test_score: On test images, which no choice has looked at.
    """

    __pydantic_config__: ClassVar[ConfigDict] = {**STRICT, "extra": "ignore"}  # of what reads it from a file

    design: Read
    score: float
    images: Annotated[int, Field(ge=1, lt=1 << 53)]
    dropped_early: bool
    costs: Costs
    kept: Share
    kept_by_layer: dict[str, Share]
    distortion: Annotated[float, Field(ge=0)]
    higher_is_better: bool = True
    fine_tuned_score: float | None = None
    fine_tuned_costs: Costs | None = None
    test_score: float | None = None
    id: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", self.design.id)

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def badness(self) -> float:
        """The score as something to make small: its negative where higher scores are better."""
        return -self.score if self.higher_is_better else self.score

    @property
    def right(self) -> int:
        """Images that are right, of those looked at, where the score is the share of them: see quality.is_share."""
        return round(self.score * self.images)

    def to_json(self) -> dict[str, Any]:
        """What `RECORD` reads, and the id beside it for other readers."""
        values = {
            name: dict(value) if isinstance(value, Mapping) else value for name, value in vars(self).items()
        }
        return {"id": self.id, **values, "design": self.design.to_json()}


def within(record: EvaluatedDesign, exact: EvaluatedDesign, drop: float) -> bool:
    """Whether a design is worse than the exact one by no more than that, in units of the metric."""
    return record.badness <= exact.badness + drop + _ROUNDING * abs(exact.score)


RECORD = TypeAdapter(EvaluatedDesign)
"""Reads what `to_json` gave, checked."""
