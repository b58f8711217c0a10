"""Prices of a small network are those of the kernels that are written for it, and timings name what was timed."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import export
import keras_approx
from benchmarks.cycles import pricing
from benchmarks.cycles.pricing import _errors, _seconds
from benchmarks.shared.records import read_json, write_json
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


def test_one_network_is_measured_and_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(model: Any, pricer: Any, core: str, options: Namespace) -> dict[str, Any]:
        return {f"{kept:g}": {} for kept in options.kept}

    monkeypatch.setattr(pricing, "_seconds", seconds)
    monkeypatch.setattr(pricing, "_errors", lambda *given: [{"cycles": 0, "flash": 0}])
    monkeypatch.setattr(pricing, "pretrained", lambda name: models.small(softmax=False))
    monkeypatch.setattr(pricing, "to_float", lambda images: np.zeros((4, 8, 8, 3), np.float32))
    output = tmp_path / "pricing.json"
    other = {"seconds": {core: dict.fromkeys(("0.75", "0.5", "0.25", "0.125")) for core in pricing.CORES}}
    write_json(output, {"alexnet": other})
    assert pricing.main(["lenet", "--output", str(output)]) == 0
    record = read_json(output)
    assert list(record) == ["alexnet", "lenet"]
    assert record["alexnet"] == other
    with pytest.raises(SystemExit, match=r"alexnet in .* cores .* kept .* and not \['0.25'\]"):
        pricing.main(["lenet", "--quick", "--output", str(output)])
    assert read_json(output) == record


def test_seconds(model: Any) -> None:
    found = _seconds(model, export.Pricer(model), "cortex-m33", OPTIONS)
    assert set(found) == {"0.5"}
    assert set(found["0.5"]) == {"every_layer", "one_layer", "one_layer_at_most", "no_layer", "estimate"}
