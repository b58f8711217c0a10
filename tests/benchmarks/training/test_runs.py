"""Fine-tuning runs: each has a name of its own, is done once, and is not taken for another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cifar10 import AugmentedBatches, load

import keras_approx
from benchmarks.training import runs
from tests.benchmarks import tiny


def test_a_run_is_found_again_and_not_taken_for_another(
    images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "pretrained", tiny.network)
    data = load(images)
    model, record = runs.fine_tuned(runs.Run("lenet", 0.5, 1), data, tmp_path)
    assert record["settings"]["images"] == 288
    assert 0.3 < record["kept"]["conv1"] <= 1
    with pytest.raises(ValueError, match="holds a run with other settings"):
        runs.fine_tuned(runs.Run("lenet", 0.4, 1), data, tmp_path)
    monkeypatch.setattr(keras_approx, "fine_tune", lambda *given, **options: pytest.fail("trained again"))
    again, found = runs.fine_tuned(runs.Run("lenet", 0.5, 1), data, tmp_path)
    assert found == record
    for before, after in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


class _InterruptedError(Exception):
    pass


def test_an_interrupted_run_goes_on_where_it_was(
    images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "pretrained", tiny.network)
    data, run = load(images), runs.Run("lenet", 0.5, 3)
    model, record = runs.fine_tuned(run, data, tmp_path / "whole")
    start, started = AugmentedBatches.start, []

    def counted(batches: AugmentedBatches, epoch: int) -> None:
        started.append(epoch)
        if started.count(2) == 1 and epoch == 2:
            raise _InterruptedError
        start(batches, epoch)

    monkeypatch.setattr(AugmentedBatches, "start", counted)
    with pytest.raises(_InterruptedError):
        runs.fine_tuned(run, data, tmp_path / "cut")
    assert not (tmp_path / "cut" / runs.RECORD).exists()
    again, found = runs.fine_tuned(run, data, tmp_path / "cut")
    assert started == [0, 0, 1, 2, 0, 2, 3]
    assert found["curves"] == record["curves"]
    for before, after in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert not (tmp_path / "cut" / runs.CHECKPOINT).exists()


def test_names_of_runs_are_distinct() -> None:
    made = [
        runs.Run("lenet", 0.25, 2),
        runs.Run("lenet", 0.25, 2, seed=1),
        runs.Run("lenet", 0.25, 2, options={"significance": "taylor"}),
        runs.Run("lenet", 0.25, 2, wrapping={"skipped_gradient": "straight_through"}),
    ]
    assert len({run.name for run in made}) == len(made)
    assert made[2].name == "lenet_kept25_epochs2_seed0_significance-taylor"


def test_what_a_run_skips_follows_from_its_options() -> None:
    assert isinstance(runs.Run("lenet", 0.25, 2).skipping, keras_approx.Eliminate)
    ranked = runs.Run("lenet", 0.25, 2, options={"significance": "taylor", "granularity": "block"}).skipping
    assert isinstance(ranked, keras_approx.Rank)
    design = runs.Run("lenet", 1.0, 2, options={"design": {"conv1": ("kernel block", 0.5)}})
    assert isinstance(design.skipping, keras_approx.Eliminate)
    assert design.name == "lenet_kept100_epochs2_seed0_conv1-kernel-block50"
