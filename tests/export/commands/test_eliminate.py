"""`eliminate` writes what keras_approx.eliminate makes."""

from __future__ import annotations

import numpy as np
import pytest

import export
import keras_approx
from export.analysis import interpreter
from export.commands.inputs.models import load_model
from export.frontend import read_tflite
from tests.export.elimination.networks import network
from tests.keras_approx import models


def test_eliminates(folder, tmp_path, run):
    out = tmp_path / "e.keras"
    record = run(
        *("eliminate", folder / "model.keras", "--data", folder / "train.npz", "--kept", 0.5, "--images", 60),
        *(
            "--exempt",
            "third",
            "--granularity",
            "first=kernel",
            "--split-seed",
            3,
            "--test",
            folder / "test.npz",
            "--out",
            out,
        ),
    )
    inputs = np.load(folder / "train.npz")["inputs"]
    chosen = np.random.default_rng(3).permutation(len(inputs))[12:72]
    expected = keras_approx.eliminate(
        models.small(),
        inputs[chosen],
        kept=0.5,
        exempt=("third",),
        granularity={"first": "kernel"},
        verbose=False,
    )
    for ours, theirs in zip(expected.get_weights(), load_model(str(out)).get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    test = np.load(folder / "test.npz")
    right = expected.predict(test["inputs"], verbose=0).argmax(axis=1) == test["labels"]
    assert record["test_accuracy"] == pytest.approx(right.mean())
    assert record["images"] == 60
    assert record["kept"] == pytest.approx(0.5, abs=0.05)
    assert record["kept_of_all"] > record["kept"]
    assert [layer["name"] for layer in record["layers"]] == ["first", "second", "third"]


def test_says_what_is_wrong_before_the_work(folder, tmp_path, fails):
    model, data, out = folder / "model.keras", folder / "train.npz", tmp_path / "e.keras"
    assert "end in .keras or .h5" in fails("eliminate", model, "--data", data, "--out", tmp_path / "e.tflite")
    assert "'pictures'" in fails(
        "eliminate", model, "--data", data, "--inputs-array", "pictures", "--out", out
    )
    assert "the same file" in fails("eliminate", model, "--data", data, "--test", data, "--out", out)
    out.write_text("mine")
    assert "--force" in fails("eliminate", model, "--data", data, "--out", out)
    assert out.read_text() == "mine"


def test_eliminates_on_a_tflite_file(tmp_path, run, fails):
    data, rng = network(), np.random.default_rng(0)
    graph = read_tflite(data)
    tensor = graph.tensors[graph.input]
    steps = rng.integers(-128, 128, (60, *tensor.shape[1:]))
    inputs = ((steps - tensor.quant.zero_point) * tensor.quant.scale).astype(np.float32)
    classes = graph.tensors[graph.output].size
    model, out, train, test = (tmp_path / name for name in ("m.tflite", "e.tflite", "train.npz", "test.npz"))
    model.write_bytes(data)
    np.savez(train, inputs=inputs[:40])
    np.savez(test, inputs=inputs[40:], labels=rng.integers(0, classes, 20))
    command = ("eliminate", model, "--data", train, "--kept", 0.5, "--granularity", "kernel", "--out", out)
    record = run(*command, "--test", test)
    chosen = np.random.default_rng(0).permutation(40)[4:]
    expected = export.eliminate(data, inputs[:40][chosen], kept=0.5, granularity="kernel")
    assert out.read_bytes() == expected
    answers = interpreter.run(read_tflite(expected), steps[40:].astype(np.int8)).reshape(20, -1)
    right = answers.argmax(axis=1) == np.load(test)["labels"]
    assert record["test_accuracy"] == pytest.approx(right.mean())
    assert record["images"] == 36
    assert record["kept"] == pytest.approx(0.5, abs=0.1)
    assert record["kept"] <= record["kept_of_all"] < 0.9
    assert "--force" in fails(*command)
    assert "end in .tflite" in fails(*command[:-1], tmp_path / "e.keras")
    assert "leave it out" in fails(*command, "--force", "--input-range", 0, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "e.tflite",
        "m.tflite",
        "test.npz",
        "train.npz",
    ]
