"""Exports as C projects: every compiler takes them without a warning, and they need nothing but themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from export.analysis.interpreter import run
from export.api import Export, to_c
from export.artifact.compiling import build_host
from export.frontend import read_tflite
from tests.export.models.networks import Layers, random_inputs, random_network

SHAPE = (9, 8, 3)
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wmissing-prototypes"]
ARM = ["-mthumb", "-mfloat-abi=soft"]
CLANG_ARM = ["clang", "--target=arm-none-eabi", "-isystem", "/usr/lib/arm-none-eabi/include", *ARM]
COMPILERS = {
    "gcc": ["gcc"],
    "clang": ["clang"],
    "gcc, Cortex-M33": ["arm-none-eabi-gcc", "-mcpu=cortex-m33", *ARM],
    "gcc, Cortex-M4": ["arm-none-eabi-gcc", "-mcpu=cortex-m4", *ARM],
    "gcc, Cortex-M0+": ["arm-none-eabi-gcc", "-mcpu=cortex-m0plus", *ARM],
    "gcc, portable": ["arm-none-eabi-gcc", "-mcpu=cortex-m33", "-DK_PORTABLE", *ARM],
    "clang, Cortex-M33": [*CLANG_ARM, "-mcpu=cortex-m33"],
}
COPIES = {"memcpy", "memset", "memmove"}


def every_kind_of_layer(seed: int) -> bytes:
    """A network in which every emitter and every kind of kernel has work."""
    network = Layers(np.random.default_rng(seed), zeros=0.5)
    x = network.input(SHAPE)
    y = network.pool(network.conv(x, 6, activation="relu"))
    y = network.pool(network.builder.pad(y, ((1, 0), (0, 1))), kernel=(2, 2), stride=(1, 1))
    z = network.conv(y, 5, (2, 2))
    z = network.add(network.depthwise(z), network.depthwise(z, activation="relu6"))
    row = network.builder.reshape(y, (1, 1, y.shape[1] * y.shape[2], y.shape[3]))
    y = network.builder.reshape(network.elementwise(row, "QUANTIZE"), y.shape)
    y = network.resized(y, (y.shape[1] + 1, y.shape[2]))
    y = network.pool(y, kernel=(2, 1), stride=(1, 1))
    z = network.depthwise(network.builder.concatenation([z, network.like(z, y)]), 2, (2, 2))
    y = network.pool(network.pool(z, "average", (2, 3), stride=(1, 2), padding="SAME"), kernel=(2, 1))
    y = network.mean(network.elementwise(y, "LOGISTIC"))
    return network.builder.finish(x, network.builder.softmax(network.dense(y, 7)))


@pytest.fixture(scope="module")
def model() -> bytes:
    return every_kind_of_layer(1)


@pytest.fixture(scope="module")
def exported(model: bytes, tmp_path_factory: pytest.TempPathFactory) -> Export:
    return to_c(model, tmp_path_factory.mktemp("project") / "out", name="net")


def expected(model: bytes, inputs: NDArray[np.int8]) -> NDArray[np.int8]:
    return run(read_tflite(model), inputs)


def compile_all(export: Export, command: list[str], folder: Path) -> list[Path]:
    """Compiles every source; whatever the compiler has to say fails."""
    objects = []
    for source in export.manifest["sources"]:
        target = folder / f"{source}.o"
        result = subprocess.run(
            [*command, "-std=c11", "-c", str(export.path / source), "-o", str(target)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        assert not result.stderr
        objects.append(target)
    return objects


def test_every_kind_of_stage_is_there(exported: Export) -> None:
    kinds = {layer["kind"] for layer in exported.manifest["layers"]}
    assert kinds >= {"copy", "conv2d", "depthwise_conv2d", "fully_connected", "add", "concatenation", "pad"}
    assert kinds >= {"max_pool2d", "average_pool2d", "mean", "lookup", "softmax"}
    kernels = {layer["kernel"] for layer in exported.manifest["layers"]}
    assert kernels >= {"unpacked", "direct", "plain"}


@pytest.mark.parametrize("optimization", ["-O0", "-O2"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_no_compiler_warns(exported: Export, tmp_path: Path, compiler: str, optimization: str) -> None:
    command = [*COMPILERS[compiler], *WARNINGS, optimization]
    if compiler.startswith(
        "clang, "
    ):  # it counts an assembly function as a string, and C99 asks for 4095 bytes
        command.append("-Wno-overlength-strings")
    compile_all(exported, command, tmp_path)


@pytest.mark.parametrize("compiler", ["gcc", "clang", "gcc, Cortex-M33", "gcc, Cortex-M0+"])
def test_nothing_is_linked_but_copies_and_the_compiler_runtime(
    exported: Export, tmp_path: Path, compiler: str
) -> None:
    objects = compile_all(exported, [*COMPILERS[compiler], "-O2"], tmp_path)
    tools = "arm-none-eabi-" if "Cortex" in compiler else ""
    whole = tmp_path / "whole.o"
    subprocess.run([f"{tools}ld", "-r", *map(str, objects), "-o", str(whole)], check=True)
    listed = subprocess.run([f"{tools}nm", str(whole)], capture_output=True, text=True, check=True).stdout
    symbols = [line.split()[-2:] for line in listed.splitlines()]
    undefined = {name for kind, name in symbols if kind in "Uw"}
    allowed = COPIES | {"_GLOBAL_OFFSET_TABLE_"}
    assert not {name for name in undefined - allowed if not name.startswith("__aeabi_")}
    public = {name for kind, name in symbols if kind.isupper() and kind != "U"}
    assert "net_run" in public
    assert not {name for name in public if not name.startswith("net_")}
    assert [
        name for kind, name in symbols if kind in "dDC"
    ] == []  # no data but the arena, which starts as zeros
    assert [name for kind, name in symbols if kind in "bB"] == ["arena"]


def test_sanitizers_find_nothing_and_every_run_gives_the_same(model: bytes, exported: Export) -> None:
    inputs = random_inputs(SHAPE, 20)
    again = np.concatenate([inputs, inputs[::-1], inputs[:1], inputs[:1]])
    outputs = build_host(exported.path, sanitize=True).run(again)
    np.testing.assert_array_equal(outputs, expected(model, again))


_PROJECT = """\
cmake_minimum_required(VERSION 3.13)
project(two C)
add_subdirectory(one)
add_subdirectory(other)
add_executable(two main.c)
target_link_libraries(two one other)
"""
_MAIN = """\
#include <stdio.h>
#include "one.h"
#include "other.h"
int main(void)
{
    int8_t one_in[ONE_INPUT_SIZE], one_out[ONE_OUTPUT_SIZE], other_in[OTHER_INPUT_SIZE], other_out[OTHER_OUTPUT_SIZE];
    while (fread(one_in, 1, sizeof one_in, stdin) == sizeof one_in &&
           fread(other_in, 1, sizeof other_in, stdin) == sizeof other_in) {
        if (one_run(one_in, one_out) != 0 || other_run(other_in, other_out) != 0)
            return 1;
        fwrite(one_out, 1, sizeof one_out, stdout);
        fwrite(other_out, 1, sizeof other_out, stdout);
    }
    return 0;
}
"""


def test_two_networks_are_added_to_one_program(tmp_path: Path) -> None:
    models = {"one": every_kind_of_layer(2), "other": random_network(3)}
    batches = {}
    for name, model in models.items():
        to_c(model, tmp_path / name, name=name)
        graph = read_tflite(model)
        batches[name] = random_inputs(graph.tensors[graph.input].shape[1:], 5)
    (tmp_path / "CMakeLists.txt").write_text(_PROJECT)
    (tmp_path / "main.c").write_text(_MAIN)
    build = tmp_path / "build"
    for command in (["-S", str(tmp_path), "-B", str(build), "-G", "Ninja"], ["--build", str(build)]):
        result = subprocess.run(["cmake", *command], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
    given = b"".join(
        batches[name][i].tobytes()
        for i in range(5)
        for name in models  # by turns, as the program reads them
    )
    printed = subprocess.run([build / "two"], input=given, capture_output=True, check=True).stdout
    wanted = {name: expected(model, batches[name]) for name, model in models.items()}
    assert printed == b"".join(wanted[name][i].tobytes() for i in range(5) for name in models)


def test_another_process_writes_the_same_bytes(model: bytes, exported: Export, tmp_path: Path) -> None:
    (tmp_path / "given.tflite").write_bytes(model)
    script = "import export; export.to_c('given.tflite', 'out', name='net')"
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, env=environment)
    contents = [
        {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (exported.path, tmp_path / "out")
    ]
    assert contents[0] == contents[1]


def test_layer_files_say_what_was_done(exported: Export) -> None:
    layer = next(layer for layer in exported.estimate.layers if layer.kind == "conv2d")
    text = (exported.path / exported.manifest["layers"][layer.index]["source"]).read_text()
    assert text.startswith(f"/* Layer {layer.index}: conv2d {layer.name}\n")
    assert f"{layer.kept_macs} of {layer.macs} products kept" in text
    assert f"predicted: {layer.cycles} cycles on cortex-m33, {layer.flash_bytes} bytes of flash" in text


def test_the_header_gives_sizes_and_quantization(model: bytes, exported: Export) -> None:
    graph = read_tflite(model)
    text = (exported.path / "net.h").read_text()
    for side, tensor in (("INPUT", graph.tensors[graph.input]), ("OUTPUT", graph.tensors[graph.output])):
        assert f"#define NET_{side}_SIZE {tensor.size}\n" in text
        assert f"#define NET_{side}_SCALE {tensor.quant.scale!r}f\n" in text
        assert f"#define NET_{side}_ZERO_POINT ({tensor.quant.zero_point})\n" in text
    assert f"#define NET_ARENA_SIZE {exported.manifest['arena_bytes']}\n" in text
