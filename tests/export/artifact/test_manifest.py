"""What a manifest may say: anything that reaches a path, a symbol or a compiler must match its pattern."""

import json
from typing import Any

import pytest

from export.artifact.manifest import read_manifest
from export.errors import ModelFormatError
from tests.export import handmade

_SOURCES: Any = handmade.manifest()["sources"]
_LAYERS: Any = handmade.manifest()["layers"]


def test_reads_what_was_written(tmp_path):
    manifest = read_manifest(handmade.write(tmp_path / "out"))
    assert manifest.sources == ("model.c", "model_00_dense.c", "model_01_clip.c")
    assert (manifest.inputs[0].size, manifest.outputs[0].shape) == (8, (4,))
    assert [layer.name for layer in manifest.layers] == ['a"); system("', "../../x"]
    assert [manifest.layer_of(symbol) for symbol in ("model_01_x", "model_run", "model_07_x")] == [
        1,
        None,
        None,
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 1},
        {"name": 'x"; system("'},
        {"name": "a" * 64},
        {"name": 3},
        {"sources": ["../model.c"]},
        {"sources": ["/etc/passwd"]},
        {"sources": ["missing.c"]},
        {"headers": ["model.c"]},
        {"compiler_flags": ["-fplugin=/tmp/x.so"]},
        {"compiler_flags": ["-O2 -o x"]},
        {"compiler_flags": ["-Wl,-T,x"]},
        {"compiler_flags": ["@file"]},
        {"compiler_flags": ["-o"]},
        {"compiler_flags": ["-fdump-tree-all=7"]},
        {"compiler_flags": ["-fdump-ada-spec"]},
        {"compiler_flags": ["-fprofile-generate=5"]},
        {"compiler_flags": ["-flto=99999999"]},
        {"sources": []},
        {"inputs": []},
        {"outputs": [{"name": "output", "shape": [1 << 39], "dtype": "int8", "scale": 1.0, "zero_point": 0}]},
        {"outputs": [{"name": "o", "shape": [1 << 14] * 4, "dtype": "int8", "scale": 1.0, "zero_point": 0}]},
        {"inputs": [{"name": "input", "shape": [8], "dtype": "int8", "scale": 1.0, "zero_point": 1e300}]},
        {"inputs": [{"name": "input", "shape": [8], "dtype": "int8", "scale": 0, "zero_point": 0}]},
        {"unknown": 1},
        {"target": {"core": "../x", "board": None}},
        {"target": {"core": "cortex-m33"}},
        {"inputs": [{"name": "input", "shape": [-1], "dtype": "int8", "scale": 1, "zero_point": 0}]},
        {"inputs": [{"name": "input", "shape": [8], "dtype": "float32", "scale": 1, "zero_point": 0}]},
        {"layers": [{}]},
        {"layers": None},
        {"arena_bytes": "48"},
        {"buffers": None},
        {"buffers": [{"name": "x", "offset": -1, "bytes": 1, "first_layer": 0, "last_layer": 0}]},
        {"buffers": [{"name": "x", "offset": 40, "bytes": 9, "first_layer": 0, "last_layer": 0}]},
        {"buffers": [{"name": "x", "offset": 0, "bytes": 9, "first_layer": 1, "last_layer": 0}]},
        {"buffers": [{"name": "x", "offset": 0, "bytes": 9, "first_layer": 0, "last_layer": 2}]},
        {"sources": [*_SOURCES, "model.c"]},
        {"headers": ["model.h", "model.h"]},
        {"layers": _LAYERS[:0:-1]},
        {"layers": [_LAYERS[0], _LAYERS[0]]},
        {"layers": [_LAYERS[0], {**_LAYERS[1], "source": "model_07_other.c"}]},
        {"layers": [{**_LAYERS[0], "kept_macs": 33}, _LAYERS[1]]},
        {"layers": [{**_LAYERS[0], "predicted_board_cycles": [5, 4]}, _LAYERS[1]]},
    ],
    ids=str,
)
def test_hostile_or_damaged_manifests_are_refused(tmp_path, changes):
    with pytest.raises(ModelFormatError, match="export the model again"):
        read_manifest(handmade.write(tmp_path / "out", **changes))


def _reversed_layers(content):
    content["layers"].reverse()


def _lasting_buffer(content):
    content["buffers"][0]["last_layer"] = 2


@pytest.mark.parametrize("change", [_reversed_layers, _lasting_buffer])
def test_layers_are_numbered_in_order(tmp_path, change):
    folder = handmade.write(tmp_path / "out")
    content = json.loads((folder / "manifest.json").read_text())
    change(content)
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ModelFormatError, match="layers"):
        read_manifest(folder)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "\udcff", "[" * 100_000, '{"format": 1e400}'], ids=lambda t: t[:5]
)
def test_files_that_are_no_manifest_are_refused(tmp_path, text):
    folder = handmade.write(tmp_path / "out")
    (folder / "manifest.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ModelFormatError, match="export the model again"):
        read_manifest(folder)


def test_folders_without_a_manifest_and_links_are_refused(tmp_path):
    with pytest.raises(ModelFormatError, match=r"holds no manifest\.json: expected what keras-approx export"):
        read_manifest(tmp_path)
    with pytest.raises(ModelFormatError, match=r"no folder '.*none': expected what"):
        read_manifest(tmp_path / "none")
    folder = handmade.write(tmp_path / "out")
    (folder / "model.c").unlink()
    (folder / "model.c").symlink_to("/etc/hostname")
    with pytest.raises(ModelFormatError, match="is no file there"):
        read_manifest(folder)
