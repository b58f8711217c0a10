"""Accuracy runs: each is done once, found again, and compared with the exact model of as many epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras as keras

import keras_approx
from benchmarks.training import accuracy, runs


def _tiny(name: str) -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, use_bias=False, name="conv1")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.AveragePooling2D(5)(keras.layers.ReLU()(x))
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(x)), name=name)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setattr(runs, "pretrained", _tiny)
    monkeypatch.setattr(accuracy, "pretrained", _tiny)
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for part, count in (("train", 320), ("test", 40)):
        arrays[f"y_{part}"] = np.arange(count) % 10
        noise = rng.integers(0, 25, (count, 32, 32, 3))
        arrays[f"x_{part}"] = (25 * arrays[f"y_{part}"][:, None, None, None] + noise).astype(np.uint8)
    np.savez(tmp_path / "small.npz", **arrays)
    return str(tmp_path / "small.npz")


def test_the_table_continues_and_compares(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["table", "lenet", "--data", data, "--epochs", "1", "--kept", "0.5"]
    arguments += ["--work", str(tmp_path / "work"), "--results", str(tmp_path / "results")]
    assert accuracy.main(arguments) == 0
    printed = capsys.readouterr().out
    exact, half = accuracy.read_table(tmp_path / "results")
    assert (exact["settings"]["kept"], half["settings"]["kept"]) == (1.0, 0.5)
    points = 100 * (half["test_accuracy"] - exact["test_accuracy"])
    assert (
        f"| lenet | 50 % | elimination | 1 | 0 | {100 * half['test_accuracy']:.2f} % | {points:+.2f} |"
        in printed
    )

    monkeypatch.setattr(keras_approx, "fine_tune", lambda *a, **k: pytest.fail("trained again"))
    assert accuracy.main(arguments) == 0
    for path in (tmp_path / "results").iterdir():
        path.unlink()
    assert accuracy.main(arguments) == 0  # the models are still there
    assert accuracy.read_table(tmp_path / "results") == [exact, half]


@pytest.mark.slow
def test_records_of_other_settings_are_replaced(data: str, tmp_path: Path) -> None:
    folders = ["--work", str(tmp_path / "work"), "--results", str(tmp_path / "results")]
    arguments = ["table", "lenet", "--data", data, "--kept", "0.5", "--epochs", "1", *folders]
    assert accuracy.main(arguments) == 0
    records = accuracy.read_table(tmp_path / "results")
    for path in (tmp_path / "results").iterdir():
        path.write_text(path.read_text().replace('"images": 288', '"images": 5'))
    assert accuracy.read_table(tmp_path / "results") != records
    assert accuracy.main(arguments) == 0
    assert accuracy.read_table(tmp_path / "results") == records


def test_another_run_is_not_taken_for_this_one(data: str, tmp_path: Path) -> None:
    images = accuracy.load(data)
    runs.fine_tuned(runs.Run("lenet", 0.5, 1), images, tmp_path)
    with pytest.raises(ValueError, match="holds a run with other settings"):
        runs.fine_tuned(runs.Run("lenet", 0.4, 1), images, tmp_path)


@pytest.mark.slow
def test_metrics_and_ingredients(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(accuracy, "METRICS", ("energy", "taylor"))
    changes = ("the recipe", "energy, straight-through gradients")
    monkeypatch.setattr(accuracy, "INGREDIENTS", {name: accuracy.INGREDIENTS[name] for name in changes})
    folders = ["--work", str(tmp_path / "work"), "--results", str(tmp_path / "results")]
    for part in ("metrics", "ingredients"):
        assert accuracy.main([part, "lenet", "--data", data, "--epochs", "1", *folders]) == 0
    printed = capsys.readouterr().out
    assert [line.split()[:2] for line in printed.splitlines() if line.startswith("lenet ")][:3] == [
        ["lenet", "energy"],
        ["lenet", "taylor"],
        ["lenet", "elimination"],
    ]
    assert "straight-through gradients" in printed
    assert len(list((tmp_path / "results").glob("*.json"))) == 5


def test_names_of_runs_are_distinct() -> None:
    made = [
        runs.Run("lenet", 0.25, 2),
        runs.Run("lenet", 0.25, 2, seed=1),
        runs.Run("lenet", 0.25, 2, options={"significance": "taylor"}),
        runs.Run("lenet", 0.25, 2, wrapping={"skipped_gradient": "straight_through"}),
    ]
    assert len({run.name for run in made}) == len(made)
    assert made[2].name == "lenet_kept25_epochs2_seed0_significance-taylor"


def test_wrong_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        accuracy.main(["table", "vgg"])
    assert "unknown network 'vgg'; choose from lenet, alexnet, resnet8" in capsys.readouterr().err
