"""Trials of the recipe: each differs in one thing, is done once, and stays when others are."""

from __future__ import annotations

from pathlib import Path

import pytest

import keras_approx
from benchmarks.shared.records import read_folder, read_json
from benchmarks.training import recipe
from tests.benchmarks import tiny


def test_trials_are_trained_once(images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "pretrained", tiny.network)
    monkeypatch.setattr(recipe, "GRANULARITY", {"conv1": "pair"})
    monkeypatch.setattr(recipe, "SHARES", {"conv1": 0.5})
    monkeypatch.setattr(recipe, "EXEMPT", ("logits",))
    results = tmp_path / "results"
    arguments = ["--data", images, "--epochs", "1", "--results", str(results)]
    arguments += ["--work", str(tmp_path / "work")]
    assert recipe.main(["exact", "hidden_squares", *arguments]) == 0
    exact, hidden = read_folder(results)
    assert exact["kept"]["conv1"] == 1
    assert hidden["kept"]["conv1"] == pytest.approx(0.5, abs=0.05)
    assert hidden["cycles"] < exact["cycles"]

    monkeypatch.setattr(keras_approx, "fine_tune", lambda *given, **options: pytest.fail("trained again"))
    assert recipe.main(["exact", *arguments]) == 0
    with pytest.raises(SystemExit, match="images 288 and not 100"):
        recipe.main(["exact", "--images", "100", *arguments])
    assert read_json(results / "exact_epochs1_seed0.json") == exact
    assert read_folder(results) == [exact, hidden]


def test_unknown_trials_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        recipe.main(["sharper"])
    assert "no trial 'sharper'; there are exact, recipe" in capsys.readouterr().err
