"""Every operator that `recipes` has, against the reference kernels: the interpreter alone, and C of all at once."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from export import simulate, to_c
from export.analysis.interpreter import run
from export.artifact.compiling import build_host
from export.codegen.header import end_names
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from export.ir.validate import validate
from export.passes import run_passes
from export.targets import STACK_BYTES
from tests.export.comparison import assert_interpreter_is_exact
from tests.export.models.networks import random_inputs, single_op_models
from tests.export.models.recipes import RECIPES, all_at_once, network

NO_REFERENCE = ("elu",)


def inputs_of(graph, count):
    return [
        random_inputs(graph.tensors[tensor].shape[1:], count, seed)
        for seed, tensor in enumerate(graph.inputs)
    ]


def several(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs,)


@pytest.mark.parametrize(("name", "model"), single_op_models().items(), ids=single_op_models())
def test_single_operator(name, model):
    outputs = assert_interpreter_is_exact(model)
    assert len(np.unique(outputs)) > 2  # a constant output would prove little


@pytest.mark.parametrize("name", RECIPES)
def test_interpreter(name):
    model = network(RECIPES[name])
    graph = read_tflite(model)
    validate(graph)
    given = inputs_of(graph, 8)
    kernels = "optimized" if name in NO_REFERENCE else "reference"
    expected = several(run_reference(model, given, kernels=kernels))
    for pass_of in (lambda graph: graph, run_passes):
        changed = pass_of(graph)
        validate(changed)
        for output, wanted in zip(several(run(changed, given)), expected, strict=True):
            np.testing.assert_array_equal(output, wanted)
    assert all(len(np.unique(wanted)) > 2 for wanted in expected)  # a constant output would prove little


def test_c_of_all_at_once(tmp_path):
    model = all_at_once()
    graph = read_tflite(model)
    given = inputs_of(graph, 6)
    done = to_c(model, tmp_path / "out", activations="int16")
    outputs = build_host(done.path, sanitize=True).run(given)
    names = end_names(graph, "output")
    for name, output, wanted in zip(names, outputs, run(graph, given), strict=True):
        np.testing.assert_array_equal(output, wanted, err_msg=name)


def test_cores_run_all_at_once(tmp_path):
    model = all_at_once()
    graph = read_tflite(model)
    given = inputs_of(graph, 2)
    measured = simulate(to_c(model, tmp_path / "out", activations="int8").path, given)
    for output, wanted in zip(measured.outputs, run(graph, given), strict=True):
        np.testing.assert_array_equal(output, wanted)
    assert measured.stack_bytes < STACK_BYTES / 2  # of what is kept free, half is the firmware's


PROGRAM = """
#include "model.h"
#include <string.h>
int main(void)
{
    static int8_t x[128] = {5, -9, 100}, y[3][3][64];
    for (int i = 0; i < 3; i++) {
        model_inputs in = {x, x, x};
        model_outputs out = {y[i][0], y[i][1], y[i][2]};
        if (i == 2)
            model_reset();
        if (model_run(&in, &out))
            return 9;
    }
    for (int j = 0; j < 3; j++)
        if (!memcmp(y[0][j], y[1][j], 64) || memcmp(y[0][j], y[2][j], 64))
            return j + 1;
    return 0;
}
"""


def test_reset(tmp_path):
    """Three networks with states: the second inference differs from the first, the one after a reset does not."""
    folder = to_c(all_at_once(("variable", "lstm", "svdf")), tmp_path / "out").path
    (tmp_path / "main.c").write_text(PROGRAM)
    sources = [str(tmp_path / "main.c"), *map(str, folder.glob("model*.c"))]
    command = ["cc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-I", str(folder), *sources]
    subprocess.run([*command, "-o", str(tmp_path / "main")], check=True)
    assert subprocess.run([str(tmp_path / "main")], check=False).returncode == 0
