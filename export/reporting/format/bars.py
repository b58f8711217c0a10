"""Horizontal bars, one group a layer, which can be read on a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from export.reporting.format.style import COLORS, SERIES

_SCREEN = 7.0  # inches: what is taller scrolls


def draw_bars(
    axis: Any, labels: Sequence[str], values: Mapping[str, Sequence[float | None]], *, marked: bool = True
) -> None:
    """Draws a group of bars for each label, one bar for each series; the first layer is on top.

    Args:
        axis: Matplotlib axes.
        labels: Of the groups.
        values: By the name of the series, a length for each group; None draws none.
        marked: Whether each bar has its figure at its end.
    """
    thickness = 0.8 / len(values)
    for number, (name, lengths) in enumerate(values.items()):
        drawn = [(place, length) for place, length in enumerate(lengths) if length is not None]
        bars = axis.barh(
            [place - 0.4 + thickness * (number + 0.5) for place, _ in drawn],
            [length for _, length in drawn],
            thickness * 0.92,
            color=SERIES[number % len(SERIES)],
            label=name,
        )
        if marked:
            shown = [figure(length) for _, length in drawn]
            axis.bar_label(bars, shown, padding=2, fontsize=7.5, color=COLORS["muted"])
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.grid(False, axis="y")
    axis.tick_params(axis="y", length=0)
    if marked:
        axis.margins(x=0.14)  # room for the figures
    if len(values) > 1:
        put_legends(axis, bars_height(len(labels), len(values)))


def put_legends(axis: Any, height: float) -> None:
    """A legend above the axes, and one below those that are taller than a screen."""
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    if height > _SCREEN:
        above = axis.get_legend()
        axis.legend(loc="upper left", bbox_to_anchor=(0, -0.45 / height), ncols=2, borderaxespad=0.2)
        axis.add_artist(above)


def figure(number: float) -> str:
    """A length in few letters."""
    return f"{number:,.0f}" if number >= 100 or number == 0 else f"{number:.3g}"


def bars_height(groups: int, series: int) -> float:
    """Inches that the bars of one panel take."""
    return 0.75 + groups * (0.14 + 0.12 * series)
