"""What the command of no loss trains, and how it sums up."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from networks import pretrained

from benchmarks.shared.options import REFERENCE
from benchmarks.shared.records import write_json
from benchmarks.training import no_loss


@pytest.mark.parametrize("network", REFERENCE)
def test_designs_name_layers_of_their_networks(network: str) -> None:
    exact, skipping = no_loss._runs(network, 12, 1)
    assert (exact.epochs, exact.seed, dict(exact.options)) == (skipping.epochs, skipping.seed, {})
    layers = {layer.name for layer in pretrained(network).layers}
    assert {*skipping.options["design"]} <= layers


def test_the_difference_is_that_of_the_means(tmp_path: Path) -> None:
    for seed, accuracies in enumerate([(0.8, 0.81), (0.82, 0.79)]):
        for run, accuracy in zip(no_loss._runs("lenet", 12, seed), accuracies, strict=True):
            write_json(tmp_path / f"{run.name}.json", {"test_accuracy": accuracy, "cycles": 1_000_000})
    options = argparse.Namespace(results=tmp_path, seeds=2, epochs=None)
    *_, last = no_loss._lines("lenet", options)
    assert last == "lenet: -1.00 points, 81.00% to 80.00%"
