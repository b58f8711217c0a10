"""Functions of one value: against the reference kernels, and as one table."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.frontend import read_tflite
from export.ir.ops import Lookup
from export.passes import run_passes
from tests.export.comparison import assert_interpreter_is_exact
from tests.export.models.recipes import RECIPES, network
from tests.export.models.strategies import layers


@given(layers(), st.sampled_from(["RELU", "RELU6", "RELU_N1_TO_1", "LOGISTIC", "QUANTIZE"]))
def test_elementwise_over_all_values(network, name):
    x = network.input((256,))
    model = network.builder.finish(x, network.elementwise(x, name))
    assert_interpreter_is_exact(model, np.arange(-128, 128).astype(np.int8)[None])


@pytest.mark.parametrize(
    "name", ["mul swish", "mul square", "add scalar", "mul scalar, relu6", "prelu shared"]
)
def test_functions_of_one_tensor_are_one_table(name: str) -> None:
    graph = run_passes(read_tflite(network(RECIPES[name])))
    assert [type(op) for op in graph.ops] == [Lookup]
