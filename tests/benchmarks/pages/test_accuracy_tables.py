"""Tables of accuracies after training."""

from __future__ import annotations

from typing import Any

from benchmarks.pages import accuracy_tables, tables
from tests.benchmarks.pages.saved import HEADLINE, cells_of, entry


def test_headline_compares_with_the_exact_model_and_the_library() -> None:
    rows = cells_of(accuracy_tables.headline(HEADLINE))
    assert [row[:5] for row in rows] == [
        ["lenet", "exact int8", "", "80.00 %", ""],
        ["lenet", "at most 1.78 M cycles", "no loss", "81.00 %", "+1.00"],
        ["lenet", "at most 1.3 M cycles, ranked by energy", "", "70.00 %", "-10.00"],
        ["resnet8", "exact int8", "no loss", "83.00 %", ""],
    ]
    assert rows[1][6:10] == ["1,780,427", "1,780,437", "3,560,854", "5,341,281 to 7,121,708"]
    assert rows[1][10] == "11.13"  # milliseconds at 160 MHz
    assert rows[1][-1] == f"{tables.CMSIS_NN['lenet']['cortex-m33'] / 1_780_427:.2f}"


def test_each_tier_is_the_fastest_design_that_loses_no_more() -> None:
    accuracies = {"exact": 0.8, "1 M": 0.8001, "2 M": 0.8, "kept 25": 0.79, "3 M": 0.7899, "kept 12": 0.75}
    entries = {
        label: entry(accuracy, 4_000_000 - 500_000 * number)
        for number, (label, accuracy) in enumerate(accuracies.items())
    }
    results = {"networks": {"lenet": entries}}
    assert {row[1]: row[2] for row in cells_of(accuracy_tables.headline(results)) if row[2]} == {
        "at most 2 M cycles": "no loss",
        "25 % of the products": "at most 1 point",
        "12 % of the products": "at most 5 points",
    }
    assert [row[:7] for row in cells_of(accuracy_tables.tiers(results, {}))] == [
        [
            *("lenet", "no loss", "at most 2 M cycles", "1,600,000, missed by 88 %"),
            *("80.00 %", "+0.00", "25.0 %"),
        ],
        [
            *("lenet", "at most 1 point", "25 % of the products", "1,000,000, missed by 150 %"),
            *("79.00 %", "-1.00", "25.0 %"),
        ],
        [
            *("lenet", "at most 5 points", "12 % of the products", "700,000, missed by 114 %"),
            *("75.00 %", "-5.00", "25.0 %"),
        ],
    ]


def _run(network: str, kept: float, seed: int = 0, **more: Any) -> dict[str, Any]:
    return {"settings": {"network": network, "kept": kept, "epochs": 3, "seed": seed, "options": {}}, **more}


def _ranked(run: dict[str, Any]) -> dict[str, Any]:
    run["settings"]["options"] = {"significance": "taylor"}
    return run


def test_fractions_are_sorted_and_compared() -> None:
    runs = [
        _run("alexnet", 0.25, test_accuracy=0.5),
        _run("lenet", 0.25, 1, test_accuracy=0.61),
        _ranked(_run("lenet", 0.25, test_accuracy=0.58)),
        _run("lenet", 0.25, test_accuracy=0.6),
        _run("lenet", 1.0, test_accuracy=0.62),
        _run("lenet", 0.25, validation_accuracy=0.5),
    ]
    rows = cells_of(accuracy_tables.fractions(runs))
    assert [row[1:] for row in rows] == [
        ["100 %", "", "3", "0", "62.00 %", "+0.00"],
        ["25 %", "elimination", "3", "0", "60.00 %", "-2.00", "-0.5"],
        ["25 %", "elimination", "3", "1", "61.00 %", "-1.00", "-0.5"],
        ["25 %", "taylor", "3", "0", "58.00 %", "-4.00", "-0.5"],
        ["25 %", "elimination", "3", "0", "50.00 %", "", "0.0"],
    ]
    assert cells_of(accuracy_tables.spread(runs)) == [
        ["lenet", "25 %", "elimination", "3", "2", "-1.50", "-2.00", "-1.00"]
    ]


def test_metrics_and_ingredients() -> None:
    ranked = _ranked(_run("lenet", 0.25, after_training={"0.5": 0.7, "0.25": 0.3}, validation_accuracy=0.75))
    changed = _run(
        "lenet", 0.25, change="no teacher", validation_accuracy=0.7, curves={"accuracy": [0.1, 0.72]}
    )
    records = [ranked, changed]
    assert cells_of(accuracy_tables.metrics(records)) == [
        ["lenet", "taylor", "70.00 %", "30.00 %", "75.00 %"]
    ]
    assert cells_of(accuracy_tables.ingredients(records)) == [["lenet", "no teacher", "70.00 %", "72.00 %"]]
    assert cells_of(accuracy_tables.metrics([])) == []


def test_recipe() -> None:
    trials = [("exact", 0.8, 900), ("recipe", 0.75, 500), ("hidden_squares", 0.76, 500)]
    records = [
        {
            "settings": {"trial": trial, "epochs": 3, "seed": 0},
            "validation_accuracy": accuracy,
            "cycles": cycles,
        }
        for trial, accuracy, cycles in trials
    ]
    assert cells_of(accuracy_tables.recipe(records)) == [
        ["exact", "3", "0", "80.00 %", "+5.00", "900"],
        ["hidden squares", "3", "0", "76.00 %", "+1.00", "500"],
        ["recipe", "3", "0", "75.00 %", "+0.00", "500"],
    ]
