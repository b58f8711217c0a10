"""Draws cycles per layer against the core's limit, and accuracy against cycles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.cycles.terms import TERMS
from benchmarks.pages.accuracy_tables import trained_front
from benchmarks.pages.tables import CMSIS_NN, DETAILED, label
from benchmarks.shared.front import front
from benchmarks.shared.options import CORE

_COLORS = dict(
    zip(TERMS, ("#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#009E73", "#999999", "#CC79A7"), strict=True)
)  # Okabe and Ito's, which color-blind readers can tell apart
_MOST_LOST = 12  # points; designs that lose more are of no use
_SHORT = {
    "conv2d": "conv",
    "fullyconnected": "dense",
    "fully_connected": "dense",
    "max_pool2d": "max pool",
    "average_pool2d": "mean pool",
}


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Saves the plot: a row for each network, a column for each of `DETAILED`.

    Args:
        results: What `benchmarks.cycles.kernels` saved.
        path: Of the PNG.
    """
    mpl.use("Agg")
    networks = results["networks"]
    figure, axes = plt.subplots(
        len(networks),
        len(DETAILED),
        figsize=(11, 3.1 * len(networks)),
        squeeze=False,
        layout="constrained",
        sharey="row",
    )
    for row, (name, network) in zip(axes, networks.items(), strict=True):
        by_kept = {label(design): design for design in network["designs"]}
        for axis, kept in zip(row, DETAILED, strict=True):
            figures = next(f for f in by_kept[kept]["cores"] if f["core"] == CORE)
            _bars(axis, figures["layers"])
            axis.set_title(f"{name}, {kept}: {figures['cycles'] / 1e6:.2f} M cycles", fontsize=10)
        row[0].set_ylabel("million cycles")
    _finish(figure, axes[0][0], path)


def _finish(figure: Any, axis: Any, path: Path) -> None:
    """Puts the legend of one of the plots above all of them, and saves the figure."""
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=len(labels),
        fontsize=8,
        columnspacing=1.2,
        handlelength=1.5,
        frameon=False,
    )
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _bars(axis: Any, layers: list[Mapping[str, Any]]) -> None:
    places = range(len(layers))
    bottom = [0.0] * len(layers)
    for term in TERMS:
        heights = [layer["terms"].get(term, 0) / 1e6 for layer in layers]
        axis.bar(places, heights, 0.7, bottom, color=_COLORS[term], label=term)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    limits = [
        (place, layer["limit"] / 1e6) for place, layer in zip(places, layers, strict=True) if layer["limit"]
    ]
    axis.hlines(
        [limit for _, limit in limits],
        [place - 0.45 for place, _ in limits],
        [place + 0.45 for place, _ in limits],
        color="black",
        linewidth=2,
        label="limit: dual products alone",
    )
    names = [f"{index} {_SHORT.get(layer['kind'], layer['kind'])}" for index, layer in enumerate(layers)]
    axis.set_xticks(places, names, rotation=45, ha="right", fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def draw_headline(results: Mapping[str, Any], path: Path) -> None:
    """Saves the plot of test accuracy against cycles: a panel for each network.

    Args:
        results: What `benchmarks.training.headline` saved.
        path: Of the PNG.
    """
    mpl.use("Agg")
    networks = results["networks"]
    figure, axes = plt.subplots(
        1, len(networks), figsize=(3.8 * len(networks), 3.6), squeeze=False, layout="constrained"
    )
    for axis, (name, entries) in zip(axes[0], networks.items(), strict=True):
        exact = entries["exact"]
        library = CMSIS_NN[name][CORE] / 1e6
        points = sorted(
            (entry["cores"][CORE]["cycles"] / 1e6, 100 * entry["test_accuracy"]) for entry in entries.values()
        )
        best = front(points)
        beaten = [point for point in points if point not in best]
        axis.plot(*zip(*best, strict=True), "o-", color="#0072B2", label="keras_approx, M33 cycles")
        for point in beaten:
            axis.plot(*point, "o", color="#0072B2", fillstyle="none")
        axis.plot(library, 100 * exact["test_accuracy"], "s", color="#D55E00", label="CMSIS-NN, exact")
        axis.axhline(100 * exact["test_accuracy"], color="#999999", linewidth=1, linestyle=":")
        told: list[tuple[float, float]] = []
        heights = [accuracy for _, accuracy in points]
        tall = max(heights) - min(heights)
        for cycles, accuracy in reversed(best):
            if any(x - cycles < 0.1 * library and abs(y - accuracy) < 0.1 * tall for x, y in told):
                continue  # its label would lie on its neighbor's
            told.append((cycles, accuracy))
            axis.annotate(
                f"{library / cycles:.1f}x",
                (cycles, accuracy),
                textcoords="offset points",
                xytext=(6, -12),
                fontsize=8,
            )
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("million cycles")
        axis.set_xlim(left=0)
        axis.margins(y=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_ylabel("test accuracy, %")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=9, frameon=False)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def draw_paper(results: Mapping[str, Any], headline: Mapping[str, Any], path: Path) -> None:
    """Saves the fronts of the paper's way, of elimination and of fine-tuning: points lost against cycles.

    Args:
        results: What `benchmarks.elimination.paper` saved.
        headline: What `benchmarks.training.headline` saved.
        path: Of the PNG.
    """
    mpl.use("Agg")
    networks = results["networks"]
    figure, axes = plt.subplots(
        1, len(networks), figsize=(3.8 * len(networks), 3.6), squeeze=False, layout="constrained"
    )
    for axis, (name, network) in zip(axes[0], networks.items(), strict=True):
        exact = network["exact"]
        ways = [
            ("paper", "#D55E00", network["paper_front"], exact["search_accuracy"]),
            ("elimination", "#0072B2", network["elimination_front"], exact["search_accuracy"]),
        ]
        if name in headline["networks"]:
            ways.append(("fine-tuned", "#CC79A7", trained_front(headline["networks"][name]), 0.0))
        for way, color, designs, whole in ways:
            points = [(cycles / 1e6, 100 * (accuracy - whole)) for cycles, accuracy in designs]
            points = [point for point in points if point[1] > -_MOST_LOST]
            axis.plot(*zip(*points, strict=True), "o-", color=color, markersize=3, label=way)
        axis.plot(exact["cycles"] / 1e6, 0, "D", color="#009E73", label="exact, exported")
        if network["cmsis_nn_cycles"]:
            axis.plot(network["cmsis_nn_cycles"] / 1e6, 0, "s", color="black", label="exact, CMSIS-NN")
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("million cycles, Cortex-M33")
        axis.set_xlim(left=0)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_ylabel("points against the exact model")
    _finish(figure, axes[0][0], path)
