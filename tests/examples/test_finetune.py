"""Fine-tuning: labels from class and teacher, and a model that keeps what was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import cifar10
import finetune
import networks
import numpy as np
import pytest
import tf_keras as keras

import keras_approx


def _tiny() -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.AveragePooling2D(8)(inputs)
    x = keras.layers.Conv2D(16, 1, use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Flatten()(keras.layers.ReLU()(x))
    return keras.Model(inputs, keras.layers.Dense(10)(x), name="lenet")


@pytest.fixture
def data(cifar_arrays: dict[str, np.ndarray]) -> cifar10.Cifar10:
    return cifar10.split(**cifar_arrays, source="brightness")


def test_half_of_a_label_is_what_the_teacher_says(data: cifar10.Cifar10) -> None:
    teacher = _tiny()
    batches = cifar10.AugmentedBatches(data.train, batch_size=6)
    taught = finetune.TaughtBatches(batches, teacher)
    assert len(taught) == len(batches)
    images, labels = taught[1]
    plain_images, classes = batches[1]
    assert np.array_equal(images, plain_images)
    said = keras.activations.softmax(teacher(images)).numpy()
    np.testing.assert_allclose(labels, (np.eye(10)[classes] + said) / 2, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kept", [1.0, 0.5])
def test_fine_tune_keeps_what_was_asked(kept: float, data: cifar10.Cifar10) -> None:
    teacher = _tiny()
    model = finetune.wrap_and_calibrate(teacher, data)
    curves = finetune.fine_tune(model, data, kept=kept, epochs=2, teacher=teacher, batch_size=12, verbose=0)
    assert len(curves["loss"]) == len(curves["val_accuracy"]) == 2
    found = keras_approx.summary(model, print_fn=None)
    pair = 2 * 16  # products of one pair in the convolution, the largest step there is
    assert kept * found.products - pair <= found.kept <= kept * found.products


def test_command_saves_a_model_that_loads(
    cifar_arrays: dict[str, np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(finetune, "pretrained", lambda name: _tiny())
    monkeypatch.setitem(networks.NETWORKS, "lenet", _tiny)
    np.savez(tmp_path / "small.npz", **{name: np.concatenate([a] * 8) for name, a in cifar_arrays.items()})
    arguments = ["lenet", "--data", str(tmp_path / "small.npz"), "--kept", "0.4", "--epochs", "1", "--log"]
    assert finetune.main([*arguments, "--out", str(tmp_path / "runs")]) == 0
    record = json.loads((tmp_path / "runs" / "lenet_kept_40.json").read_text())
    with keras_approx.approx_scope():
        model = keras.models.load_model(tmp_path / "runs" / "lenet_kept_40.keras")
    test = cifar10.load(tmp_path / "small.npz").test
    logits = model.predict(test.inputs, verbose=0)
    assert record["test_accuracy"] == (logits.argmax(axis=1) == test.labels).mean()
    assert "160 test images" in capsys.readouterr().out


def test_command_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        finetune.main(["dscnn"])
    assert stop.value.code == 2
    assert "no weights" in capsys.readouterr().err
