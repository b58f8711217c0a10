"""Files of models that would run code, or take more memory than they have bytes: refused before Keras reads them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import keras as keras_3
import numpy as np
import pytest

import keras_approx
from export.commands.inputs.model_files import copy_checked
from export.commands.inputs.models import load_model
from export.errors import ModelFormatError
from keras_approx.compat import keras
from tests.keras_approx import models

SYSTEM = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
Layers = list[dict[str, Any]]


def _append(layer: Any, layers: list[Any]) -> None:
    layers.append(layer)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A harmless model as each Keras saves it, by version and ending."""
    folder = tmp_path_factory.mktemp("saved")
    found = {}
    for version, library in (("2", keras), ("3", keras_3)):
        model = models.small(library)
        model.compile("adam", "sparse_categorical_crossentropy")
        for ending in (".keras", ".h5"):
            path = folder / f"m{version}{ending}"
            model.save(path)
            found[version + ending] = path.read_bytes()
    wrapped = keras_approx.wrap(models.small())
    wrapped.save(folder / "w.keras")
    return found | {"wrapped": (folder / "w.keras").read_bytes()}


def repacked(content: bytes, **changes: Callable[[bytes], bytes]) -> bytes:
    """A .keras file with some of its parts changed: config, metadata or weights."""
    names = {"config.json": "config", "metadata.json": "metadata", "model.weights.h5": "weights"}
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(name, changes.get(names.get(name, ""), bytes)(old.read(name)))
    return made.getvalue()


def configured(content: bytes, change: Callable[[Layers], object]) -> bytes:
    """A .keras file whose list of layers was changed."""

    def changed(text: bytes) -> bytes:
        config = json.loads(text)
        change(config["config"]["layers"])
        return json.dumps(config).encode()

    return repacked(content, config=changed)


def configured_h5(path: Path, content: bytes, change: Callable[[Layers], object]) -> None:
    path.write_bytes(content)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config["config"]["layers"])
        file.attrs["model_config"] = json.dumps(config)


def hostile_layer(kind: str, marker: Path, **config: Any) -> dict[str, Any]:
    """A layer of Keras 2 that would be called on a constant: a command that makes the marker."""
    call = [["_CONSTANT_VALUE", -1, f"touch {marker}", {}]]
    config = {"name": "x", "trainable": True, "dtype": "float32", **config}
    named = {"module": "keras.layers", "class_name": kind, "registered_name": None, "name": "x"}
    return {**named, "config": config, "inbound_nodes": [call]}


def refused(path: Path, said: str, marker: Path) -> None:
    with pytest.raises(ModelFormatError, match=said):
        load_model(str(path))
    assert not marker.exists()


@pytest.mark.parametrize("name", ["2.keras", "2.h5", "3.keras", "3.h5", "wrapped"])
def test_what_is_on_the_list_loads(saved: dict[str, bytes], tmp_path: Path, name: str) -> None:
    path = tmp_path / ("m.h5" if name.endswith(".h5") else "m.keras")
    path.write_bytes(saved[name])
    assert load_model(str(path)).count_params() > 0


