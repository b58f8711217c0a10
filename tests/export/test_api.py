"""The exporter as users call it: what it writes, and every way to call it wrongly."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras as keras3
import numpy as np
import pytest
import tf_keras

import export
from export.artifact.manifest import read_manifest
from export.artifact.names import check_name
from export.errors import (
    ExportError,
    ModelFormatError,
    OutputPathError,
    QuantizationError,
    TargetError,
    UnsupportedModelError,
)
from export.ir.layer_names import layer_name
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.networks import Layers

HOSTILE = {
    "code": '"); system("touch owned',
    "path": "../../x",
    "long": "x" * 300,
    "non-ASCII": "läyer 中\u202e\ud7ff",
    "comment": "*/ int owned; /*",
    "trigraph": "a??/\n??/\\??/",
    "trigraph end": "x" * 57 + "??/",
    "backslash": "a\\\nb\\",
    "format": "%n%s%d",
    "shell": "$(touch owned) `touch owned`; touch owned",
    "CMake": "${CMAKE_COMMAND} $<1:owned>",
    "JSON": '", "name": "owned',
    "lines": "a\n#error owned\r\n#include <owned>\x00\x1b[2J",
    "digraph": "%:error <% owned",
    "empty": "",
}


def named_model(name: str) -> bytes:
    """A network whose every tensor has a given name."""
    builder = ModelBuilder()
    x = builder.tensor((1, 4, 4, 2), 0.1, name=name)
    y = builder.conv(
        *(x, np.ones((3, 1, 1, 2), np.int8), np.zeros(3, np.int32)),
        weight_scales=[0.01],
        scale=0.1,
        zero_point=0,
    )
    y = builder.softmax(builder.mean(builder.add(y, y, 0.2, 3), 0.1, 0))
    for tensor in builder._tensors:
        tensor.name = name
    return builder.finish(x, y)


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_names_of_tensors_reach_neither_code_nor_paths(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    result = export.to_c(named_model(name), out)
    plain = export.to_c(named_model("t"), tmp_path / "plain")
    assert {path.name for path in out.iterdir()} == {path.name for path in plain.path.iterdir()}
    for path in out.iterdir():
        if path.suffix in (".c", ".h", ".txt"):
            text, usual = path.read_text("ascii"), (plain.path / path.name).read_text("ascii")
            text = re.sub(r"(?m)^(/\* Layer \d+: \w+).*$", r"\1 t", text)
            assert re.sub(r"(?m)^    \".*\",$", '    "t",', text) == usual
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert manifest == result.manifest
    assert {layer["name"] for layer in manifest["layers"]} == {layer_name(name)}
    assert read_manifest(out).layers[0].name == layer_name(name)
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wcomment", "-Wtrigraphs", "-Werror", "-fsyntax-only"]
    for compiler in ("gcc", "clang"):
        if shutil.which(compiler) is not None:
            subprocess.run([compiler, *flags, *sorted(out.glob("*.c"))], check=True, cwd=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "plain"]


@pytest.mark.parametrize("keras", [tf_keras, keras3], ids=["tf_keras", "keras3"])
@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_layer_names_are_refused(tmp_path: Path, keras: Any, name: str) -> None:
    layers = keras.layers
    try:
        model = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 3, name=name), layers.Flatten()])
    except ValueError:
        return  # Keras itself will have none of it
    with pytest.raises(UnsupportedModelError, match=r"cannot be used: expected .*rename the layer"):
        export.to_c(model, tmp_path / "out", representative_data=np.ones((2, 4, 4, 1), np.float32))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "Model",
            "1st",
            "a b",
            "a-b",
            "../x",
            "a/b",
            "ünit",
            "x" * 32,
            "a\n",
            "a\0",
            "_a",
            "%n",
            "$x",
            ";",
        ),
        *(
            "string",
            "stdint",
            "unistd",
            "pthread",
            "emmintrin",
            "stm32u5xx_hal",
            "core_cm33",
            "arm_math",
            "main",
        ),
        *("test", "all", "clean", "m", "aux"),
        *("int", "class", "typeof", "unix", "gpio", "board", "example", "app_main", "input"),
        *("ka", "ka_runtime", "k_net", "net_runtime", "net_run", "net_00", "net_00_conv2d"),
        *(None, 3, b"model", ["model"]),
    ],
)
def test_a_name_that_is_no_prefix_is_refused(tmp_path: Path, name: Any) -> None:
    with pytest.raises(ExportError, match=r"name must be a lower-case C identifier .* try name='model'"):
        export.to_c(named_model("t"), tmp_path / "out", name=name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["model", "net_2", "x" * 31, "kws", "strings_net", "lenet_int8"])
def test_other_names_are_accepted(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("target", ["", "cortex-m99", "STM32F405", "../host"])
def test_an_unknown_target_is_refused_with_the_known_ones(tmp_path: Path, target: str) -> None:
    for call in (
        lambda: export.to_c(named_model("t"), tmp_path / "out", target=target),
        lambda: export.estimate(named_model("t"), target=target),
    ):
        with pytest.raises(TargetError, match=r"unknown target .*cortex-m33.*known boards.*nucleo-u575zi-q"):
            call()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("activations", ["int4", "", None, 8])
def test_an_unknown_kind_of_activations_is_refused(tmp_path: Path, activations: Any) -> None:
    with pytest.raises(ExportError, match="activations must be one of auto, int16, int8"):
        export.to_c(named_model("t"), tmp_path / "out", activations=activations)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("out_dir", [None, 3, b"out", ["out"]])
def test_what_is_no_path_is_refused(out_dir: Any) -> None:
    with pytest.raises(OutputPathError, match="expected the path of a folder"):
        export.to_c(named_model("t"), out_dir)


def test_an_export_stands_for_its_folder(tmp_path: Path) -> None:
    exported = export.to_c(named_model("t"), tmp_path / "out")
    assert Path(exported) == exported.path
    found = export.evaluate(exported, np.zeros((2, 4, 4, 2), np.int8), [0, 0])
    assert found.count == 2


def test_a_bad_output_path_is_found_before_the_model_is_read(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputPathError, match="got a file"):
        export.to_c(b"no model", tmp_path / "out")


GOOD = named_model("t")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (b"", "expected a TFLite flatbuffer"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "expected a TFLite flatbuffer"),
        (np.random.default_rng(0).bytes(2000), "expected a TFLite flatbuffer"),
        (GOOD[: len(GOOD) // 2], "damaged or truncated|damaged"),
        (GOOD[:8] + np.random.default_rng(1).bytes(len(GOOD) - 8), "damaged"),
        (bytearray(GOOD[:100]), "damaged"),
        ("no such file.tflite", "cannot read the TFLite model .*No such file.*pass a path"),
        ("model.keras", "'model.keras' is a Keras model: load it"),
        (".", "cannot read the TFLite model .*Is a directory"),
        ("nul\0byte", "cannot read the TFLite model .*null byte"),
        ("x" * 300, "cannot read the TFLite model .*File name too long"),
        (Path("/nowhere/model.tflite"), "cannot read the TFLite model"),
    ],
    ids=[
        *("empty", "png", "random", "half", "random behind its head", "bytearray"),
        *("missing", "Keras file", "folder", "NUL", "long name", "path object"),
    ],
)
def test_what_is_no_tflite_model_is_refused(tmp_path: Path, model: Any, message: str) -> None:
    with pytest.raises(ModelFormatError, match=message):
        export.to_c(model, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_an_operator_without_kernel_is_named(tmp_path: Path) -> None:
    builder = ModelBuilder()
    x = builder.tensor((1, 4), 0.1)
    model = builder.finish(x, builder.elementwise("FLOOR", x, 1 / 128, 0))
    with pytest.raises(
        UnsupportedModelError, match=r"operator 0 \(FLOOR\) is not supported; expected one of ADD"
    ):
        export.to_c(model, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def small(**options: Any) -> Any:
    return tf_keras.Sequential([tf_keras.layers.Dense(3, input_shape=(4,), **options)])


class Subclassed(tf_keras.Model):
    def call(self, inputs: Any) -> Any:
        return inputs


DATA = np.ones((4, 4), np.float32)


@pytest.mark.parametrize(
    ("make", "data", "error", "message"),
    [
        (
            lambda: tf_keras.Sequential([tf_keras.layers.GRU(3, input_shape=(4, 2))]),
            DATA,
            UnsupportedModelError,
            "GRU",
        ),
        (lambda: small(activation="softsign"), DATA, UnsupportedModelError, "softsign"),
        (Subclassed, DATA, UnsupportedModelError, "(?i)subclassed"),
        (
            lambda: tf_keras.Sequential([tf_keras.layers.Conv2D(2, 3, input_shape=(None, None, 1))]),
            DATA,
            UnsupportedModelError,
            "shape",
        ),
        (
            lambda: tf_keras.Sequential([tf_keras.layers.Dense(2)]),
            DATA,
            UnsupportedModelError,
            "(?i)shape|built",
        ),
        (lambda: 7, DATA, UnsupportedModelError, "int"),
        (lambda: None, DATA, UnsupportedModelError, "NoneType"),
        (small, None, QuantizationError, "needs representative_data"),
        (small, DATA[:, :3], QuantizationError, "shape"),
        (small, DATA[:0], QuantizationError, "empty"),
        (small, [], QuantizationError, "empty"),
        (small, DATA * np.nan, QuantizationError, "NaN"),
        (small, "data.npz", QuantizationError, "representative|data"),
        (lambda: GOOD, DATA, QuantizationError, "leave it out"),
    ],
    ids=[
        *("layer", "activation", "subclassed", "dynamic", "unbuilt", "number", "none"),
        *("no data", "shape of data", "no rows", "no batches", "NaN", "data is text", "data with tflite"),
    ],
)
def test_models_and_data_that_cannot_be_used(
    tmp_path: Path, make: Callable[[], Any], data: Any, error: type[ExportError], message: str
) -> None:
    with pytest.raises(error, match=message):
        export.to_c(make(), tmp_path / "out", representative_data=data)
    with pytest.raises(error, match=message):
        export.estimate(make(), representative_data=data)
    assert not list(tmp_path.iterdir())


def test_a_failed_export_leaves_the_earlier_one(tmp_path: Path) -> None:
    export.to_c(GOOD, tmp_path / "out", name="first")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(ModelFormatError):
        export.to_c(GOOD[:-200], tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    export.to_c(GOOD, tmp_path / "out", name="second")
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith("first")]
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_what_is_written_is_what_is_returned(tmp_path: Path) -> None:
    source = tmp_path / "given.tflite"
    source.write_bytes(GOOD)
    result = export.to_c(source, tmp_path / "out", target="stm32f405", name="net")
    written = sorted(path.name for path in result.path.iterdir())
    manifest = json.loads((result.path / "manifest.json").read_text())
    assert written == manifest["files"] == sorted(result.manifest["files"])
    assert (result.path / "net.tflite").read_bytes() == GOOD
    assert manifest["target"] == {"core": "cortex-m4", "board": "stm32f405"}
    assert [source for source in manifest["sources"] if source not in written] == []
    assert result.estimate == export.estimate(GOOD, target="stm32f405")
    assert manifest["sources"][1:] == [layer["source"] for layer in manifest["layers"]]


def test_files_of_layers_sort_in_layer_order(tmp_path: Path) -> None:
    network = Layers(np.random.default_rng(0))
    x = y = network.input((3, 3, 2))
    for _ in range(104):
        y = network.conv(y, 2, (1, 1))
    result = export.to_c(network.builder.finish(x, y), tmp_path / "out")
    sources = [layer["source"] for layer in result.manifest["layers"]]
    assert len(sources) > 100
    assert sources == sorted(sources)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model = tf_keras.Sequential(
        [
            tf_keras.layers.Conv2D(4, 3, activation="relu", input_shape=(6, 6, 2)),
            tf_keras.layers.Flatten(),
            tf_keras.layers.Dense(3, activation="softmax"),
        ]
    )
    data = np.random.default_rng(0).normal(size=(8, 6, 6, 2)).astype(np.float32)
    folders = [
        export.to_c(model, tmp_path / place, representative_data=data).path for place in ("one", "two")
    ]
    contents = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert contents[0] == contents[1]


def test_a_board_of_ones_own_goes_with_the_export(tmp_path: Path) -> None:
    board = tmp_path / "mine.toml"
    board.write_text('name = "mine"\nlike = "stm32f405"\nsource = "schematic"\n[flash]\nwaits = 7\n')
    network = Layers(np.random.default_rng(0))
    x = network.input((4, 4, 2))
    out_dir = export.to_c(network.builder.finish(x, network.conv(x, 4)), tmp_path / "out", target=board).path
    assert (out_dir / "board.toml").read_text() == board.read_text()
    board.unlink()
    result = export.simulate(out_dir, np.zeros((1, 4, 4, 2), np.int8))
    assert (result.board, result.core) == ("mine", "cortex-m4")
    assert result.board_cycles is not None
