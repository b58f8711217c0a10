"""Tables and plot from saved figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.cycles.terms import PRODUCTS, REQUANTIZATION, TERMS
from benchmarks.pages import accuracy_tables, document, elimination_tables, no_loss_tables, plot, tables
from benchmarks.pages.document import fill


def _figures(core: str, cycles: int, waited: tuple[int, int] | None) -> dict[str, Any]:
    terms = dict.fromkeys(TERMS, 0) | {PRODUCTS: 4000, REQUANTIZATION: cycles - 4200}
    conv = {
        "kind": "conv2d",
        "kernel": "unpacked",
        "macs": 16_000,
        "kept_weights": 80,
        "limit": 4000,
        "predicted": cycles - 200,
        "cycles": cycles - 100,
        "board_cycles": waited,
        "flash_bytes": 800,
        "terms": terms,
    }
    softmax = {
        "kind": "softmax",
        "kernel": "plain",
        "macs": 0,
        "kept_weights": 0,
        "limit": None,
        "predicted": None,
        "cycles": 100,
        "board_cycles": None,
        "flash_bytes": 90,
        "terms": {},
    }
    return {
        "core": core,
        "board": None,
        "cycles": cycles,
        "board_cycles": waited,
        "predicted_cycles": cycles,
        "flash_bytes": 9000,
        "ram_bytes": 700,
        "bytes_per_kept_weight": 10.0,
        "images": 3,
        "export_seconds": 1.5,
        "compile_seconds": 2.0,
        "layers": [conv, softmax],
    }


@pytest.fixture
def results() -> dict[str, Any]:
    designs = [
        {
            "mask": mask,
            "kept": kept,
            "cores": [
                _figures("cortex-m33", cycles, (cycles + 50, cycles + 60)),
                _figures("cortex-m4", cycles, None),
            ],
        }
        for mask, kept, cycles in (
            ("pairs", 1.0, 8000),
            ("pairs", 0.5, 6000),
            ("pairs", 0.25, 5000),
            ("kernels", 0.5, 4000),
        )
    ]
    baseline = [{"core": "cortex-m33", "cycles": 40_000, "flash_bytes": 5000, "ram_bytes": 600}]
    limits = [
        {"kib": 32, "core": "cortex-m33", "cycles": None, "ram_bytes": 40_000},
        {"kib": 64, "core": "cortex-m33", "cycles": 8500, "ram_bytes": 60_000},
    ]
    small = {
        "board": "a-board",
        "cycles": 9000,
        "board_cycles": (9500, 9600),
        "flash_bytes": 1000,
        "ram_bytes": 2000,
    }
    network = {"baseline": baseline, "designs": designs, "limits": limits, "small": small}
    return {"networks": {"tiny": network}}


def _rows(table: str) -> list[list[str]]:
    return [line.strip("|\n ").split(" | ") for line in table.splitlines()[2:]]


def test_networks_are_compared_with_the_baseline(results: dict[str, Any]) -> None:
    rows = _rows(tables.networks(results))
    assert rows[0] == ["tiny", "baseline", "40,000", "", "", "0.40", "1.0", "5,000", "600"]
    assert rows[1] == ["tiny", "exact", "8,000", "8,050 to 8,060", "8,000", "2.00", "5.0", "9,000", "700"]
    assert [row[1] for row in rows[2:]] == ["50 % of pairs", "25 % of pairs", "50 % of kernels"]


def test_limits_and_the_small_board(results: dict[str, Any]) -> None:
    assert _rows(tables.limits(results)) == [["tiny", "does not fit", "8,500"]]
    assert _rows(tables.small(results)) == [["tiny", "9,000", "9,500 to 9,600", "1,000", "2,000"]]


def test_overview_compares_with_the_library(results: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CMSIS_NN", {"tiny": {"cortex-m33": 24_000}})
    rows = _rows(tables.overview(results))
    assert rows == [["tiny", "0.02 M", "0.01 M (3.0x)", "0.01 M (4.0x)", "0.01 M (4.8x)", "0.00 M (6.0x)"]]


def test_layers_and_terms_are_those_of_the_detailed_designs(results: dict[str, Any]) -> None:
    rows = _rows(tables.layers(results))
    assert [row[1:3] for row in rows] == [[k, n] for k in tables.DETAILED for n in ("0 conv2d", "1 softmax")]
    assert rows[0][4:7] == ["4,000", "7,900", "1.98"]
    spent = {"kind": "conv2d", "kernel": "loop", "limit": 5, "terms": {"products": 6, "inputs": 3}}
    others = {"networks": {"separable": {"cortex-m4": {"cycles": 10, "layers": [spent, spent]}}}}
    rows = _rows(tables.terms(results, others))
    assert [row[1] for row in rows] == ["M33", "M4"] * len(tables.DETAILED) + ["M4"]
    assert rows[-1] == ["separable", "M4", "exact", "10", "12", "6", "0", "0", "0", "0", "0", "18"]
    assert rows[0][3] == "4,000"
    assert rows[0][-1] == "7,800"


def test_checks_name_the_worst_layer(results: dict[str, Any]) -> None:
    row = _rows(tables.checks(results))[0]
    assert row == ["tiny", "M33", "exact", "+0.00 %", "-1.27 %", "10.0", "1.5", "2.0", "3"]


def test_tables_go_between_their_markers() -> None:
    found = {"first": "| a |\n", "second": "| b |\n"}
    places = [f"<!-- table: {name} -->\nold\n<!-- end -->" for name in found]
    text = "# Title\n" + "\ntext\n".join(places)
    filled = fill(text, found)
    assert filled == (
        "# Title\n<!-- table: first -->\n| a |\n<!-- end -->\ntext\n<!-- table: second -->\n| b |\n<!-- end -->"
    )
    assert fill(filled, found) == filled
    with pytest.raises(ValueError, match="no place for the tables second"):
        fill(places[0], found)
    with pytest.raises(ValueError, match="no table 'other'"):
        fill(text + "<!-- table: other -->\n<!-- end -->", found)


def _entry(accuracy: float, cycles: int) -> dict[str, Any]:
    sizes = {"flash_bytes": 1000, "ram_bytes": 200}
    return {
        "test_accuracy": accuracy,
        "kept": 0.25,
        "cores": {
            "cortex-m33": {
                "board": "nucleo-u575zi-q",
                "cycles": cycles,
                "board_cycles": (cycles + 10, cycles + 10),
                **sizes,
            },
            "cortex-m4": {"board": None, "cycles": 2 * cycles, "board_cycles": None, **sizes},
            "stm32f405": {
                "board": "stm32f405",
                "cycles": 2 * cycles,
                "board_cycles": (3 * cycles, 4 * cycles),
                **sizes,
            },
        },
    }


HEADLINE = {
    "networks": {
        "resnet8": {"exact": _entry(0.83, 12_000_000)},
        "lenet": {
            "1.78 M": _entry(0.81, 1_780_427),
            "energy 1.3 M": _entry(0.7, 1_300_000),
            "exact": _entry(0.8, 4_000_000),
        },
    }
}


def test_headline_compares_with_the_exact_model_and_the_library() -> None:
    rows = _rows(accuracy_tables.headline(HEADLINE))
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
        label: _entry(accuracy, 4_000_000 - 500_000 * number)
        for number, (label, accuracy) in enumerate(accuracies.items())
    }
    results = {"networks": {"lenet": entries}}
    assert {row[1]: row[2] for row in _rows(accuracy_tables.headline(results)) if row[2]} == {
        "at most 2 M cycles": "no loss",
        "25 % of the products": "at most 1 point",
        "12 % of the products": "at most 5 points",
    }
    assert [row[:7] for row in _rows(accuracy_tables.tiers(results, {}))] == [
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
    rows = _rows(accuracy_tables.fractions(runs))
    assert [row[1:] for row in rows] == [
        ["100 %", "", "3", "0", "62.00 %", "+0.00"],
        ["25 %", "elimination", "3", "0", "60.00 %", "-2.00", "-0.5"],
        ["25 %", "elimination", "3", "1", "61.00 %", "-1.00", "-0.5"],
        ["25 %", "taylor", "3", "0", "58.00 %", "-4.00", "-0.5"],
        ["25 %", "elimination", "3", "0", "50.00 %", "", "0.0"],
    ]
    assert _rows(accuracy_tables.spread(runs)) == [
        ["lenet", "25 %", "elimination", "3", "2", "-1.50", "-2.00", "-1.00"]
    ]


def test_metrics_and_ingredients() -> None:
    ranked = _ranked(_run("lenet", 0.25, after_training={"0.5": 0.7, "0.25": 0.3}, validation_accuracy=0.75))
    changed = _run(
        "lenet", 0.25, change="no teacher", validation_accuracy=0.7, curves={"accuracy": [0.1, 0.72]}
    )
    records = [ranked, changed]
    assert _rows(accuracy_tables.metrics(records)) == [["lenet", "taylor", "70.00 %", "30.00 %", "75.00 %"]]
    assert _rows(accuracy_tables.ingredients(records)) == [["lenet", "no teacher", "70.00 %", "72.00 %"]]
    assert _rows(accuracy_tables.metrics([])) == []


def test_headline_plot_is_a_picture(tmp_path: Path) -> None:
    plot.draw_headline(HEADLINE, tmp_path / "headline.png")
    assert (tmp_path / "headline.png").read_bytes().startswith(b"\x89PNG")


def test_plot_is_a_picture(results: dict[str, Any], tmp_path: Path) -> None:
    plot.draw(results, tmp_path / "kernels.png")
    assert (tmp_path / "kernels.png").read_bytes().startswith(b"\x89PNG")


def test_sentences_show_the_saved_figures(tmp_path: Path) -> None:
    root = document.ROOT
    pages = ("README.md", "docs/howto/eliminate_or_fine_tune.md", "docs/exactness.md")
    (tmp_path / "docs/howto").mkdir(parents=True)
    for page in pages:
        (tmp_path / page).write_text((root / page).read_text())
    document.document_sentences(root / "benchmarks/results", tmp_path)
    for page in pages:
        assert (tmp_path / page).read_text() == (root / page).read_text(), (
            "run python -m benchmarks.pages.document"
        )


def test_single_figures_stay_in_their_sentence() -> None:
    text = "It is <!-- figure: gain -->1<!-- end --> times faster."
    assert fill(text, {"gain": "2 to 3"}) == "It is <!-- figure: gain -->2 to 3<!-- end --> times faster."


def test_recipe_and_sequence() -> None:
    trials = [("exact", 0.8, 900), ("recipe", 0.75, 500), ("hidden_squares", 0.76, 500)]
    records = [
        {
            "settings": {"trial": trial, "epochs": 3, "seed": 0},
            "validation_accuracy": accuracy,
            "cycles": cycles,
        }
        for trial, accuracy, cycles in trials
    ]
    assert _rows(accuracy_tables.recipe(records)) == [
        ["exact", "3", "0", "80.00 %", "+5.00", "900"],
        ["hidden squares", "3", "0", "76.00 %", "+1.00", "500"],
        ["recipe", "3", "0", "75.00 %", "+0.00", "500"],
    ]
    found = {
        "settings": {"images": 9},
        "exact": 0.8,
        "pair 0.5": {"keras": 0.7},
        "kernel 0.5": {"keras": 0.5},
    }
    found |= {"pair 0.5 in sequence": {"keras": 0.71}}
    assert _rows(elimination_tables.sequence({"lenet": found})) == [
        ["lenet", "pair 0.5", "70.00 %", "71.00 %", "+1.00"]
    ]


def test_sensitivity_has_the_most_that_is_saved_within_the_distortion_allowed() -> None:
    def point(share: float, saved: float, distortion: float) -> dict[str, float]:
        return {"share": share, "cycles_saved": saved, "distortion": distortion}

    pairs = [point(0.2, 9000, 0.05), point(0.5, 1000, 0.029), point(0.8, 1000, 0.02)]
    layers = {"conv1": {"pair": pairs, "kernel": [point(0.5, 5000, 0.031)]}}
    assert _rows(elimination_tables.sensitivity({"lenet": {"layers": layers}})) == [
        ["lenet", "conv1", "1,000 (at 80 %)"]
    ]


def test_no_loss_has_a_row_for_each_seed_and_one_of_means() -> None:
    def record(seed: int, accuracy: float, **options: Any) -> dict[str, Any]:
        settings = {"network": "lenet", "epochs": 12, "seed": seed, "options": options}
        return {
            "settings": settings,
            "test_accuracy": accuracy,
            "cycles": 1_600_000 if options else 1_900_000,
        }

    records = [record(1, 0.8), record(0, 0.81), record(0, 0.81, design={}), record(1, 0.798, design={})]
    _, _, first, second, mean = no_loss_tables.no_loss([*records, record(2, 0.9)]).splitlines()
    assert first.startswith("| lenet | 12 | 0 | 81.00 % | 81.00 % | +0.00 | 1,900,000 | 1,600,000 |")
    assert second.startswith("| lenet | 12 | 1 | 80.00 % | 79.80 % | -0.20 |")
    assert mean.startswith("| lenet | 12 | mean | 80.50 % | 80.40 % | -0.10 |")


def test_means_of_three_seeds_that_lose_nothing_are_a_tier() -> None:
    def record(seed: int, accuracy: float, epochs: int, **options: Any) -> dict[str, Any]:
        settings = {"network": "lenet", "epochs": epochs, "seed": seed, "options": options}
        cycles = (1_500_000 if epochs == 9 else 1_600_000) if options else 1_900_000
        return {"settings": settings, "test_accuracy": accuracy, "cycles": cycles}

    exact = [record(seed, 0.81, epochs) for seed in range(3) for epochs in (9, 12)]
    level = [record(seed, right, 12, design={}) for seed, right in enumerate((0.811, 0.809, 0.81))]
    worse = [record(seed, 0.8094, 9, design={}) for seed in range(3)]
    assert no_loss_tables.proven([*exact, *level[:2], *worse]) == {}  # too few seeds, and 0.06 points
    proven = no_loss_tables.proven([*exact, *level, *worse])
    assert proven["lenet"].cycles == (1_900_000, 1_600_000)
    entries = {"exact": _entry(0.81, 1_900_000)}
    first, second = _rows(accuracy_tables.summary({"networks": {"lenet": entries}}, proven))
    assert first[1] == "no loss: designed, mean of 3 trainings of 12 epochs"
    assert first[2:4] == ["81.00 % (+0.00)", "1,600,000"]
    assert second[1] == "exact int8"
    (first,) = _rows(accuracy_tables.tiers({"networks": {"lenet": entries}}, proven))
    assert first[1:4] == ["no loss", "designed, mean of 3 trainings of 12 epochs", "1,600,000, reached"]


def test_rounding() -> None:
    figures = {"float": 0.8, "weights": 0.79, "int8": 0.78}
    moved = {"float": 0.0, "weights": 0.0001, "int8": 0.001}
    assert _rows(elimination_tables.rounding({"lenet": {"accuracy": figures, "distortion": moved}})) == [
        ["lenet", "floating point", "80.00 %", "0.000 %"],
        ["lenet", "int8 weights", "79.00 %", "0.010 %"],
        ["lenet", "int8 weights and activations", "78.00 %", "0.100 %"],
    ]


def test_paper() -> None:
    exact = {"cycles": 400, "unpacked_cycles": 500, "test_accuracy": 0.8}
    best = {"cycles": 250, "test_accuracy": 0.79}
    networks: dict[str, Any] = {
        "lenet": {
            "exact": exact,
            "cmsis_nn_cycles": 1000,
            "paper": {"0": best, "1": None},
            "elimination": {"0": best, "1": best},
        }
    }
    trained = {
        "exact": _trained(400, 0.79, 0.81),
        "eliminated 25": _trained(100, 0.79, 0.81),
        "kept 25": _trained(200, 0.781, 0.79),
        "kept 50": _trained(300, 0.79, 0.808),
        "kept 12": _trained(150, 0.77, 0.8),
    }
    headline = {"networks": {"lenet": trained}}
    networks["toolkit"] = {**networks["lenet"], "cmsis_nn_cycles": None, "paper": {}}
    assert _rows(elimination_tables.paper({"networks": networks}, headline)) == [
        ["lenet", "paper", "0", "-1.00", "250", "50 %", "4.0"],
        ["lenet", "elimination", "0", "-1.00", "250", "38 %", "4.0"],
        ["lenet", "elimination", "1", "-1.00", "250", "38 %", "4.0"],
        ["lenet", "fine-tuned", "0", "-0.20", "300", "25 %", "3.3"],
        ["lenet", "fine-tuned", "1", "-2.00", "200", "50 %", "5.0"],
        ["toolkit", "elimination", "0", "-1.00", "250", "38 %"],
        ["toolkit", "elimination", "1", "-1.00", "250", "38 %"],
    ]
    assert accuracy_tables.trained_front(trained) == [
        (150, pytest.approx(-0.02)),
        (200, pytest.approx(-0.009)),
        (300, 0.0),
    ]


def _trained(cycles: int, validation: float, test: float) -> dict[str, Any]:
    figures = {"validation_accuracy": validation, "test_accuracy": test}
    return {**figures, "cores": {"cortex-m33": {"cycles": cycles}}}
