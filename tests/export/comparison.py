"""Exact comparison of the interpreter with the reference kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.analysis.interpreter import run
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from export.ir.graph import Graph
from export.ir.validate import validate
from tests.export.models.networks import random_inputs


def inputs_of(graph: Graph, count: int = 8) -> NDArray[np.int8]:
    return random_inputs(graph.tensors[graph.input].shape[1:], count)


def assert_interpreter_is_exact(tflite: bytes, inputs: NDArray[np.int8] | None = None) -> NDArray[np.int8]:
    """Every output byte of the interpreter is that of BUILTIN_REF; returns the outputs."""
    graph = read_tflite(tflite)
    validate(graph)
    given = inputs_of(graph) if inputs is None else inputs
    outputs = run(graph, given)
    np.testing.assert_array_equal(outputs, run_reference(tflite, given))
    return outputs
