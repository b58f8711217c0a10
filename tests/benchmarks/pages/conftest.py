"""Figures that several tests read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.pages.saved import figures


@pytest.fixture
def results() -> dict[str, Any]:
    designs = [
        {
            "mask": mask,
            "kept": kept,
            "cores": [
                figures("cortex-m33", cycles, (cycles + 50, cycles + 60)),
                figures("cortex-m4", cycles, None),
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
