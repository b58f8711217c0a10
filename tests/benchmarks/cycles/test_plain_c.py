"""Prices of plain C against simulated layers that they were not fitted to."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cycles import plain_c

# Kinds that nearly always have kernels, and in plain C depend on their values or on what compilers unroll.
RARE = ("max_pool2d", "average_pool2d", "depthwise_conv2d")
OFF = 0.25
TYPICAL = 0.06


@pytest.mark.slow
@pytest.mark.parametrize("core", ["cortex-m33", "cortex-m4"])
def test_layers_take_what_was_predicted(core: str) -> None:
    found = plain_c.errors(plain_c.measure(1, core, 1), core)
    common = [abs(error) for kind, errors in found.items() if kind not in RARE for error in errors]
    assert len(common) > 20
    assert max(common) < OFF
    assert np.median(common) < TYPICAL


def test_fits_find_the_prices_of_units() -> None:
    prices = {"product": 7.0, "product loop": 11.0, plain_c.LAYER: 60.0}
    counts = ((900, 30), (120, 60), (5000, 10), (64, 8))
    layers = [
        ("conv2d", {"product": many, "product loop": few, "bytes": 40}, round(7 * many + 11 * few + 60), 300)
        for many, few in counts
    ]
    assert plain_c.fit(layers) == pytest.approx(prices, rel=0.01)
    assert plain_c.code_bytes(layers) == {"conv2d": 260}
