"""Markdown tables of what skipping costs in accuracy and gains in cycles, from saved figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.options import REFERENCE
from benchmarks.tables import CMSIS_NN, table
from export.targets.boards import BOARDS

Records = Sequence[Mapping[str, Any]]
_CORE, _OTHER = "cortex-m33", "cortex-m4"


def headline(results: Mapping[str, Any]) -> str:
    """Exact models and fine-tuned designs, from what `benchmarks/headline.py` saved."""
    head = (
        *("network", "model", "test accuracy", "points", "products kept"),
        *("M33 cycles", "with U575 cache", "M4 cycles", "ms on a U575", "flash B", "RAM B", "CMSIS-NN / M33"),
    )
    rows = []
    for name in sorted(results["networks"], key=REFERENCE.index):
        entries = results["networks"][name]
        exact = entries["exact"]
        for label, entry in sorted(entries.items(), key=lambda item: -item[1]["cores"][_CORE]["cycles"]):
            m33, m4 = entry["cores"][_CORE], entry["cores"][_OTHER]
            points = 100 * (entry["test_accuracy"] - exact["test_accuracy"])
            rows.append(
                (
                    *(name, "exact int8" if entry is exact else f"at most {label} cycles"),
                    f"{100 * entry['test_accuracy']:.2f} %",
                    "" if entry is exact else f"{points:+.2f}",
                    f"{100 * entry['kept']:.1f} %",
                    *(f"{cycles:,}" for cycles in (m33["cycles"], m33["cached_cycles"], m4["cycles"])),
                    f"{1000 * m33['cached_cycles'] / BOARDS[m33['board']].clock_hz:.2f}",
                    *(f"{m33[size]:,}" for size in ("flash_bytes", "ram_bytes")),
                    f"{CMSIS_NN[name][_CORE] / m33['cycles']:.2f}",
                )
            )
    return table(head, rows, left=2)


def fractions(records: Records) -> str:
    """Test accuracy at fractions of kept products, in points against the exact model of as many epochs."""
    runs = [record for record in records if "test_accuracy" in record]
    exact = {
        (record["settings"]["network"], record["settings"]["epochs"]): record["test_accuracy"]
        for record in runs
        if record["settings"]["kept"] == 1
    }
    head = ("network", "products kept", "epochs", "seed", "test accuracy", "points", "M33 cycles")
    rows = []
    for record in sorted(runs, key=_order):
        run = record["settings"]
        reference = exact.get((run["network"], run["epochs"]))
        points = "" if reference is None else f"{100 * (record['test_accuracy'] - reference):+.2f}"
        rows.append(
            (
                *(run["network"], f"{100 * run['kept']:g} %", str(run["epochs"]), str(run["seed"])),
                *(f"{100 * record['test_accuracy']:.2f} %", points, f"{record['predicted_cycles']:,}"),
            )
        )
    return table(head, rows, left=1)


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


def _order(record: Mapping[str, Any]) -> tuple[int, float, int]:
    settings = record["settings"]
    return REFERENCE.index(settings["network"]), -settings["kept"], settings["seed"]
