"""Every operator that `recipes` has, against the reference kernels: the interpreter alone, and C of all at once."""

from __future__ import annotations

import numpy as np
import pytest

from export import simulate, to_c
from export.analysis.interpreter import run
from export.artifact.compiling import build_host
from export.codegen.model import end_names
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from export.ir.validate import validate
from export.passes import run_passes
from tests.export.networks import random_inputs
from tests.export.operators.recipes import RECIPES, all_at_once, network

NO_REFERENCE = ("elu",)


def inputs_of(graph, count):
    return [
        random_inputs(graph.tensors[tensor].shape[1:], count, seed)
        for seed, tensor in enumerate(graph.inputs)
    ]


def several(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs,)


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


@pytest.mark.parametrize("activations", ["int16", "int8"])
def test_c_of_all_at_once(tmp_path, activations):
    model = all_at_once()
    graph = read_tflite(model)
    given = inputs_of(graph, 6)
    expected = run(graph, given)
    done = to_c(model, tmp_path / "out", activations=activations)
    outputs = build_host(done.path, sanitize=activations == "int8").run(given)
    for name, output, wanted in zip(
        end_names(graph, graph.outputs, "output"), outputs, expected, strict=True
    ):
        np.testing.assert_array_equal(output, wanted, err_msg=name)


def test_cores_run_all_at_once(tmp_path):
    model = all_at_once()
    graph = read_tflite(model)
    given = inputs_of(graph, 2)
    measured = simulate(to_c(model, tmp_path / "out").path, given)
    for output, wanted in zip(measured.outputs, run(graph, given), strict=True):
        np.testing.assert_array_equal(output, wanted)
