"""Draws a front."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_approx.errors import MissingPackageError, OptionError
from keras_approx.text import plural

if TYPE_CHECKING:
    from keras_approx.exploration.front.pareto_front import ParetoFront

_LINES = ("-", "--", ":", "-.")
_FRONT, _OTHER, _EXACT = "#1f5fa8", "#c3c9d1", "#c2452d"


def plot_front(front: ParetoFront, path: str | Path | None = None, *, objective: str | None = None) -> Any:
    """Draws the score against a cost: all designs, the front, and the exact model.

    Args:
        front: The front.
        path: Where to save the picture; its ending says the format. None saves nothing.
        objective: The cost; None for the first objective.

    Returns:
        The matplotlib Figure.

    Raises:
        MissingPackageError: If matplotlib is not installed; the message says how to get it.
        OptionError: If the cost was not measured.
    """
    objective = objective or front.objectives[0]
    figure, axes = _figure(front, objective)
    whole = [record for record in front.evaluated if not record.dropped_early]
    unit, scale = _unit(front.exact.costs[objective])
    percent = _percent(front)

    def points(records: Any) -> tuple[list[float], list[float]]:
        records = list(records)
        return [r.costs[objective] / scale for r in records], [percent * r.score for r in records]

    axes.scatter(
        *points(whole), s=9, color=_OTHER, label=f"{plural(len(whole), 'design')}, all images", zorder=2
    )
    axes.plot(*points(front.designs), ".-", color=_FRONT, drawstyle="steps-post", label="front", zorder=3)
    axes.plot(*points([front.exact]), "D", color=_EXACT, label="exact", zorder=4)
    tuned = [record for record in whole if record.fine_tuned_score is not None]
    if tuned:
        costs = [(record.fine_tuned_costs or record.costs)[objective] / scale for record in tuned]
        scores = [percent * (record.fine_tuned_score or 0) for record in tuned]
        axes.plot(costs, scores, "^", color=_FRONT, mfc="white", label="fine-tuned", zorder=5)
    axes.set_xlabel(f"{objective}{unit}")
    axes.set_ylabel(_score_label(front))
    axes.set_xlim(left=0)
    axes.grid(color="#e6e9ed", zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right" if front.exact.higher_is_better else "upper right")
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def plot_sensitivity(
    front: ParetoFront, path: str | Path | None = None, *, objective: str | None = None
) -> Any:
    """Draws the sensitivity of each layer: the score against the cost of the whole model.

    Args:
        front: The front; see `ParetoFront.sensitivity`.
        path: Where to save the picture; its ending says the format. None saves nothing.
        objective: The cost; None for the first objective.

    Returns:
        The matplotlib Figure.

    Raises:
        MissingPackageError: If matplotlib is not installed; the message says how to get it.
        OptionError: If the cost was not measured, or no design in which one layer skips was evaluated.
    """
    objective = objective or front.objectives[0]
    figure, axes = _figure(front, objective)
    curves = front.sensitivity()
    if not curves:
        raise OptionError(
            "no design was evaluated in which one layer alone skips: explore with search=Alone() or Budget()"
        )
    unit, scale = _unit(front.exact.costs[objective])
    layers = list(dict.fromkeys(layer for layer, _ in curves))
    granularities = list(dict.fromkeys(granularity for _, granularity in curves))
    for (layer, granularity), records in curves.items():
        costs = [record.costs[objective] / scale for record in records]
        axes.plot(
            costs,
            [_percent(front) * record.score for record in records],
            linestyle=_LINES[granularities.index(granularity) % len(_LINES)],
            marker=".",
            color=f"C{layers.index(layer)}",
            label=f"{layer}, {granularity}",
        )
    axes.set_xlabel(f"{objective} of the model{unit}")
    axes.set_ylabel(_score_label(front))
    axes.grid(color="#e6e9ed", zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        frameon=False, loc="lower right" if front.exact.higher_is_better else "upper right", fontsize=8
    )
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _figure(front: ParetoFront, objective: str) -> tuple[Any, Any]:
    """An empty picture for a cost that was measured."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "plotting needs matplotlib: pip install 'keras_approx[plots]'", name=error.name
        ) from error
    if objective not in front.exact.costs:
        raise OptionError(f"{objective!r} was not measured; these costs were: {', '.join(front.exact.costs)}")
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    return figure, figure.subplots()


def _percent(front: ParetoFront) -> float:
    """What scores are drawn as: shares of samples in percent."""
    return 100.0 if front.is_share else 1.0


def _score_label(front: ParetoFront) -> str:
    return f"validation {front.metric}" + (", %" if front.is_share else "")


def _unit(number: float) -> tuple[str, float]:
    for name, size in ((", millions", 1e6), (", thousands", 1e3)):
        if number >= size:
            return name, size
    return "", 1.0
