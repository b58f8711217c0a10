"""Tables of elimination alone."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.pages import accuracy_tables, elimination_tables
from tests.benchmarks.pages.saved import cells_of


def test_sequence() -> None:
    found = {
        "settings": {"images": 9},
        "exact": 0.8,
        "pair 0.5": {"keras": 0.7},
        "kernel 0.5": {"keras": 0.5},
    }
    found |= {"pair 0.5 in sequence": {"keras": 0.71}}
    assert cells_of(elimination_tables.sequence({"lenet": found})) == [
        ["lenet", "pair 0.5", "70.00 %", "71.00 %", "+1.00"]
    ]


def test_sensitivity_has_the_most_that_is_saved_within_the_distortion_allowed() -> None:
    def point(share: float, saved: float, distortion: float) -> dict[str, float]:
        return {"share": share, "cycles_saved": saved, "distortion": distortion}

    pairs = [point(0.2, 9000, 0.05), point(0.5, 1000, 0.029), point(0.8, 1000, 0.02)]
    layers = {"conv1": {"pair": pairs, "kernel": [point(0.5, 5000, 0.031)]}}
    assert cells_of(elimination_tables.sensitivity({"lenet": {"layers": layers}})) == [
        ["lenet", "conv1", "1,000 (at 80 %)"]
    ]


def test_rounding() -> None:
    figures = {"float": 0.8, "weights": 0.79, "int8": 0.78}
    moved = {"float": 0.0, "weights": 0.0001, "int8": 0.001}
    assert cells_of(elimination_tables.rounding({"lenet": {"accuracy": figures, "distortion": moved}})) == [
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
    assert cells_of(elimination_tables.paper({"networks": networks}, headline)) == [
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
