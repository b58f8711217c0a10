"""Prices of a small network are those of the kernels that are written for it, and timings name what was timed."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import numpy as np
import pytest

import export
import keras_approx
from benchmarks.cycles.pricing import _errors, _seconds
from tests.keras_approx import models

OPTIONS = Namespace(kept=(0.5,), granularities=("block",), energy=[("pair", 0.3)], designs=1)


@pytest.fixture(scope="module")
def model() -> Any:
    found = keras_approx.wrap(models.small(softmax=False), compensate=True)
    keras_approx.calibrate(found, np.random.default_rng(0).random((16, 8, 8, 3), np.float32), verbose=False)
    return found


def test_no_layer_is_off(model: Any) -> None:
    pricers = {core: export.Pricer(model, target=core) for core in ("cortex-m33", "cortex-m4")}
    found = _errors(model, pricers, OPTIONS)
    assert [(row["masks"], row["core"]) for row in found] == [
        (masks, core) for masks in ("random, pair", "random, block", "energy, pair") for core in pricers
    ]
    assert all(row["cycles"] == row["flash"] == 0 and row["design_cycles"] > 0 for row in found)


def test_seconds(model: Any) -> None:
    found = _seconds(model, export.Pricer(model), "cortex-m33", OPTIONS)
    assert set(found) == {"0.5"}
    assert set(found["0.5"]) == {"every_layer", "one_layer", "one_layer_at_most", "no_layer", "estimate"}
