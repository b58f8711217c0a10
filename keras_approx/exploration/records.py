"""What is known of a design that was evaluated. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keras_approx.exploration.design import Design


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

    design: Design
    correct: int
    images: int
    dropped_early: bool
    costs: Mapping[str, float]
    kept: float
    kept_by_layer: Mapping[str, float]
    distortion: float
    fine_tuned_accuracy: float | None = None
    fine_tuned_costs: Mapping[str, float] | None = None
    test_accuracy: float | None = None
    id: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", self.design.id)

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def accuracy(self) -> float:
        """Share of the images looked at that are classified right, after masking."""
        return self.correct / self.images

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads, and id and accuracy beside it for other readers."""
        values = {
            name: dict(value) if isinstance(value, Mapping) else value for name, value in vars(self).items()
        }
        return {"id": self.id, **values, "design": self.design.to_json(), "accuracy": self.accuracy}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EvaluatedDesign:
        """The record that `to_json` wrote.

        Raises:
            OptionError: If the design is none.
            KeyError: If something is missing.
        """
        fields = [name for name in cls.__dataclass_fields__ if name not in ("design", "id")]
        return cls(design=Design.from_json(data["design"]), **{name: data[name] for name in fields})