def test_functions_of_other_modules(saved: dict[str, bytes], tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "m.keras"
    for kind, config, said in (
        ("Lambda", {"function": SYSTEM}, "Lambda layer, which is Python code"),
        ("Activation", {"activation": SYSTEM}, "holds 'function'"),
    ):
        layer = hostile_layer(kind, marker, **config)
        path.write_bytes(configured(saved["2.keras"], partial(_append, layer)))
        refused(path, said, marker)


def test_a_tensorflow_operation_that_writes_files(saved: dict[str, bytes], tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "m.h5"
    layer = hostile_layer("TFOpLambda", marker, function="io.write_file")
    configured_h5(path, saved["2.h5"], lambda layers: layers.append(layer))
    refused(path, "holds 'TFOpLambda'", marker)


@pytest.mark.parametrize("ending", [".h5", ".keras"])
def test_an_h5_file_with_a_zip_at_its_end_is_read_as_h5(
    saved: dict[str, bytes], tmp_path: Path, ending: str
) -> None:
    marker, path = tmp_path / "ran", tmp_path / "m.h5"
    configured_h5(path, saved["2.h5"], lambda layers: layers.append(hostile_layer("Lambda", marker)))
    both = tmp_path / f"both{ending}"
    both.write_bytes(path.read_bytes() + saved["3.keras"])
    refused(both, "Lambda", marker)


def test_lambdas_of_keras_3(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    model = keras_3.Sequential(
        [keras_3.Input((4,)), keras_3.layers.Lambda(lambda x: x), keras_3.layers.Dense(2)]
    )
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        refused(tmp_path / name, "Lambda", marker)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"module": "os"}, "from the module 'os', which is not Keras"),
        ({"module": "keras.utils"}, "from the module 'keras.utils'"),
        ({"registered_name": "theirs>Dense"}, "code of somebody's own"),
        ({"class_name": ["Dense"]}, "holds"),
    ],
)
def test_layers_of_other_modules(
    saved: dict[str, bytes], tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    for version in ("2", "3"):
        path = tmp_path / "m.keras"
        path.write_bytes(configured(saved[f"{version}.keras"], lambda layers: layers[-1].update(change)))
        refused(path, said, tmp_path / "ran")


def test_saved_model_folders_need_trust(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "keras_metadata.pb").touch()
    refused(tmp_path / "saved", "cannot be checked: .* give --trust", tmp_path / "ran")


@pytest.mark.parametrize("version", ["2", "3"])
def test_weights_are_not_allocated_unless_the_file_stores_them(
    saved: dict[str, bytes], tmp_path: Path, version: str
) -> None:
    path = tmp_path / "m.keras"

    def grow(layers: Layers) -> None:
        next(layer for layer in layers if layer["class_name"] == "Dense")["config"]["units"] = 10**9

    path.write_bytes(configured(saved[f"{version}.keras"], grow))
    refused(path, r"describes a model of [\d,]+ weights, but stores", tmp_path / "ran")


def test_weights_stored_elsewhere(saved: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    for make, said in (
        (lambda file: file.__setitem__("x", h5py.ExternalLink("/etc/hosts", "/")), "from other files"),
        (lambda file: file.create_dataset("x", (10**12,), "f4", chunks=(1024,)), "packed or not at all"),
        (lambda file: file.create_dataset("x", data=np.zeros(10**6), compression="gzip"), "packed"),
    ):
        path.write_bytes(saved["2.h5"])
        with h5py.File(path, "r+") as file:
            make(file)
        refused(path, said, tmp_path / "ran")


def test_parts_of_several_names_count_once(saved: dict[str, bytes], tmp_path: Path) -> None:
    """Links within a file can lead in circles, and can make a few numbers look like many."""
    path = tmp_path / "m.h5"
    path.write_bytes(saved["2.h5"])
    stored = copy_checked(path, _folder(tmp_path, "before")).elements
    with h5py.File(path, "r+") as file:
        weights = file["model_weights"]
        weights["again"] = weights
        file["x"] = np.zeros(10, np.float32)
        file["y"] = file["x"]
    assert copy_checked(path, _folder(tmp_path, "after")).elements == stored + 10


def _folder(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name


def test_damaged_files(saved: dict[str, bytes], tmp_path: Path) -> None:
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    path = tmp_path / "m.keras"
    for content, said in (
        (saved["2.keras"][:-100], "cannot read the model"),
        (saved["2.h5"][:3000], "cannot read the model"),
        (repacked(saved["2.keras"], config=lambda _: b"\xff\xfe"), "cannot read the model"),
        (repacked(saved["2.keras"], config=lambda _: deep), "nested too deeply"),
        (repacked(saved["2.keras"], config=lambda _: b"[]"), "describes no model"),
        (repacked(saved["2.keras"], metadata=lambda _: b'{"keras_version": 2}'), "metadata.json"),
        (repacked(saved["2.keras"], metadata=lambda _: b'{"keras_version": "1.0"}'), "expected Keras 2 or 3"),
        (repacked(saved["2.keras"], weights=lambda _: b"no weights"), "cannot read the model"),
    ):
        path.write_bytes(content)
        refused(path, said, tmp_path / "ran")
