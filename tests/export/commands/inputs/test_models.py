"""Models load from every kind of file; whatever is no model is refused in a sentence."""

from __future__ import annotations

import json
import zipfile

import keras as keras_3
import numpy as np
import pytest

import keras_approx
from export.commands.inputs.models import is_wrapped, load_model, save_model
from export.errors import ModelFormatError, OutputPathError
from keras_approx.compat import keras
from tests.keras_approx import models


@pytest.mark.parametrize(
    ("version", "name"),
    [(keras, "m.keras"), (keras, "m.h5"), (keras, "saved"), (keras_3, "m.keras"), (keras_3, "m.h5")],
    ids=["2-keras", "2-h5", "2-saved", "3-keras", "3-h5"],
)
def test_loads_with_the_keras_that_saved(tmp_path, version, name):
    model = models.small(version)
    model.save(tmp_path / name)
    loaded = load_model(str(tmp_path / name), trust=name == "saved")
    assert isinstance(loaded, version.Model)
    assert not is_wrapped(loaded)
    x = models.inputs(model, 4)
    assert np.array_equal(model.predict(x, verbose=0), loaded.predict(x, verbose=0))


def test_wrapped_models_come_back_wrapped(tmp_path):
    model = keras_approx.wrap(models.small())
    save_model(model, tmp_path / "w.keras")
    assert [file.name for file in tmp_path.iterdir()] == ["w.keras"]
    assert is_wrapped(load_model(str(tmp_path / "w.keras")))
    with pytest.raises(OutputPathError, match="choose another --out"):
        save_model(model, tmp_path / "missing" / "w.keras")


def test_refuses_what_is_no_model(tmp_path):
    (tmp_path / "folder").mkdir()
    for name in ("text.keras", "text.h5", "m.tflite", "m.onnx"):
        (tmp_path / name).write_bytes(b"something else")
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as archive:
        archive.writestr("metadata.json", "[]")
    models.small().save_weights(tmp_path / "weights.h5")
    for name, said in (
        ("missing.keras", "no model"),
        ("folder", "keras_metadata.pb"),
        ("text.keras", "expected a .keras"),
        ("text.h5", "expected a .keras"),
        ("m.tflite", "keras-approx export"),
        ("m.onnx", "expected a .keras"),
        ("zip.keras", "no item named"),
        ("weights.h5", "weights without a model"),
    ):
        with pytest.raises(ModelFormatError, match=said):
            load_model(str(tmp_path / name))


def test_damaged_models_are_told_apart(tmp_path):
    models.small().save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        config = json.loads(archive.read("config.json"))
        version, weights = archive.read("metadata.json"), archive.read("model.weights.h5")
    config["config"]["layers"][2]["config"]["strides"] = "none"
    with zipfile.ZipFile(tmp_path / "bad.keras", "w") as archive:
        archive.writestr("metadata.json", version)
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights)
    with pytest.raises(ModelFormatError, match=r"cannot load the model .*bad.keras"):
        load_model(str(tmp_path / "bad.keras"))
