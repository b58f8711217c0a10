"""The metric of an exploration: its name, which direction is better, and how its values are printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ACCURACY = "accuracy"
_DROPS = (0.0, 0.01, 0.05)


@dataclass(frozen=True)
class Quality:
    """A metric for `explore` whose name alone does not say which direction is better.

    Attributes:
        metric: A function of labels and outputs of all validation samples (arrays as `validation` has them and as
            `predict` gives them) that returns a number, or one for each sample, of which the mean counts; or anything
            else that `explore` takes as a metric.
        higher_is_better: Whether more is better; None where a name of Keras says it.
        name: For tables and plots; None for the metric's own.

    Example:
        def worst(labels, outputs):
            return numpy.abs(labels - outputs).max()

        front = keras_approx.explore(model, metric=keras_approx.Quality(worst, higher_is_better=False), ...)
    """

    metric: str | Callable[[Any, Any], Any] | Any
    higher_is_better: bool | None = None
    name: str | None = None


@dataclass(frozen=True)
class Loss:
    """How much a design may lose against the exact one.

    Attributes:
        drop: In units of the metric.
        text: The same for people, such as "1 point" or "1 %".
    """

    drop: float
    text: str


def is_share(metric: str) -> bool:
    """Whether a metric is a share of samples that were right, which people read as a percentage."""
    return metric == ACCURACY


def shown(metric: str, value: float) -> str:
    """A value of a metric for people: 81.25% of accuracy, 0.03125 of an error."""
    return f"{value:.2%}" if is_share(metric) else f"{value:.4g}"


def losses(metric: str, exact: float) -> tuple[Loss, ...]:
    """Losses whose cheapest designs are worth showing: of accuracy in points, else in shares of the exact model's.

    Args:
        metric: Its name.
        exact: Its value for the exact model.
    """
    if is_share(metric):
        return tuple(Loss(drop, f"{100 * drop:g} point{'s' * (drop > 0.01)}") for drop in _DROPS)
    return tuple(Loss(drop * abs(exact), f"{100 * drop:g} %") for drop in (_DROPS if exact else _DROPS[:1]))
