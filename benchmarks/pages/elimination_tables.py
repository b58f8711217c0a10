"""Markdown tables of elimination alone, with nothing trained, from saved figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.pages.accuracy_tables import EXACT, fastest_trained, model_figures
from benchmarks.pages.tables import Records, table
from benchmarks.shared.options import REFERENCE

IN_SEQUENCE = " in sequence"
# How much further, in shares of their variance, a layer that skips may move the outputs than re-estimating batch
# normalization does.
BEARABLE = 0.01


def sequence(results: Mapping[str, Any]) -> str:
    """Validation accuracy after elimination alone, each layer by itself or in sequence."""
    rows = []
    for name, found in results.items():
        pairs = ((label, found.get(f"{label}{IN_SEQUENCE}")) for label in found)
        for label, fitted in ((label, fitted) for label, fitted in pairs if fitted is not None):
            alone, following = found[label]["keras"], fitted["keras"]
            cells = (f"{100 * alone:.2f} %", f"{100 * following:.2f} %", f"{100 * (following - alone):+.2f}")
            rows.append((name, label, *cells))
    return table(("network", "kept", "each alone", "in sequence", "points"), rows, left=2)


def paper(results: Mapping[str, Any], headline: Mapping[str, Any]) -> str:
    """Cycles of each way by the points that a design may lose on the images it is chosen with.

    Args:
        results: The paper's way and elimination, from `benchmarks.elimination.paper`.
        headline: Fine-tuned models, from `benchmarks.training.headline`.
    """
    rows = []
    for name, network in results["networks"].items():
        exact, library = network["exact"], network["cmsis_nn_cycles"]
        ways = [
            ("paper", exact["unpacked_cycles"], exact["test_accuracy"], network["paper"]),
            ("elimination", exact["cycles"], exact["test_accuracy"], network["elimination"]),
        ]
        if name in headline["networks"]:
            trained = headline["networks"][name]
            start = model_figures(trained, EXACT)
            chosen = {loss: fastest_trained(trained, float(loss)) for loss in network["elimination"]}
            ways.append(("fine-tuned", start["cycles"], start["test_accuracy"], chosen))
        for way, whole, accuracy, designs in ways:
            for loss, design in designs.items():
                if design is None:
                    continue
                cycles, points = design["cycles"], 100 * (design["test_accuracy"] - accuracy)
                rows.append(
                    (
                        *(name, way, f"{loss}", f"{points:+.2f}", f"{cycles:,}"),
                        f"{round(100 * (1 - cycles / whole))} %",
                        f"{library / cycles:.1f}" if library else "",
                    )
                )
    head = ("network", "way", "points allowed in the search", "points on test images", "M33 cycles")
    return table((*head, "less than exact", "CMSIS-NN / cycles"), rows, left=2)


def sensitivity(record: Mapping[str, Any]) -> str:
    """The most cycles that each layer saves by itself at little distortion: `benchmarks.elimination.sensitivity`."""
    kinds = ("pair", "kernel", "kernel block")
    rows = []
    for name in sorted(record, key=REFERENCE.index):
        layers = record[name]["layers"]
        points = [point for kinds_of in layers.values() for found in kinds_of.values() for point in found]
        allowed = min(point["distortion"] for point in points) + BEARABLE
        rows += [
            (name, layer, *(_most(layers[layer].get(kind, []), allowed) for kind in kinds))
            for layer in layers
        ]
    return table(("network", "layer", *kinds), rows, left=2)


def _most(points: Records, allowed: float) -> str:
    """What is saved where most is, within a distortion."""
    within = [point for point in points if point["distortion"] <= allowed]
    if not within:
        return ""
    best = max(within, key=lambda point: (point["cycles_saved"], point["share"]))
    return f"{best['cycles_saved']:,.0f} (at {100 * best['share']:g} %)"


def rounding(record: Mapping[str, Any]) -> str:
    """What int8 weights cost, and int8 weights and activations, from what `benchmarks.elimination.rounding` saved."""
    kinds = {"float": "floating point", "weights": "int8 weights", "int8": "int8 weights and activations"}
    rows = [
        (
            *(name, text, f"{100 * record[name]['accuracy'][kind]:.2f} %"),
            f"{100 * record[name]['distortion'][kind]:.3f} %",
        )
        for name in sorted(record, key=REFERENCE.index)
        for kind, text in kinds.items()
    ]
    return table(("network", "arithmetic", "validation accuracy", "outputs moved by"), rows, left=2)
