"""`wrap` writes what keras_approx.wrap and calibrate make."""

from __future__ import annotations

import numpy as np
import pytest

import keras_approx
from export.commands.inputs.models import load_model
from export.errors import QuantizationError
from keras_approx.layers.skip_wrapper import skip_wrappers
from tests.keras_approx import models


def test_wraps_and_calibrates(folder, tmp_path, run):
    out = tmp_path / "w.keras"
    record = run(
        *(
            "wrap",
            folder / "model.keras",
            "--data",
            folder / "train.npz",
            "--calibration-images",
            50,
            "--split-seed",
            3,
            "--out",
            out,
        )
    )
    assert record["calibration_images"] == 50
    assert [layer["name"] for layer in record["layers"]] == ["first", "second", "third"]
    expected = keras_approx.wrap(models.small(), compensate=True)
    inputs = np.load(folder / "train.npz")["inputs"]
    chosen = np.random.default_rng(3).permutation(len(inputs))[12:62]
    keras_approx.calibrate(expected, inputs[chosen], verbose=False)
    for ours, theirs in zip(expected.get_weights(), load_model(str(out)).get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


def test_options_reach_the_layers(folder, tmp_path, run):
    out = tmp_path / "w.h5"
    run(
        *("wrap", folder / "model.keras", "--out", out, "--no-compensation"),
        *("--skipped-gradient", "straight_through", "--input-range", -4, 4),
    )
    model = load_model(str(out))
    layer = skip_wrappers(model)[0]
    assert (layer.skipped_gradient, layer.compensate) == ("straight_through", False)
    assert model.layers[1].fixed_range == (-4.0, 4.0)
    with pytest.raises(QuantizationError, match="calibrate"):
        from export import to_tflite  # noqa: PLC0415

        to_tflite(model)


def test_says_what_is_wrong_before_the_work(folder, tmp_path, fails):
    model, data = folder / "model.keras", folder / "train.npz"
    out = tmp_path / "w.keras"
    assert "end in .keras or .h5" in fails("wrap", model, "--out", tmp_path / "w.tflite")
    assert "does not exist: make it" in fails("wrap", model, "--out", tmp_path / "no" / "w.keras")
    assert "no model" in fails("wrap", tmp_path / "m.keras", "--out", out)
    assert "'pictures'" in fails("wrap", model, "--data", data, "--inputs-array", "pictures", "--out", out)
    out.write_text("mine")
    assert "--force" in fails("wrap", model, "--out", out)
    assert out.read_text() == "mine"
