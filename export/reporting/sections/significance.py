"""How significant the operands of each layer are, and where the threshold lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from export.reporting.choice import Chosen
from export.reporting.format.document import Paragraph, Picture, Section
from export.reporting.format.style import COLORS, new_figure
from export.reporting.format.text import percent, power_of_ten, printable
from export.training_side import ELIMINATION

if TYPE_CHECKING:
    from export.training_side import EvaluatedDesign, ParetoFront

_COLUMNS = 2
Histogram = Mapping[str, Sequence[float]]


def significance_section(front: ParetoFront, chosen: Chosen) -> Section:
    """Histograms of all layers with the threshold of one design."""
    metric = printable(str(front.settings.get("significance", "significance")), 24)
    told = (
        "how far the network's outputs move with each multiplication gone, after the others were fitted to make up "
        "for it"
        if metric == ELIMINATION
        else f"how much each multiplication matters to its sum (the metric here: {metric})"
    )
    return Section(
        "What is skipped",
        [
            Paragraph(
                f"Before anything is skipped, calibration images tell {told}. What one instruction multiplies "
                "together is kept or skipped together, and counts once here. A design keeps, in each layer, what "
                "lies right of that layer's threshold."
            ),
            Picture(
                "significance",
                draw_significance(front.significance, chosen.record),
                "One histogram a layer; "
                + ", ".join(
                    f"{printable(name)} keeps {percent(share, 0)}"
                    for name, share in chosen.record.kept_by_layer.items()
                )
                + ".",
                f"Design: {chosen.label}. Across: significance, on a logarithmic scale; a step to the right is "
                "ten times as much. Up: how many groups of products have it. Orange is skipped, blue is kept, "
                "and the line between is the threshold. A wide hill that is cut far left of its top leaves "
                "little to lose; where the cut goes through the top, each further group that is skipped costs "
                "more.",
            ),
        ],
    )


def draw_significance(histograms: Mapping[str, Histogram], record: EvaluatedDesign) -> Any:
    """A panel for each layer."""
    rows = -(-len(histograms) // _COLUMNS)
    figure, axes = new_figure(0.3 + 1.4 * rows, rows, _COLUMNS)
    for axis, (name, histogram) in zip(axes.flat, histograms.items(), strict=False):
        _draw_layer(axis, histogram, threshold(histogram, record, name))
        share = record.kept_by_layer.get(name)
        kept = "" if share is None else f": {percent(share, 0)} kept"
        axis.set_title(f"{printable(name, 13)}{kept}", fontsize=9)
    for axis in axes.flat[len(histograms) :]:
        axis.set_visible(False)
    figure.supxlabel("significance", fontsize=9)
    figure.supylabel("groups of products", fontsize=9)
    return figure


def threshold(histogram: Histogram, record: EvaluatedDesign, name: str) -> float | None:
    """The least significance that a design keeps in a layer; None if it keeps all.

    Of a kept fraction it follows from the histogram, to the width of a bin.
    """
    value = record.design.value(name)
    if record.design.select == "threshold":
        return value or None
    if value == 1:
        return None
    edges, counts = np.asarray(histogram["edges"]), np.asarray(histogram["counts"], np.float64)
    below = np.concatenate([[0.0], np.cumsum(counts)])
    return float(np.exp(np.interp((1 - value) * below[-1], below, np.log(edges))))


def _draw_layer(axis: Any, histogram: Histogram, at: float | None) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator  # noqa: PLC0415

    edges, counts = np.asarray(histogram["edges"]), np.asarray(histogram["counts"])
    axis.set_xscale("log")
    if at is None:
        axis.stairs(counts, edges, fill=True, color=COLORS["blue"])
    else:
        cut = float(np.clip(at, edges[0], edges[-1]))
        bin_of_cut = int(np.clip(np.searchsorted(edges, cut, side="right") - 1, 0, len(counts) - 1))
        left = [*edges[: bin_of_cut + 1], cut]
        right = [cut, *edges[bin_of_cut + 1 :]]
        axis.stairs(counts[: bin_of_cut + 1], left, fill=True, color=COLORS["orange"])
        axis.stairs(counts[bin_of_cut:], right, fill=True, color=COLORS["blue"])
        axis.axvline(cut, color=COLORS["ink"], linewidth=1)
    axis.set_xlim(edges[0], edges[-1])
    axis.xaxis.set_major_locator(LogLocator(numticks=5))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(value)))
    axis.minorticks_off()
    axis.tick_params(labelsize=7.5)
