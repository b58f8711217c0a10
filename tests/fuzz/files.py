"""Hostile manifests, fronts, stores, arrays and model files: read whole, or refused in a sentence."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from export.artifact.folder import check_replaceable
from export.artifact.manifest import read_manifest
from export.commands.inputs.arrays import read_npy, read_npz
from export.commands.inputs.models import load_model
from export.commands.program.console import load_tensorflow
from export.errors import InputError, ModelFormatError, OutputPathError
from keras_approx.errors import OptionError, StoreError
from keras_approx.exploration.front.file import load_front, save_front
from keras_approx.exploration.front.tables import write_front_csv
from keras_approx.exploration.store import Store
from tests.export import handmade
from tests.export.reporting.fronts import front
from tests.fuzz.mutation import damaged_bytes, damaged_json

_PROBLEM = {"model": "0123", "seed": 0}


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def manifests(rng: np.random.Generator) -> str:
    """A manifest is refused, or everything in it can be used."""
    with _folder() as folder:
        out = handmade.write(folder / "out")
        path = out / "manifest.json"
        path.write_bytes(damaged_json(rng, json.loads(path.read_text())))
        with suppress(OutputPathError):
            check_replaceable(out)
        try:
            manifest = read_manifest(out)
        except ModelFormatError as error:
            assert "\n" not in str(error)
            return "refused"
        packed = manifest.pack([np.zeros((2, *info.shape), np.int8) for info in manifest.inputs])
        assert len(packed) == 2
        assert manifest.layer_of(f"{manifest.name}_00_x") in (0, None)
    return "read"


@cache
def _front_text() -> str:
    with _folder() as folder:
        save_front(front(), folder / "f.json")
        return (folder / "f.json").read_text()


def fronts(rng: np.random.Generator) -> str:
    """A front is refused, or designs can be chosen from it and written as a table."""
    with _folder() as folder:
        path = folder / "front.json"
        path.write_bytes(damaged_json(rng, json.loads(_front_text())))
        try:
            found = load_front(path)
        except StoreError:
            return "refused"
        write_front_csv(found, folder / "front.csv")
        save_front(found, folder / "again.json")
        try:
            found.best(max_drop=0.01)
        except OptionError:
            return "nothing to choose"
    return "read"


def stores(rng: np.random.Generator) -> str:
    """A store is refused and stays as it is, or goes on from its whole lines."""
    with _folder() as folder:
        path = folder / "evaluations.jsonl"
        with Store(path, _PROBLEM) as store:
            for record in front().evaluated:
                store.add(record)
        lines = path.read_bytes().splitlines()
        at = int(rng.integers(len(lines)))
        lines[at] = damaged_json(rng, json.loads(lines[at]))
        damaged = b"\n".join(lines) + (b"\n" if rng.random() < 0.5 else b"")
        if rng.random() < 0.3:
            damaged = damaged_bytes(rng, damaged, 2)
        path.write_bytes(damaged)
        try:
            with Store(path, _PROBLEM) as store:
                kept = len(store.records)
        except StoreError:
            assert path.read_bytes() == damaged
            return "refused"
        with Store(path, _PROBLEM) as store:
            assert len(store.records) == kept
    return "read"


def arrays(rng: np.random.Generator) -> str:
    """Arrays are refused, or are those of the file."""
    values = rng.normal(size=tuple(rng.integers(1, 6, int(rng.integers(1, 4)))))
    made = io.BytesIO()
    packed = rng.random() < 0.6
    if packed:
        save = np.savez if rng.random() < 0.5 else np.savez_compressed
        save(made, inputs=values, labels=np.arange(3))
    else:
        np.save(made, values)
    with _folder() as folder:
        path = folder / "x"
        path.write_bytes(damaged_bytes(rng, made.getvalue(), 3))
        try:
            found = read_npz(str(path), ["inputs"], ["labels"])["inputs"] if packed else read_npy(str(path))
        except InputError:
            return "refused"
        assert not found.dtype.hasobject
    return "read"


_SAVE = """
import sys
import keras
from keras_approx.compat import keras as keras_2
from tests.keras_approx import models
for version, library in (("2", keras_2), ("3", keras)):
    for ending in (".keras", ".h5"):
        models.small(library).save(f"{sys.argv[1]}/{version}{ending}")
"""


@cache
def _saved() -> dict[str, bytes]:
    """Models as both versions of Keras save them, by version and ending.

    Another process makes them, since TensorFlow may not run in this one before its children are forked.
    """
    with _folder() as folder:
        subprocess.run([sys.executable, "-c", _SAVE, str(folder)], check=True, capture_output=True)
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def prepare_archives() -> None:
    """Loads what all children need, without running any of it."""
    _saved()
    load_tensorflow()


def archives(rng: np.random.Generator) -> str:
    """A model file is refused, or is a model; nothing that it names runs."""
    with _folder() as folder:
        marker = folder / "ran"
        name = str(rng.choice(sorted(_saved())))
        path = folder / ("m.keras" if name.endswith(".keras") else "m.h5")
        _damage(rng, path, _saved()[name], marker)
        try:
            model = load_model(str(path))
        except ModelFormatError:
            ending = "refused"
        else:
            ending = "loaded" if model.count_params() >= 0 else ""
        assert not marker.exists(), "code of the file ran"
    return ending


def _damage(rng: np.random.Generator, path: Path, content: bytes, marker: Path) -> None:
    if rng.random() < 0.3:
        path.write_bytes(damaged_bytes(rng, content))
        return

    def changed(config: Any) -> bytes:
        if rng.random() < 0.5:
            _add_hostile(rng, config, marker)
            return json.dumps(config).encode()
        return damaged_json(rng, config)

    if path.suffix == ".h5":
        path.write_bytes(content)
        with h5py.File(path, "r+") as file:
            text = changed(json.loads(file.attrs["model_config"]))
            file.attrs["model_config"] = np.void(text[:60_000] or b" ")  # more than 64 KiB is no attribute
        return
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, changed(json.loads(text)) if name == "config.json" else text)


def _add_hostile(rng: np.random.Generator, config: Any, marker: Path) -> None:
    """Something that would make the marker, somewhere in the configuration."""
    system = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
    layers = config["config"]["layers"]
    call = [["_CONSTANT_VALUE", -1, f"touch {marker}", {}]]
    kind = str(rng.choice(["Lambda", "Activation", "TFOpLambda", "Dense", "Conv2D"]))
    keys = ("function", "activation", "kernel_initializer", "kernel_constraint", "dtype")
    made = {
        "module": str(rng.choice(["keras.layers", "os", "subprocess", "builtins", "keras"])),
        "class_name": kind,
        "registered_name": None,
        "name": "x",
        "config": {
            "name": "x",
            "units": 3,
            "filters": 3,
            "kernel_size": [1, 1],
            str(rng.choice(keys)): system,
        },
        "inbound_nodes": call,
    }
    if rng.random() < 0.5:
        layers.insert(int(rng.integers(len(layers) + 1)), made)
    else:
        layers[int(rng.integers(len(layers)))]["config"][str(rng.choice(keys))] = system
