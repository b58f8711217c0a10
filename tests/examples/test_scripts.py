"""The scripts of the three networks: each trains, saves and exports what was asked for."""

from __future__ import annotations

import importlib
from pathlib import Path

import cifar10
import common
import numpy as np
import pytest
import tf_keras as keras

import keras_approx


def _tiny(name: str) -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, use_bias=False, name="conv1")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.AveragePooling2D(5)(keras.layers.ReLU()(x))
    x = keras.layers.Dense(10, name="logits")(keras.layers.Flatten()(x))
    return keras.Model(inputs, x, name=name)


@pytest.fixture
def data(cifar_arrays: dict[str, np.ndarray], tmp_path: Path) -> Path:
    path = tmp_path / "small.npz"
    np.savez(path, **{name: np.concatenate([array] * 8) for name, array in cifar_arrays.items()})
    return path


@pytest.mark.parametrize("network", ["lenet", "alexnet", "resnet8"])
def test_the_whole_way(
    network: str,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(common, "pretrained", _tiny)
    script = importlib.import_module(network)
    arguments = ["--kept", "0.7", "--epochs", "1", "--log", "--data", str(data), "--target", "stm32f405"]
    assert script.main([*arguments, "--out", str(tmp_path / "runs")]) == 0
    folder = tmp_path / "runs" / network
    with keras_approx.approx_scope():
        model = keras.models.load_model(folder / "wrapped.keras", compile=False)
    found = keras_approx.summary(model, print_fn=None)
    assert 0.5 < found.kept / found.products <= 0.7
    printed = capsys.readouterr().out
    assert f"{folder / 'code'}: " in printed
    assert "of 160 test images" in printed
    assert (folder / "code" / "model.h").is_file()
    if network == "alexnet":
        header, *rows = (folder / "log.csv").read_text().splitlines()
        assert len(rows) == 1
        assert {"kept", "estimated_cycles", "kept/conv1"} <= set(header.split(","))


def test_scripts_say_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        importlib.import_module("lenet").main(["--data", "missing.npz", "--out", str(tmp_path / "runs")])
    assert stop.value.code == 2
    assert "no file missing.npz" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_train_takes_no_shipped_weights(
    cifar_arrays: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}

    def trained(
        network: str, data: cifar10.Cifar10, weights: Path, **settings: object
    ) -> tuple[keras.Model, dict]:
        asked[weights] = settings
        return _tiny(network), {}

    monkeypatch.setattr(common, "trained", trained)
    np.savez(tmp_path / "small.npz", **cifar_arrays)
    arguments = [
        "--train",
        "--data",
        str(tmp_path / "small.npz"),
        "--out",
        str(tmp_path / "runs"),
        "--seed",
        "3",
    ]
    options = common.parse("lenet", None, arguments, kept=0.5, epochs=2)
    assert common.float_network("lenet", options).name == "lenet"
    weights = tmp_path / "runs" / "lenet" / "float.h5"
    assert asked == {weights: {"epochs": 40, "seed": 3, "verbose": 1}}


def test_a_float_training_with_other_options_is_refused(
    cifar_arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    np.savez(tmp_path / "small.npz", **cifar_arrays)
    arguments = ["--train", "--data", str(tmp_path / "small.npz"), "--out", str(tmp_path / "runs")]
    options = common.parse("lenet", None, arguments, kept=0.5, epochs=2)
    states = options.folder / "float.checkpoints"
    states.mkdir()
    (states / "settings.json").write_text('{"seed": 1}')
    with pytest.raises(SystemExit, match="seed 1 and not 0"):
        common.float_network("lenet", options)
