"""Single figures that sentences of pages quote, named by what stands in their markers.

`<!-- figure: loss of lenet, designed 1.55 M -->0.19<!-- end -->` names a model by its network and its label in the
record of `benchmarks.training.headline`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Any

from benchmarks.pages.accuracy_tables import EXACT, GOALS, model_figures
from benchmarks.pages.no_loss_tables import means
from benchmarks.pages.tables import Records

Quote = Callable[[str], str]
"""Gives a figure by the name in its marker; raises KeyError where there is none of that name."""


def models(headline: Mapping[str, Any], no_loss: Records, runs: Records) -> Quote:
    """Figures of trained models.

    Args:
        headline: What `benchmarks.training.headline` saved.
        no_loss: What `benchmarks.training.no_loss` saved.
        runs: What `benchmarks.training.accuracy` saved.

    Returns:
        What understands these names: "loss of NETWORK, LABEL" in points, "cycles of NETWORK, LABEL" in millions, "share
        of NETWORK, LABEL" of the products in percent; "loss of NETWORK after N epochs" of the design for no loss;
        "misses of NETWORK", the points by which goals of fractions are missed, and "misses of NETWORK, N %" by seed.
    """
    trained = means(no_loss)

    def quote(name: str) -> str:
        if found := re.fullmatch(r"loss of (\w+) after (\d+) epochs", name):
            return f"{-trained[found[1], int(found[2])].points:.2f}"
        if found := re.fullmatch(r"misses of (\w+)", name):
            means_by_share = [fmean(points) for points in _missed(found[1], runs).values()]
            return _extremes([points for points in means_by_share if points > 0])
        if found := re.fullmatch(r"misses of (\w+), (\d+) %", name):
            by_seed = _missed(found[1], runs)[int(found[2]) / 100]
            return " and ".join(f"{points:.2f}" for points in sorted(by_seed) if points > 0)
        if not (found := re.fullmatch(r"(loss|cycles|share) of (\w+), (.+)", name)):
            raise KeyError(name)
        what, network, label = found.groups()
        entries = headline["networks"][network]
        model, exact = model_figures(entries, label), model_figures(entries, EXACT)
        if what == "loss":
            return f"{100 * (exact['test_accuracy'] - model['test_accuracy']):.2f}"
        return f"{model['cycles'] / 1e6:.2f}" if what == "cycles" else f"{100 * entries[label]['kept']:.1f}"

    return quote


def optimizers(runs: Records, overhead: Mapping[str, Any]) -> Quote:
    """Figures of fine-tunings with a quarter of the products, by their optimizer, and of a training step.

    Args:
        runs: What `benchmarks.training.accuracy` saved.
        overhead: What `benchmarks.speed.overhead` saved.

    Returns:
        What understands these names: "accuracy of NETWORK, Adam, N epochs" and "accuracy of NETWORK, SGD, N epochs" in
        percent, the mean of all seeds; "Adam behind SGD" in points, where both had as many epochs; "step" and "update".
    """
    cells = {
        f"accuracy of {network}, {optimizer}, {epochs} epochs": 100 * fmean(by_seed.values())
        for (network, kept, optimizer, epochs), by_seed in _cells(runs).items()
        if kept == 0.25
    }
    both = {name: name.replace("Adam", "SGD") for name in cells if "Adam" in name}
    behind = [cells[sgd] - cells[adam] for adam, sgd in both.items() if sgd in cells]
    others = {
        "Adam behind SGD": _extremes(behind, ".1f"),
        "step": f"{overhead['wrapped_over_tfmot']:.2f}",
        "update": f"{overhead['mask_update_seconds']:.2f}",
    }
    return lambda name: others[name] if name in others else f"{cells[name]:.2f}"


def prices(pricing: Mapping[str, Any]) -> Quote:
    """Figures of `export.Pricer`, from what `benchmarks.cycles.pricing` saved.

    Returns:
        What understands these names: "designs" that were priced, how many of them were "exact", the "cycles off" and
        "bytes off" of the worst layer in percent, the "seconds" of a design and of an "estimate".
    """
    errors = [row for network in pricing.values() for row in network["errors"]]
    times = [
        row for network in pricing.values() for core in network["seconds"].values() for row in core.values()
    ]
    found = {
        "designs": str(len(errors)),
        "exact": str(sum(row["cycles"] == row["flash"] == 0 for row in errors)),
        "cycles off": f"{100 * max(row['cycles'] for row in errors):.1f}",
        "bytes off": f"{100 * max(row['flash'] for row in errors):.1f}",
        "seconds": _extremes([row["every_layer"] for row in times]),
        "estimate": _extremes([row["estimate"] for row in times], ".1f"),
    }
    return found.__getitem__


def _extremes(values: list[float], form: str = ".2f") -> str:
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low} to {high}"


def _cells(runs: Records) -> dict[tuple[str, float, str, int], dict[int, float]]:
    """Test accuracies after elimination by network, share of products, optimizer, epochs and seed."""
    found: dict[tuple[str, float, str, int], dict[int, float]] = {}
    for record in runs:
        run = record["settings"]
        if "test_accuracy" in record and not run["options"].keys() - {"optimizer"}:
            optimizer = "Adam" if run["options"].get("optimizer") == "default" else "SGD"
            cell = found.setdefault((run["network"], run["kept"], optimizer, run["epochs"]), {})
            cell[run["seed"]] = record["test_accuracy"]
    return found


def _missed(network: str, runs: Records) -> dict[float, list[float]]:
    """By share of products, the points by which each seed misses its goal; negative where it is more than reached."""
    cells = {key: by_seed for key, by_seed in _cells(runs).items() if key[0] == network and key[2] == "SGD"}
    exact = {epochs: by_seed[0] for (_, kept, _, epochs), by_seed in cells.items() if kept == 1}
    found: dict[float, list[float]] = {}
    for (_, kept, _, epochs), by_seed in cells.items():
        if kept in GOALS[network] and epochs in exact:
            lost = [100 * (exact[epochs] - right) for right in by_seed.values()]
            found[kept] = [points - GOALS[network][kept] for points in lost]
    return found
