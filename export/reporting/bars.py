"""Horizontal bars, one group a layer, which can be read on a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from export.reporting.style import SERIES


def draw_bars(
    axis: Any, labels: Sequence[str], values: Mapping[str, Sequence[float | None]], *, named: bool = True
) -> None:
    """Draws a group of bars for each label, one bar for each series; the first layer is on top.

    Args:
        axis: Matplotlib axes.
        labels: Of the groups.
        values: By the name of the series, a length for each group; None draws none.
        named: Whether the series get their names in a legend.
    """
    thickness = 0.8 / len(values)
    for number, (name, lengths) in enumerate(values.items()):
        drawn = [(place, length) for place, length in enumerate(lengths) if length is not None]
        axis.barh(
            [place - 0.4 + thickness * (number + 0.5) for place, _ in drawn],
            [length for _, length in drawn],
            thickness * 0.92,
            color=SERIES[number % len(SERIES)],
            label=name if named else None,
        )
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.grid(False, axis="y")
    axis.tick_params(axis="y", length=0)


def bars_height(groups: int, series: int) -> float:
    """Inches that the bars of one panel take."""
    return 0.75 + groups * (0.14 + 0.12 * series)
