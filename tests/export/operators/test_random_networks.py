"""Random networks of all operators: the interpreter and C against the reference kernels."""

from __future__ import annotations

import numpy as np
import pytest

from export import to_c
from export.analysis.interpreter import run
from export.artifact.compiling import build_host
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from export.ir.validate import validate
from export.passes import run_passes
from tests.export.models.random_networks import random_network
from tests.export.operators.test_recipes import inputs_of, several

# Seeds that showed a mistake once.
KEPT = (126, 128, 134, 141, 146)
FEW = (*range(20), *KEPT)
MANY = range(20, 1000)
COMPILED = range(0, 1000, 40)


def assert_interpreter_is_exact(seed: int) -> None:
    model = random_network(seed)
    graph = read_tflite(model)
    given = inputs_of(graph, 3)
    expected = several(run_reference(model, given))
    for changed in (graph, run_passes(graph)):
        validate(changed)
        for output, wanted in zip(several(run(changed, given)), expected, strict=True):
            np.testing.assert_array_equal(output, wanted, err_msg=f"seed {seed}")


@pytest.mark.parametrize("seed", FEW)
def test_interpreter(seed: int) -> None:
    assert_interpreter_is_exact(seed)


@pytest.mark.slow
def test_interpreter_of_a_thousand() -> None:
    for seed in MANY:
        assert_interpreter_is_exact(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", COMPILED)
def test_c(tmp_path, seed: int) -> None:
    model = random_network(seed)
    graph = read_tflite(model)
    given = inputs_of(graph, 3)
    activations = ("int16", "int8")[seed // 40 % 2]
    outputs = build_host(to_c(model, tmp_path / "out", activations=activations).path).run(given)
    for output, wanted in zip(several(outputs), several(run(graph, given)), strict=True):
        np.testing.assert_array_equal(output, wanted)
