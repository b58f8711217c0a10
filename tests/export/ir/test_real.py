"""Real numbers become the int8 values that TFLite's QUANTIZE gives."""

from __future__ import annotations

import numpy as np
import pytest

from export.frontend.reference import make_interpreter
from export.ir.real import quantize
from tests.export.models.model_builder import ModelBuilder


@pytest.mark.parametrize(("scale", "zero_point"), [(0.1, -128), (0.25, 3), (0.0037, 127)])
def test_as_the_reference_kernel(scale: float, zero_point: int) -> None:
    halves = (np.arange(-600, 600) / 2).astype(np.float32) * np.float32(scale)
    below, above = (np.nextafter(halves, np.float32(end)) for end in (-np.inf, np.inf))
    random = np.random.default_rng(0).normal(0, 90 * scale, 2000).astype(np.float32)
    real = np.concatenate([halves, below, above, random, np.array([-0.0, 1e-45], np.float32)])
    builder = ModelBuilder()
    x = builder.tensor((1, len(real)), dtype="float32")
    interpreter = make_interpreter(builder.finish(x, builder.elementwise("QUANTIZE", x, scale, zero_point)))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], real[np.newaxis])
    interpreter.invoke()
    wanted = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    np.testing.assert_array_equal(quantize(real, scale, zero_point), wanted)
    assert quantize(np.array([3e38, -3e38]), scale, zero_point).tolist() == [127, -128]
