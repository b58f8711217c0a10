"""Markdown tables of what skipping costs in accuracy and gains in cycles, from saved figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.pages.no_loss_tables import Pair
from benchmarks.pages.tables import CMSIS_NN, Records, gain, span, table
from benchmarks.shared.front import front
from benchmarks.shared.options import CORE, REFERENCE
from export.targets import BOARDS
from keras_approx.skipping.significance import ELIMINATION

_OTHER, _OTHER_BOARD = "cortex-m4", "stm32f405"
# Labels of a headline's entries; others are budgets, such as "1.78 M". Where a metric ranked: "energy 25" and
# "energy 1.78 M"; of designs by hand: "designed 1.55 M"; where layers choose their granularity: "explored 1.12 M", and
# of a wider network: "wider 1 M".
EXACT = "exact"
KEPT_SHARE = "kept "
ELIMINATED = "eliminated "
DESIGNED = "designed "
EXPLORED = "explored "
WIDER = "wider "
MILLION_CYCLES = "M"

# Points that a tier may lose against the exact model.
NO_LOSS = "no loss"
TIERS: Mapping[str, float] = {NO_LOSS: 0.0, "at most 1 point": 1.0, "at most 5 points": 5.0}
# Cycles on the M33 that this project set out to reach, by tier in the order of TIERS.
CYCLES_WANTED: Mapping[str, tuple[int, ...]] = {
    "lenet": (1_600_000, 1_000_000, 700_000),
    "alexnet": (4_000_000, 2_800_000, 1_700_000),
    "resnet8": (5_400_000, 4_000_000, 2_600_000),
}
_ROUNDING = 1e-6  # accuracies are shares of thousands of images: far less than one of them
# Points that may go at a fraction of the products, as this project set out to reach.
GOALS: Mapping[str, Mapping[float, float]] = {
    "lenet": {0.5: 0.0, 0.25: 0.5, 0.18: 1.0, 0.12: 2.5},
    "alexnet": {0.5: 0.0, 0.25: 0.0, 0.18: 0.3, 0.12: 1.5},
    "resnet8": {0.5: 0.0, 0.25: 2.0, 0.18: 3.5, 0.12: 6.0},
}


_FIGURES = (
    *("test accuracy", "points", "products kept", "M33 cycles", "on a U575", "M4 cycles"),
    *("on an F405", "ms on a U575", "flash B", "RAM B", "CMSIS-NN / M33"),
)
_TIER_FIGURES = ("test accuracy", "points", "products kept", "M33 cycles", "CMSIS-NN / M33")


def headline(results: Mapping[str, Any]) -> str:
    """Exact models and all fine-tuned ones, from what `benchmarks.training.headline` saved."""
    rows = []
    for name in sorted(results["networks"], key=REFERENCE.index):
        entries = results["networks"][name]
        tiers = _tiers(entries)
        rows += [
            (name, _model(label), tiers.get(label, ""), *_figures(name, label, entries))
            for label, _ in sorted(entries.items(), key=_cycles_of, reverse=True)
        ]
    return table(("network", "model", "fastest with", *_FIGURES), rows, left=3)


def tiers(results: Mapping[str, Any], proven: Mapping[str, Pair]) -> str:
    """The fastest model of each tier and the cycles aimed at.

    Args:
        results: What `benchmarks.training.headline` saved.
        proven: By network, models that skip and lose nothing, by the means of several seeds.
    """
    rows = []
    for name in sorted(results["networks"], key=REFERENCE.index):
        entries = results["networks"][name]
        if name in proven:
            pair = proven[name]
            goal = _aim(name, NO_LOSS, pair.cycles[1])
            figures = (
                f"{100 * pair.accuracies[1]:.2f} %",
                f"{pair.points:+.2f}",
                "",
                f"{pair.cycles[1]:,.0f}",
                f"{gain(name, round(pair.cycles[1])):.2f}",
            )
            rows.append((name, NO_LOSS, _proven(pair), goal, *figures))
        for label, tier in sorted(_tiers(entries).items(), key=lambda item: list(TIERS).index(item[1])):
            if name in proven and label == EXACT:
                continue
            goal = _aim(name, tier, _cycles_of((label, entries[label])))
            found = dict(zip(_FIGURES, _figures(name, label, entries), strict=True))
            rows.append((name, tier, _model(label), goal, *(found[column] for column in _TIER_FIGURES)))
    return table(("network", "tier", "model", "goal in cycles", *_TIER_FIGURES), rows, left=4)


def summary(results: Mapping[str, Any], proven: Mapping[str, Pair]) -> str:
    """The fastest model of each tier in five columns.

    Args:
        results: What `benchmarks.training.headline` saved.
        proven: By network, models that skip and lose nothing, by the means of several seeds.
    """
    rows = []
    for name in sorted(results["networks"], key=REFERENCE.index):
        entries = results["networks"][name]
        if name in proven:
            pair = proven[name]
            rows.append(
                (
                    name,
                    f"{NO_LOSS}: {_proven(pair)}",
                    f"{100 * pair.accuracies[1]:.2f} % ({pair.points:+.2f})",
                    f"{pair.cycles[1]:,.0f}",
                    f"{gain(name, round(pair.cycles[1])):.1f}x",
                )
            )
        for label, tier in sorted(_tiers(entries).items(), key=lambda item: list(TIERS).index(item[1])):
            accuracy, cycles = (
                f"{100 * entries[label]['test_accuracy']:.2f} %",
                _cycles_of((label, entries[label])),
            )
            points = "" if label == EXACT else f" ({_points(entries, label):+.2f})"
            rows.append(
                (
                    name,
                    _model(label) if name in proven and label == EXACT else f"{tier}: {_model(label)}",
                    accuracy + points,
                    f"{cycles:,}",
                    f"{gain(name, cycles):.1f}x",
                )
            )
    return table(("network", "model", "test accuracy", "M33 cycles", "CMSIS-NN takes"), rows, left=2)


def _proven(pair: Pair) -> str:
    return f"designed, mean of {len(pair.seeds)} trainings of {pair.epochs} epochs"


def _aim(network: str, tier: str, cycles: float) -> str:
    """The cycles that were aimed at, and how far they were missed."""
    wanted = CYCLES_WANTED[network][list(TIERS).index(tier)]
    missed = cycles / wanted - 1
    return f"{wanted:,}, " + ("reached" if missed <= 0 else f"missed by {100 * missed:.0f} %")


def gains(results: Mapping[str, Any], tier: str) -> str:
    """How many times fewer cycles than CMSIS-NN the fastest models of a tier take, from the least to the most."""
    found = [
        gain(name, _cycles_of((label, entries[label])))
        for name, entries in results["networks"].items()
        for label, strictest in _tiers(entries).items()
        if strictest == tier
    ]
    return f"{min(found):.1f} to {max(found):.1f}"


def losses(results: Mapping[str, Any], label: str) -> str:
    """Points that the models of a label lose against the exact ones, from the least to the most."""
    found = [-_points(entries, label) for entries in results["networks"].values() if label in entries]
    return f"{min(found):.2f} to {max(found):.2f}"


def _figures(name: str, label: str, entries: Mapping[str, Any]) -> tuple[str, ...]:
    """The cells of a model under `_FIGURES`."""
    entry = entries[label]
    m33, m4, f405 = (entry["cores"][target] for target in (CORE, _OTHER, _OTHER_BOARD))
    return (
        f"{100 * entry['test_accuracy']:.2f} %",
        "" if label == EXACT else f"{_points(entries, label):+.2f}",
        f"{100 * entry['kept']:.1f} %",
        *(f"{m33['cycles']:,}", span(m33["board_cycles"])),
        *(f"{m4['cycles']:,}", span(f405["board_cycles"])),
        span([1000 * cycles / BOARDS[m33["board"]].clock_hz for cycles in m33["board_cycles"]], ".2f"),
        *(f"{m33[size]:,}" for size in ("flash_bytes", "ram_bytes")),
        f"{CMSIS_NN[name][CORE] / m33['cycles']:.2f}",
    )


def _model(label: str) -> str:
    if label == EXACT:
        return "exact int8"
    if label[0].isdigit():
        return f"at most {label} cycles"
    kind, _, rest = label.partition(" ")
    if f"{kind} " in (DESIGNED, EXPLORED, WIDER):
        cycles, comma, more = rest.partition(",")
        how = "1.5 times as wide, explored" if f"{kind} " == WIDER else kind
        return f"{how} for {cycles} cycles{comma}{more}"
    how = {ELIMINATED: ", not trained", KEPT_SHARE: ""}.get(f"{kind} ", f", ranked by {kind}")
    return f"{_model(rest) if rest.endswith(MILLION_CYCLES) else f'{rest} % of the products'}{how}"


def _cycles_of(item: tuple[str, Mapping[str, Any]]) -> int:
    return int(item[1]["cores"][CORE]["cycles"])


def _points(entries: Mapping[str, Any], label: str) -> float:
    """What a model gains over the exact one, in points."""
    return float(100 * (entries[label]["test_accuracy"] - entries[EXACT]["test_accuracy"]))


def _tiers(entries: Mapping[str, Any]) -> dict[str, str]:
    """By label, the strictest tier that a model is the fastest of; the exact one loses nothing."""
    found: dict[str, str] = {}
    for tier, points in TIERS.items():
        within = [item for item in entries.items() if -_points(entries, item[0]) <= points + 100 * _ROUNDING]
        found.setdefault(min(within, key=_cycles_of)[0], tier)
    return found


def model_figures(entries: Mapping[str, Any], label: str) -> dict[str, float]:
    """A model's `cycles` on the M33 and its `validation_accuracy` and `test_accuracy`, as shares.

    Args:
        entries: Models of a network by label.
        label: Of the model.
    """
    entry = entries[label]
    accuracies = {key: entry[key] for key in ("validation_accuracy", "test_accuracy")}
    return {"cycles": _cycles_of((label, entry)), **accuracies}


def fastest_trained(entries: Mapping[str, Any], points: float) -> dict[str, float]:
    """The figures of the fastest model that was trained and loses at most so much on validation images.

    Args:
        entries: Models of a network by label.
        points: That it may lose against the exact model.
    """
    least = model_figures(entries, EXACT)["validation_accuracy"] - points / 100
    within = [model for model in _trained(entries) if model["validation_accuracy"] >= least - _ROUNDING]
    return min(within, key=lambda model: model["cycles"])


def trained_front(entries: Mapping[str, Any]) -> list[tuple[float, float]]:
    """(cycles, validation accuracy above the exact model's, as a share) of trained models no other beats, by cycles.

    Args:
        entries: Models of a network by label.
    """
    exact = model_figures(entries, EXACT)["validation_accuracy"]
    return front((model["cycles"], model["validation_accuracy"] - exact) for model in _trained(entries))


def _trained(entries: Mapping[str, Any]) -> list[dict[str, float]]:
    """The trained models of the network itself."""
    return [model_figures(entries, label) for label in entries if not label.startswith((ELIMINATED, WIDER))]


def fractions(records: Records) -> str:
    """Test accuracy at fractions of kept products, in points against the exact model of as many epochs."""
    runs = [record for record in records if "test_accuracy" in record]
    exact = _exact(runs)
    head = (
        *("network", "products kept", "significance", "epochs", "seed"),
        *("test accuracy", "points", "asked"),
    )
    rows = []
    for record in sorted(runs, key=_order):
        run = record["settings"]
        reference = exact.get((run["network"], run["epochs"]))
        points = "" if reference is None else f"{100 * (record['test_accuracy'] - reference):+.2f}"
        rows.append(
            (
                *(run["network"], f"{100 * run['kept']:g} %", _significance(run)),
                *(str(run["epochs"]), str(run["seed"])),
                *(f"{100 * record['test_accuracy']:.2f} %", points, _goal(run)),
            )
        )
    return table(head, rows, left=1)


def spread(records: Records) -> str:
    """Cells of `fractions` that were trained with several seeds: mean and extremes of the points."""
    runs = [record for record in records if "test_accuracy" in record]
    exact = _exact(runs)
    cells: dict[tuple[str, float, str, int], list[float]] = {}
    for record in sorted(runs, key=_order):
        run = record["settings"]
        reference = exact.get((run["network"], run["epochs"]))
        if run["kept"] < 1 and reference is not None:
            points = 100 * (record["test_accuracy"] - reference)
            cell = (run["network"], run["kept"], _significance(run), run["epochs"])
            cells.setdefault(cell, []).append(points)
    rows = [
        (
            *(network, f"{100 * kept:g} %", significance, str(epochs), str(len(points))),
            *(f"{value:+.2f}" for value in (sum(points) / len(points), min(points), max(points))),
        )
        for (network, kept, significance, epochs), points in cells.items()
        if len(points) > 1
    ]
    return table(
        ("network", "products kept", "significance", "epochs", "seeds", "mean points", "worst", "best"),
        rows,
        left=1,
    )


def _exact(runs: Records) -> dict[tuple[str, int], float]:
    """Test accuracies of exact models by network and epochs."""
    return {
        (record["settings"]["network"], record["settings"]["epochs"]): record["test_accuracy"]
        for record in runs
        if record["settings"]["kept"] == 1
    }


def _significance(run: Mapping[str, Any]) -> str:
    if run["kept"] == 1:
        return ""
    default = ", default optimizer" if run["options"].get("optimizer") == "default" else ""
    return str(run["options"].get("significance", ELIMINATION)) + default


def _goal(run: Mapping[str, Any]) -> str:
    points = GOALS.get(run["network"], {}).get(run["kept"])
    return "" if points is None else f"{-points:+.1f}" if points else "0.0"


def metrics(records: Records) -> str:
    """Validation accuracy with the masks of each significance metric, after training and after a short fine-tune."""
    ranked = [record for record in records if "after_training" in record]
    shares = list(ranked[0]["after_training"]) if ranked else []
    head = (
        "network",
        "significance",
        *(f"{100 * float(share):g} % kept" for share in shares),
        "25 %, fine-tuned",
    )
    rows = [
        (
            *(record["settings"]["network"], record["settings"]["options"]["significance"]),
            *(f"{100 * record['after_training'][share]:.2f} %" for share in shares),
            f"{100 * record['validation_accuracy']:.2f} %",
        )
        for record in sorted(ranked, key=_order)
    ]
    return table(head, rows, left=2)


def ingredients(records: Records) -> str:
    """Validation accuracy after a short fine-tune with one change of the recipe each."""
    changed = [record for record in records if "change" in record]
    rows = []
    for record in sorted(changed, key=_order):
        curves = record["curves"]
        rows.append(
            (
                *(record["settings"]["network"], record["change"]),
                f"{100 * record['validation_accuracy']:.2f} %",
                f"{100 * curves['accuracy'][-1]:.2f} %",
            )
        )
    return table(("network", "change", "validation accuracy", "accuracy in training"), rows, left=2)


def recipe(records: Records) -> str:
    """Validation accuracy and cycles of the trainings of `benchmarks.training.recipe`, by what each changes."""
    base = {
        record["settings"]["seed"]: record for record in records if record["settings"]["trial"] == "recipe"
    }
    rows = []
    for record in sorted(
        records, key=lambda record: (record["settings"]["seed"], -record["validation_accuracy"])
    ):
        settings = record["settings"]
        gained = record["validation_accuracy"] - base[settings["seed"]]["validation_accuracy"]
        rows.append(
            (
                settings["trial"].replace("_", " "),
                *(str(settings["epochs"]), str(settings["seed"])),
                f"{100 * record['validation_accuracy']:.2f} %",
                f"{100 * gained:+.2f}",
                f"{record['cycles']:,}",
            )
        )
    head = ("what is different", "epochs", "seed", "validation accuracy", "points", "M33 cycles")
    return table(head, rows, left=1)


def _order(record: Mapping[str, Any]) -> tuple[int, float, str, int]:
    run = record["settings"]
    return REFERENCE.index(run["network"]), -run["kept"], _significance(run), run["seed"]
