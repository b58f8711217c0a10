"""What is known of a design that was evaluated. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, Field, InstanceOf, TypeAdapter

from keras_approx.errors import OptionError
from keras_approx.exploration.design import Design
from keras_approx.schema import STRICT

Count = Annotated[int, Field(ge=0, lt=1 << 53)]
Share = Annotated[float, Field(ge=0, le=1)]
Costs = dict[str, Annotated[float, Field(ge=0)]]
Read = Annotated[InstanceOf[Design], BeforeValidator(Design.from_json)]


@dataclass(frozen=True)
class EvaluatedDesign:
    """A design and what was measured of it.

    Attributes:
        design: The design.
        correct: Validation images that the masked model classifies right, of those that were looked at.
        images: Validation images that were looked at.
        dropped_early: Whether not all were, because the design could hardly reach the accuracy of one that
            costs no more; its accuracy is then an estimate, and it is on no front.
        costs: By name, such as "cycles", "flash" (bytes) and "ram" (bytes), or "products".
        kept: Share of the products of all layers that skip.
        kept_by_layer: The same for each of them, by name, in model order.
        distortion: Mean squared distance of the outputs from those of the exact model, in units of the variance of
            these.
        fine_tuned_accuracy: On validation images, after fine-tuning with the design's values.
        fine_tuned_costs: As `costs`, of the masks that fine-tuning ended with.
        test_accuracy: On test images, which no choice has looked at.
    """

    __pydantic_config__: ClassVar[ConfigDict] = {**STRICT, "extra": "ignore"}  # of what reads it from a file

    design: Read
    correct: Count
    images: Annotated[int, Field(ge=1, lt=1 << 53)]
    dropped_early: bool
    costs: Costs
    kept: Share
    kept_by_layer: dict[str, Share]
    distortion: Annotated[float, Field(ge=0)]
    fine_tuned_accuracy: Share | None = None
    fine_tuned_costs: Costs | None = None
    test_accuracy: Share | None = None
    id: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if self.correct > self.images:
            raise OptionError(f"{self.correct} of {self.images} images cannot be classified right")
        object.__setattr__(self, "id", self.design.id)

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def accuracy(self) -> float:
        """Share of the images looked at that are classified right, after masking."""
        return self.correct / self.images

    def to_json(self) -> dict[str, Any]:
        """What `RECORD` reads, and id and accuracy beside it for other readers."""
        values = {
            name: dict(value) if isinstance(value, Mapping) else value for name, value in vars(self).items()
        }
        return {"id": self.id, **values, "design": self.design.to_json(), "accuracy": self.accuracy}


RECORD = TypeAdapter(EvaluatedDesign)
"""Reads what `to_json` gave, checked."""
