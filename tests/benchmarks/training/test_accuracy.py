"""Accuracy runs: each is done once, found again, and compared with the exact model of as many epochs."""

from __future__ import annotations

from pathlib import Path

import pytest

import keras_approx
from benchmarks.training import accuracy, runs
from tests.benchmarks import tiny


@pytest.fixture
def data(images: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(runs, "pretrained", tiny.network)
    monkeypatch.setattr(accuracy, "pretrained", tiny.network)
    return images


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
def test_records_of_other_settings_are_replaced_if_told(data: str, tmp_path: Path) -> None:
    folders = ["--work", str(tmp_path / "work"), "--results", str(tmp_path / "results")]
    arguments = ["table", "lenet", "--data", data, "--kept", "0.5", "--epochs", "1", *folders]
    assert accuracy.main(arguments) == 0
    records = accuracy.read_table(tmp_path / "results")
    for path in (tmp_path / "results").iterdir():
        path.write_text(path.read_text().replace('"images": 288', '"images": 5'))
    assert accuracy.read_table(tmp_path / "results") != records
    with pytest.raises(SystemExit, match="images 5 and not 288"):
        accuracy.main(arguments)
    assert accuracy.main([*arguments, "--replace"]) == 0
    assert accuracy.read_table(tmp_path / "results") == records


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


def test_wrong_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        accuracy.main(["table", "vgg"])
    assert "unknown network 'vgg'; choose from lenet, alexnet, resnet8" in capsys.readouterr().err
