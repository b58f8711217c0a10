"""`eliminate` writes what keras_approx.eliminate makes."""

from __future__ import annotations

import numpy as np
import pytest

import keras_approx
from export.commands.models import load_model
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
