"""The demo: the whole way on a small network, its table, and its refusal of code that is not bit-exact."""

from __future__ import annotations

import json
from pathlib import Path

import cifar10
import demo
import numpy as np
import pytest
import tf_keras as keras

from export.targets import Span


def _tiny() -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, use_bias=False)(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.AveragePooling2D(5)(keras.layers.ReLU()(x))
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(x)), name="lenet")


def _command(arrays: dict[str, np.ndarray], folder: Path, *more: str) -> list[str]:
    np.savez(folder / "small.npz", **{name: np.concatenate([array] * 8) for name, array in arrays.items()})
    arguments = ["--data", str(folder / "small.npz"), "--epochs", "1", "--host-images", "30", "--log"]
    return [*arguments, "--arm-images", "2", "--out", str(folder / "out"), *more]


def test_the_whole_way(
    cifar_arrays: dict[str, np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demo, "pretrained", lambda name: _tiny())
    assert demo.main(_command(cifar_arrays, tmp_path, "--kept", "0.5")) == 0
    printed = capsys.readouterr().out
    assert printed.count("on this machine: 30 images, every byte") == 2
    assert printed.count("on an emulated cortex-m33: 2 images, every byte") == 2
    record = json.loads((tmp_path / "out" / "demo.json").read_text())
    assert record["settings"]["kept"] == 0.5
    original, exact, skipped = record["rows"]
    assert original["cycles"] is None
    assert skipped["products_kept"] <= 0.5 < exact["products_kept"] == 1
    assert 0 < skipped["cycles"] < exact["cycles"]
    folder = tmp_path / "out" / record["designs"]["exact int8"]["folder"]
    assert (folder / "lenet.h").is_file()
    test = cifar10.load(tmp_path / "small.npz").test
    outputs = demo.run_reference((folder / "lenet.tflite").read_bytes(), cifar10.to_int8(test.images))
    assert exact["test_accuracy"] == (outputs.argmax(axis=1) == test.labels).mean()


def test_wrong_code_ends_the_demo(
    cifar_arrays: dict[str, np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def wrong(model: bytes, images: np.ndarray) -> np.ndarray:
        outputs = np.zeros((len(images), 10), np.int8)
        outputs[:, ::2] = 99
        return outputs

    monkeypatch.setattr(demo, "pretrained", lambda name: _tiny())
    monkeypatch.setattr(demo, "run_reference", wrong)
    assert demo.main(_command(cifar_arrays, tmp_path)) == 1
    assert "on this machine: 30 of 30 images differ" in capsys.readouterr().err
    assert not (tmp_path / "out" / "demo.json").exists()


def test_check_equal_counts_images() -> None:
    reference = np.arange(12, dtype=np.int8).reshape(4, 3)
    demo.check_equal("here", reference.copy(), reference)
    outputs = reference.copy()
    outputs[2] += 1
    outputs[3, 0] += 1
    with pytest.raises(demo.NotBitExactError, match="here: 2 of 4 images"):
        demo.check_equal("here", outputs, reference)


def test_table() -> None:
    rows = [
        demo.Row("float", 0.8061, 1.0),
        demo.Row("25% kept", 0.79, 0.25, 1_234_567, Span(7.716, 7.718), 65_536, 9_000),
    ]
    assert demo.format_table(rows).splitlines() == [
        "model     test accuracy  products kept     cycles    ms  flash B  RAM B",
        "-----------------------------------------------------------------------",
        "float            80.61%         100.0%          -     -        -      -",
        "25% kept         79.00%          25.0%  1,234,567  7.72   65,536  9,000",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kept", "1"], "--kept must be between 0 and 1, got 1.0"),
        (["--arm-images", "30", "--host-images", "20"], "at most --host-images"),
        (["--data", "missing.npz"], "no file missing.npz"),
        (["--network", "dscnn"], "invalid choice: 'dscnn'"),  # which has no weights
    ],
)
def test_options_are_checked(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        demo.main([*arguments, "--out", str(tmp_path / "out")])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
