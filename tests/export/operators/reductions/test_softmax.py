"""Softmax and its logarithm against the reference kernels."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.export.comparison import assert_interpreter_is_exact
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.strategies import SEEDS


@given(st.integers(1, 511), st.floats(-4, 2), st.sampled_from([0.5, 1.0, 2.0]), st.integers(-128, 127), SEEDS)
def test_softmax(classes, magnitude, beta, zero_point, seed):
    builder = ModelBuilder()
    x = builder.tensor((1, classes), 10**magnitude, zero_point)
    model = builder.finish(x, builder.softmax(x, beta))
    assert_interpreter_is_exact(model, _logits(classes, seed))


@given(st.integers(1, 900), st.floats(-6, 4), st.integers(-128, 127), SEEDS)
def test_log_softmax(classes, magnitude, zero_point, seed):
    builder = ModelBuilder()
    x = builder.tensor((1, classes), 10**magnitude, zero_point)
    assert_interpreter_is_exact(builder.finish(x, builder.log_softmax(x)), _logits(classes, seed))


def _logits(classes, seed):
    rng = np.random.default_rng(seed)
    spread = rng.integers(1, 128, (16, 1))
    inputs = np.clip(rng.normal(0, spread, (16, classes)), -128, 127).astype(np.int8)
    return np.concatenate([inputs, np.full((1, classes), 127, np.int8)])
