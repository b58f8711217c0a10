"""Scores of a front as people read them: accuracies in percent, other metrics as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from export.reporting.format.text import percent, points, printable

if TYPE_CHECKING:
    from export.training_side import EvaluatedDesign, ParetoFront


def score(front: ParetoFront, value: float | None) -> str:
    """A score: 81.25 %, or 0.03125; empty for None."""
    if value is None:
        return ""
    return percent(value, 2) if front.is_share else f"{value:.4g}"


def change(front: ParetoFront, record: EvaluatedDesign) -> str:
    """How a score differs from the exact model's, with its sign: in points, or in units of the metric."""
    difference = record.score - front.exact.score
    return points(difference) if front.is_share else f"{difference:+.3g}"


def lost(front: ParetoFront, record: EvaluatedDesign) -> str:
    """What a design loses against the exact model: "loses 0.20 points", or "loses nothing"."""
    worse = record.badness - front.exact.badness
    if worse <= 0:
        return "loses nothing"
    return f"loses {amount(front, worse)}"


def amount(front: ParetoFront, difference: float) -> str:
    """A difference of scores: "0.20 points", or "0.012 of its mae"."""
    return f"{100 * difference:.2f} points" if front.is_share else f"{difference:.3g} of its {named(front)}"


def does(front: ParetoFront, value: float, images: str) -> str:
    """What a model does: "is right on 81.25 % of the test images", or "has a mae of 0.03125 on the test images"."""
    if front.is_share:
        return f"is right on {score(front, value)} of the {images} images"
    return f"has a {named(front)} of {score(front, value)} on the {images} images"


def named(front: ParetoFront) -> str:
    """The metric's name."""
    return printable(front.metric, 40)


def axis_scale(front: ParetoFront) -> float:
    """What scores are multiplied with to be drawn: 100 for shares, which are drawn in percent."""
    return 100.0 if front.is_share else 1.0


def axis_label(front: ParetoFront) -> str:
    """The label of the axis of scores."""
    return f"validation {named(front)}" + (", %" if front.is_share else "")
