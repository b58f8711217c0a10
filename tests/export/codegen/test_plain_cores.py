"""Cores without the DSP extension: layers are C loops, exact, without calls of arithmetic, and fast."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from export.analysis.interpreter import run
from export.api import to_c
from export.artifact.compiling import build_host
from export.codegen.runtime import runtime_header
from export.frontend import read_tflite
from export.simulation.run import simulate
from tests.export.codegen.test_planned import convolutions, dense_layers
from tests.export.codegen.test_project import COMPILERS, WARNINGS, compile_all
from tests.export.models.networks import Layers, random_inputs

CORE = "cortex-m0plus"


def check(model: bytes, folder: Path) -> None:
    graph = read_tflite(model)
    inputs = random_inputs(graph.tensors[graph.input].shape[1:], 4)
    export = to_c(model, Path(tempfile.mkdtemp(dir=folder)) / "out", target=CORE)
    assert {layer["kernel"] for layer in export.manifest["layers"]} <= {"plain"}
    outputs = build_host(export.path, sanitize=True).run(inputs)
    np.testing.assert_array_equal(outputs, run(graph, inputs))


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(convolutions(), dense_layers()))
def test_loops_give_the_bytes_of_the_interpreter(tmp_path: Path, model: bytes) -> None:
    check(model, tmp_path)


@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize("kernel", [(3, 3), (4, 3), (1, 2)])
def test_depthwise_loops(tmp_path: Path, kernel: tuple[int, int], multiplier: int) -> None:
    network = Layers(np.random.default_rng(0))
    x = network.input((7, 6, 3))
    check(network.builder.finish(x, network.depthwise(x, multiplier, kernel, stride=(2, 1))), tmp_path)


def keyword_network() -> bytes:
    """One layer of each kind."""
    network = Layers(np.random.default_rng(0))
    x = network.input((9, 10, 1))
    y = network.conv(x, 8, (4, 4), stride=(2, 2), activation="relu")
    y = network.conv(network.depthwise(y, activation="relu"), 10, (1, 1), activation="relu")
    return network.builder.finish(x, network.dense(network.mean(network.pool(y)), 4))


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m3"])
def test_no_function_is_called_from_a_loop(tmp_path: Path, core: str) -> None:
    export = to_c(keyword_network(), tmp_path / "out", target=core)
    objects = compile_all(
        export, [*COMPILERS["gcc, Cortex-M0+"], f"-mcpu={core}", *WARNINGS, "-O2"], tmp_path
    )
    for layer, text in zip(export.manifest["layers"], objects[1:], strict=True):
        if layer["kind"] in ("conv2d", "depthwise_conv2d", "fully_connected"):
            called = subprocess.run(
                ["arm-none-eabi-nm", "-u", text], capture_output=True, text=True, check=True
            )
            assert set(called.stdout.split()) <= {"U", "memset"}, layer  # which fills borders


def test_cycles_of_a_product_on_the_smallest_core(tmp_path: Path) -> None:
    """A loop over single products takes 12 cycles each and more, and requantization by a library call another 60."""
    network = Layers(np.random.default_rng(0))
    x = network.input((4, 4, 64))
    to_c(network.builder.finish(x, network.conv(x, 16, (1, 1))), tmp_path / "out", target=CORE)
    measured = simulate(tmp_path / "out", random_inputs((4, 4, 64), 1))
    (layer,) = (layer for layer in measured.per_layer if layer.kind == "conv2d")
    assert layer.cycles <= 8.5 * 4 * 4 * 16 * 64


NARROW = """
#define K_NARROW
#include "runtime.h"
int main(void)
{
    static const int32_t ends[] = {0, 1, -1, 2, 65535, 65536, -65536, 0x7fffffff, -0x7fffffff, -0x7fffffff - 1};
    uint32_t state = 1;
    for (long i = 0; i < 2000000; i++) {
        int32_t x, mult, n;
        state = state * 1664525u + 1013904223u;
        x = i < 10000 ? ends[i % 10] : (int32_t)state >> (state >> 3) % 31;
        state = state * 1664525u + 1013904223u;
        mult = i < 10000 && i / 10 % 10 >= 3 ? (int32_t)(0x7fffffff - (state >> 28)) : (int32_t)(state >> 1);
        n = (int32_t)(state >> 7) % 31;
        if (ka_high_multiply(x, mult) != (int32_t)(((int64_t)x * mult + (1 << 30)) >> 31))
            return 1;
        if (ka_multiply_once(x, mult, -n) != (int32_t)(((int64_t)x * mult + ((int64_t)1 << (30 + n))) >> (31 + n)))
            return 2;
        n %= 15;
        x >>= n + 1;
        if (ka_multiply_once(x, mult, n) != (int32_t)(((int64_t)x * mult + ((int64_t)1 << (30 - n))) >> (31 - n)))
            return 3;
    }
    return 0;
}
"""


def test_products_by_halves_are_long_products(tmp_path: Path) -> None:
    (tmp_path / "runtime.h").write_text(runtime_header())
    (tmp_path / "narrow.c").write_text(NARROW)
    flags = ["-O1", "-fsanitize=undefined", "-fno-sanitize-recover"]
    subprocess.run(["gcc", *flags, tmp_path / "narrow.c", "-o", tmp_path / "narrow"], check=True)
    subprocess.run([tmp_path / "narrow"], check=True)
