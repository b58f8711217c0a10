"""Tables and plot from saved figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import plot, tables
from benchmarks.document import fill
from benchmarks.terms import PRODUCTS, REQUANTIZATION, TERMS


def _figures(core: str, cycles: int, cached: int | None) -> dict[str, Any]:
    terms = dict.fromkeys(TERMS, 0) | {PRODUCTS: 4000, REQUANTIZATION: cycles - 4200}
    conv = {
        "kind": "conv2d",
        "kernel": "unpacked",
        "macs": 16_000,
        "kept_weights": 80,
        "limit": 4000,
        "predicted": cycles - 200,
        "cycles": cycles - 100,
        "cached_cycles": cached,
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
        "cached_cycles": None,
        "flash_bytes": 90,
        "terms": {},
    }
    return {
        "core": core,
        "board": None,
        "cycles": cycles,
        "cached_cycles": cached,
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
            "kept": kept,
            "cores": [_figures("cortex-m33", cycles, cycles + 50), _figures("cortex-m4", cycles, None)],
        }
        for kept, cycles in ((1.0, 8000), (0.5, 6000), (0.25, 5000))
    ]
    baseline = [{"core": "cortex-m33", "cycles": 40_000, "flash_bytes": 5000, "ram_bytes": 600}]
    return {"networks": {"tiny": {"baseline": baseline, "designs": designs}}}


def _rows(table: str) -> list[list[str]]:
    return [line.strip("|\n ").split(" | ") for line in table.splitlines()[2:]]


def test_networks_are_compared_with_the_baseline(results: dict[str, Any]) -> None:
    rows = _rows(tables.networks(results))
    assert rows[0] == ["tiny", "baseline", "40,000", "", "", "0.40", "1.0", "5,000", "600"]
    assert rows[1] == ["tiny", "exact", "8,000", "8,050", "8,000", "2.00", "5.0", "9,000", "700"]
    assert [row[1] for row in rows[2:]] == ["50 %", "25 %"]


def test_layers_and_terms_are_those_of_the_detailed_designs(results: dict[str, Any]) -> None:
    rows = _rows(tables.layers(results))
    assert [row[1:3] for row in rows] == [
        [k, n] for k in ("exact", "25 %") for n in ("0 conv2d", "1 softmax")
    ]
    assert rows[0][4:7] == ["4,000", "7,900", "1.98"]
    rows = _rows(tables.terms(results))
    assert [row[1] for row in rows] == ["M33", "M4"] * 2
    assert rows[0][3] == "4,000"
    assert rows[0][-1] == "7,800"


def test_checks_name_the_worst_layer(results: dict[str, Any]) -> None:
    row = _rows(tables.checks(results))[0]
    assert row == ["tiny", "M33", "exact", "+0.00 %", "-1.27 %", "10.0", "1.5", "2.0", "3"]


def test_tables_go_between_their_markers(results: dict[str, Any]) -> None:
    places = [
        f"<!-- table: {name} -->\nold\n<!-- end -->" for name in ("networks", "terms", "layers", "checks")
    ]
    text = "# Title\n" + "\ntext\n".join(places)
    filled = fill(text, results)
    assert "old" not in filled
    assert filled.count("\ntext\n") == 3
    assert tables.networks(results) in filled
    assert fill(filled, results) == filled
    with pytest.raises(ValueError, match="no place for the tables checks"):
        fill("\n".join(places[:3]), results)
    with pytest.raises(ValueError, match="no table 'other'"):
        fill(text + "<!-- table: other -->\n<!-- end -->", results)


def test_plot_is_a_picture(results: dict[str, Any], tmp_path: Path) -> None:
    plot.draw(results, tmp_path / "kernels.png")
    assert (tmp_path / "kernels.png").read_bytes().startswith(b"\x89PNG")
