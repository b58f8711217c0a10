"""Tables of kernels."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.pages import tables
from tests.benchmarks.pages.saved import cells_of


def test_networks_are_compared_with_the_baseline(results: dict[str, Any]) -> None:
    rows = cells_of(tables.networks(results))
    assert rows[0] == ["tiny", "baseline", "40,000", "", "", "0.40", "1.0", "5,000", "600"]
    assert rows[1] == ["tiny", "exact", "8,000", "8,050 to 8,060", "8,000", "2.00", "5.0", "9,000", "700"]
    assert [row[1] for row in rows[2:]] == ["50 % of pairs", "25 % of pairs", "50 % of kernels"]


def test_limits_and_the_small_board(results: dict[str, Any]) -> None:
    assert cells_of(tables.limits(results)) == [["tiny", "does not fit", "8,500"]]
    assert cells_of(tables.small(results)) == [["tiny", "9,000", "9,500 to 9,600", "1,000", "2,000"]]


def test_overview_compares_with_the_library(results: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CMSIS_NN", {"tiny": {"cortex-m33": 24_000}})
    rows = cells_of(tables.overview(results))
    assert rows == [["tiny", "0.02 M", "0.01 M (3.0x)", "0.01 M (4.0x)", "0.01 M (4.8x)", "0.00 M (6.0x)"]]


def test_layers_and_terms_are_those_of_the_detailed_designs(results: dict[str, Any]) -> None:
    rows = cells_of(tables.layers(results))
    assert [row[1:3] for row in rows] == [[k, n] for k in tables.DETAILED for n in ("0 conv2d", "1 softmax")]
    assert rows[0][4:7] == ["4,000", "7,900", "1.98"]
    spent = {"kind": "conv2d", "kernel": "loop", "limit": 5, "terms": {"products": 6, "inputs": 3}}
    others = {"networks": {"separable": {"cortex-m4": {"cycles": 10, "layers": [spent, spent]}}}}
    rows = cells_of(tables.terms(results, others))
    assert [row[1] for row in rows] == ["M33", "M4"] * len(tables.DETAILED) + ["M4"]
    assert rows[-1] == ["separable", "M4", "exact", "10", "12", "6", "0", "0", "0", "0", "0", "18"]
    assert rows[0][3] == "4,000"
    assert rows[0][-1] == "7,800"


def test_checks_name_the_worst_layer(results: dict[str, Any]) -> None:
    row = cells_of(tables.checks(results))[0]
    assert row == ["tiny", "M33", "exact", "+0.00 %", "-1.27 %", "10.0", "1.5", "2.0", "3"]
