"""The exponential and the reciprocal of SOFTMAX against real numbers."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from export.frontend import read_tflite
from export.ir.softmax import exp_on_negative_values, exp_table, reciprocal
from tests.export.models.model_builder import ModelBuilder


@given(st.integers(-(2**31), 0))
def test_exp_on_negative_values(raw):
    result = int(exp_on_negative_values(np.array([raw], np.int64))[0])
    assert 0 <= result < 2**31
    assert math.isclose(result / 2**31, math.exp(raw / 2**26), abs_tol=1e-6)


@given(st.integers(1, 511 << 19))
def test_reciprocal(raw):
    scale, exponent = (int(value[0]) for value in reciprocal(np.array([raw], np.int64)))
    # scale * e >> 31 >> exponent has to be 256 * e / total, where total = raw / 2^19 and e is Q0.31.
    assert math.isclose(scale / 2 ** (31 + exponent), 256 / 2**31 / (raw / 2**19), rel_tol=1e-8)
    assert 2**30 <= scale < 2**31


@given(st.floats(1e-3, 10), st.sampled_from([0.5, 1.0, 3.0]))
def test_exp_table(scale, beta):
    builder = ModelBuilder()
    x = builder.tensor((1, 4), scale)
    graph = read_tflite(builder.finish(x, builder.softmax(x, beta)))
    table = np.array(exp_table(graph, graph.ops[0])) / 2**31
    np.testing.assert_allclose(table, np.exp(-beta * x.scale * np.arange(256)), atol=1e-6)
    assert (np.diff(table) <= 0).all()
