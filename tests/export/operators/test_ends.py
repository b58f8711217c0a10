"""Inputs and outputs of other types, and inputs that are outputs."""

from __future__ import annotations

import numpy as np
import pytest

from export import to_c
from export.analysis.interpreter import run
from export.artifact.compiling import build_host
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from export.ir.ops import Lookup
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.networks import random_inputs


@pytest.mark.parametrize(("scale", "zero_point", "kept"), [(0.2, 131, 0), (0.13, 90, 1)])
def test_uint8_ends(scale: float, zero_point: int, kept: int) -> None:
    """A uint8 end of another scale is a table behind the int8 one; of the same scale it is nothing."""
    builder = ModelBuilder()
    x = builder.tensor((1, 3, 5), scale, zero_point, dtype="uint8")
    y = builder.elementwise("QUANTIZE", x, 0.2, 3)
    y = builder.concatenation([y, y], axis=1)
    model = builder.finish(x, builder.elementwise("QUANTIZE", y, scale, zero_point, dtype="uint8"))
    graph = read_tflite(model)
    assert sum(isinstance(op, Lookup) for op in graph.ops) == 2 * kept
    inputs = random_inputs((3, 5), 30)
    np.testing.assert_array_equal(run(graph, inputs), run_reference(model, inputs))


def test_an_input_that_is_an_output_too(tmp_path) -> None:
    builder = ModelBuilder()
    x, y = builder.tensor((1, 4), 0.1, name="a"), builder.tensor((1, 4), 0.1, name="b")
    model = builder.finish([x, y], [y, builder.elementwise("RELU", x, 0.1, 0), y])
    given = [random_inputs((4,), 5, seed) for seed in range(2)]
    outputs = build_host(to_c(model, tmp_path / "out").path).run(given)
    for output, wanted in zip(outputs, run(read_tflite(model), given), strict=True):
        np.testing.assert_array_equal(output, wanted)
    np.testing.assert_array_equal(outputs[0], given[1])
