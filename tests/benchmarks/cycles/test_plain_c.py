"""Prices of plain C against simulated layers that they were not fitted to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.cycles import plain_c
from export.costing.plain_c import plain_prices

CLOSE, MOST = 0.10, 0.95
OFF = {"cortex-m33": CLOSE, "cortex-m4": 0.25}  # where instructions lie takes cycles on a Cortex-M4
BY_INPUTS = {
    "softmax": 0.35,
    "log_softmax": 0.35,
}  # their exponentials depend on inputs, which no count knows
NEVER_PLAIN = ("copy",)  # have kernels but for shapes that share no dimension


@pytest.mark.slow
@pytest.mark.parametrize("core", OFF)
def test_layers_take_what_was_predicted(core: str) -> None:
    """All layers of a thousand cycles or more; of shorter ones, a few cycles are many percent."""
    layers = [layer for layer in plain_c.measure(1, core, 2) if layer[0] not in NEVER_PLAIN]
    found = plain_c.errors(layers, core, plain_c.LEAST)
    assert len(found) > 15
    allowed = {kind: BY_INPUTS.get(kind, OFF[core]) for kind in found}
    assert {kind: of for kind, of in found.items() if max(map(abs, of)) > allowed[kind]} == {}
    assert np.mean(np.abs(np.concatenate(list(found.values()))) < CLOSE) > MOST


def test_fits_find_the_prices_of_units() -> None:
    prices = {"product": 7.0, "product loop": 11.0, plain_c.LAYER: 60.0}
    counts = ((900, 30), (120, 60), (5000, 10), (64, 8))
    layers = [
        ("conv2d", {"product": many, "product loop": few, "bytes": 40}, round(7 * many + 11 * few + 60), 300)
        for many, few in counts
    ]
    found = plain_c.fit(layers)
    assert {unit: found[unit] for unit in prices} == pytest.approx(prices, rel=0.01)
    assert set(found) == set(prices)  # what was not seen has no price
    assert plain_c.code_bytes(layers) == {"conv2d": 260}


def test_prices_are_written_as_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = plain_c.PRICES.read_bytes()
    monkeypatch.setattr(plain_c, "PRICES", tmp_path / "prices.json")
    plain_c.write(plain_prices())
    assert plain_c.PRICES.read_bytes() == held
