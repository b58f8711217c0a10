"""Float training: it learns, continues after a kill as if nothing had happened, and records what it did."""

from __future__ import annotations

import json
from pathlib import Path

import cifar10
import networks
import numpy as np
import pytest
import tf_keras as keras
import train


def _tiny() -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.AveragePooling2D(8)(inputs)
    x = keras.layers.Conv2D(16, 1, use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Flatten()(keras.layers.ReLU()(x))
    return keras.Model(inputs, keras.layers.Dense(10)(x), name="lenet")


@pytest.fixture(autouse=True)
def _tiny_lenet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(networks.NETWORKS, "lenet", _tiny)


@pytest.fixture
def data(cifar_arrays: dict[str, np.ndarray]) -> cifar10.Cifar10:
    return cifar10.split(**cifar_arrays, source="brightness")


def _train(data: cifar10.Cifar10, folder: Path, epochs: int, seed: int = 0) -> tuple[keras.Model, dict]:
    return train.train("lenet", data, epochs=epochs, checkpoints=folder, batch_size=12, seed=seed, verbose=0)


class _KilledError(Exception):
    pass


def test_a_run_with_other_settings_is_not_continued(data: cifar10.Cifar10, tmp_path: Path) -> None:
    _train(data, tmp_path / "states", 1)
    message = r"found one with epochs 1 and not 2, seed 0 and not 1: continue that one .* remove the folder"
    with pytest.raises(train.OtherTrainingError, match=message):
        _train(data, tmp_path / "states", 2, seed=1)
    (tmp_path / "states" / "settings.json").unlink()
    with pytest.raises(train.OtherTrainingError, match="network unknown and not lenet"):
        _train(data, tmp_path / "states", 1)


def test_each_command_trains_anew_once_the_weights_are_saved(
    cifar_arrays: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "small.npz", **cifar_arrays)
    out = tmp_path / "runs"
    arguments = ["lenet", "--data", str(tmp_path / "small.npz"), "--batch-size", "12", "--out", str(out)]
    found = []
    for seed in ("0", "1"):
        assert train.main([*arguments, "--epochs", "1", "--seed", seed, "--log"]) == 0
        assert {path.name for path in out.iterdir()} == {"lenet.h5", "lenet.json"}
        record = json.loads((out / "lenet.json").read_text())
        assert record["settings"]["seed"] == int(seed)
        found.append(record["curves"]["loss"])
    assert found[0] != found[1]
    _train(cifar10.load(tmp_path / "small.npz"), out / "lenet.checkpoints", 1)
    with pytest.raises(SystemExit):
        train.main([*arguments, "--epochs", "3", "--log"])
    assert "epochs 1 and not 3" in capsys.readouterr().err


def test_a_killed_run_continues_where_it_stopped(
    data: cifar10.Cifar10, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, record = _train(data, tmp_path / "whole", 4)
    begin = train.Checkpoint.on_epoch_begin

    def killed(self: train.Checkpoint, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch == 2:
            raise _KilledError
        begin(self, epoch, logs)

    monkeypatch.setattr(train.Checkpoint, "on_epoch_begin", killed)
    with pytest.raises(_KilledError):
        _train(data, tmp_path / "killed", 4)
    monkeypatch.setattr(train.Checkpoint, "on_epoch_begin", begin)
    resumed, resumed_record = _train(data, tmp_path / "killed", 4)
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        assert np.array_equal(a, b)
    for key in ("loss", "val_loss", "accuracy", "val_accuracy"):
        assert record["curves"][key] == resumed_record["curves"][key]
        assert len(record["curves"][key]) == 4


def test_it_learns(data: cifar10.Cifar10, tmp_path: Path) -> None:
    _, record = _train(data, tmp_path, 15)
    assert record["curves"]["loss"][-1] < 0.7 * record["curves"]["loss"][0]


def test_command_writes_weights_and_record(
    cifar_arrays: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "small.npz", **cifar_arrays)
    out = tmp_path / "runs"
    arguments = [
        "lenet",
        "--data",
        str(tmp_path / "small.npz"),
        "--epochs",
        "1",
        "--batch-size",
        "12",
        "--log",
    ]
    assert train.main([*arguments, "--out", str(out)]) == 0
    record = json.loads((out / "lenet.json").read_text())
    assert record["images"] == {"train": 36, "validation": 4, "test": 20}
    assert record["settings"]["epochs"] == 1
    model = _tiny()
    model.load_weights(out / "lenet.h5")
    data = cifar10.load(tmp_path / "small.npz")
    assert train.accuracy(model, data.test) == record["test_accuracy"]
    assert "20 test images" in capsys.readouterr().out


def test_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        train.main(["lenet", "--data", str(tmp_path / "missing.npz"), "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert "missing.npz" in capsys.readouterr().err


@pytest.mark.parametrize("network", networks.PRETRAINED)
def test_weights_are_shipped_of_as_many_epochs_as_the_command_trains(network: str) -> None:
    record = json.loads((networks.WEIGHTS / f"{network}.json").read_text())
    assert record["settings"]["epochs"] == train.EPOCHS[network]
