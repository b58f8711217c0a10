"""Figures in sentences."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.pages import quotes
from tests.benchmarks.pages.saved import entry


def _run(kept: float, accuracy: float, epochs: int, seed: int = 0, **options: Any) -> dict[str, Any]:
    settings = {"network": "lenet", "kept": kept, "epochs": epochs, "seed": seed, "options": options}
    return {"settings": settings, "test_accuracy": accuracy}


def test_models_are_named_by_network_and_label() -> None:
    entries = {"exact": entry(0.81, 1_900_000), "designed 1 M, 7 epochs": entry(0.8, 1_004_000)}
    for found in entries.values():
        found["validation_accuracy"] = 0.8
    pairs: tuple[tuple[float, dict[str, Any]], ...] = ((0.81, {}), (0.805, {"design": {}}))
    no_loss: list[dict[str, Any]] = [
        {**_run(1.0, accuracy, 9, seed, **options), "cycles": 1_000_000}
        for seed in range(2)
        for accuracy, options in pairs
    ]
    runs = [_run(1.0, 0.8, 5), _run(0.5, 0.801, 5), _run(0.25, 0.79, 5), _run(0.25, 0.796, 5, 1)]
    runs += [_run(0.18, 0.78, 5), _run(0.18, 0.7, 5, significance="energy"), _run(0.25, 0.7, 9)]
    quote = quotes.models({"networks": {"lenet": entries}}, no_loss, runs)
    assert quote("loss of lenet, designed 1 M, 7 epochs") == "1.00"
    assert quote("cycles of lenet, designed 1 M, 7 epochs") == "1.00"
    assert quote("share of lenet, exact") == "25.0"
    assert quote("loss of lenet after 9 epochs") == "0.50"
    assert quote("misses of lenet") == "0.20 to 1.00"  # goals of 0.5 at a quarter and 1 at 18 %
    assert quote("misses of lenet, 25 %") == "0.50"
    for unknown in ("loss of lenet, 2 M", "loss of lenet after 8 epochs", "gain of lenet, exact"):
        with pytest.raises(KeyError):
            quote(unknown)


def test_optimizers_are_compared_after_as_many_epochs() -> None:
    runs = [_run(0.25, 0.80, 12), _run(0.25, 0.79, 12, 1), _run(0.25, 0.793, 12, optimizer="default")]
    runs += [_run(0.25, 0.9, 14, optimizer="default"), _run(0.25, 0.1, 12, significance="energy")]
    quote = quotes.optimizers(runs, {"wrapped_over_tfmot": 1.112, "mask_update_seconds": 0.0625})
    assert quote("accuracy of lenet, SGD, 12 epochs") == "79.50"
    assert quote("accuracy of lenet, Adam, 14 epochs") == "90.00"
    assert quote("Adam behind SGD") == "0.2"
    assert (quote("step"), quote("update")) == ("1.11", "0.06")


def test_prices() -> None:
    seconds = {"cortex-m33": {"0.5": {"every_layer": 0.03, "estimate": 2.0}}}
    errors = [{"cycles": 0.0, "flash": 0.0}, {"cycles": 0.02, "flash": 0.031}]
    quote = quotes.prices({"lenet": {"seconds": seconds, "errors": errors}})
    names = ("designs", "exact", "cycles off", "bytes off", "seconds", "estimate")
    assert [quote(name) for name in names] == ["2", "1", "2.0", "3.1", "0.03", "2.0"]
