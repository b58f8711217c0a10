"""Convolutions without a bias: the written model runs on the reference kernels, and computes the same."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.analysis.interpreter import run
from export.api import to_c
from export.artifact.compiling import build_host
from export.errors import UnsupportedModelError
from export.frontend import read_tflite
from export.frontend.golden_model import golden_model
from export.frontend.reference import make_interpreter, run_reference
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.networks import random_inputs, single_op_models
from tests.export.models.recipes import RECIPES, network


def without_bias(absent: bool, multiplier: int | None) -> bytes:
    """Two convolutions, the first without a bias: its input left out, or -1."""
    builder = ModelBuilder()
    x = builder.tensor((1, 5, 5, 4), 0.02, 3)
    rng = np.random.default_rng(0)
    shape = (6, 3, 3, 4) if multiplier is None else (1, 3, 3, 4 * multiplier)
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    channels = shape[0] if multiplier is None else shape[3]
    scales = rng.uniform(0.001, 0.01, channels).tolist()
    y = builder.conv(x, weights, None, weight_scales=scales, scale=0.02, zero_point=5, multiplier=multiplier)
    if absent:
        builder._operators[0].inputs = np.array([*builder._operators[0].inputs, -1], np.int32)
    last = rng.integers(-127, 128, (2, 1, 1, channels)).astype(np.int8)
    y = builder.conv(y, last, np.array([7, -9], np.int32), weight_scales=[0.01], scale=0.02, zero_point=0)
    return builder.finish(x, y)


def edited(model: bytes, name: bytes) -> bytes:
    """The file with a tensor's quantized dimension set to 3."""
    content = schema.ModelT.InitFromPackedBuf(model, 0)
    tensor = next(tensor for tensor in content.subgraphs[0].tensors if tensor.name == name)
    tensor.quantization.quantizedDimension = 3
    builder = flatbuffers.Builder(len(model))
    builder.Finish(content.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("multiplier", [None, 1, 2])
@pytest.mark.parametrize("absent", [False, True])
def test_zeros_are_added(tmp_path, absent, multiplier):
    model = without_bias(absent, multiplier)
    graph = read_tflite(model)
    inputs = random_inputs((5, 5, 4), 6)
    export = to_c(model, tmp_path / "out")
    written = (export.path / "model.tflite").read_bytes()
    expected = run_reference(written, inputs)
    np.testing.assert_array_equal(run(graph, inputs), expected)
    np.testing.assert_array_equal(build_host(export.path).run(inputs), expected)
    completed = read_tflite(written)
    before: Any = graph.ops[0]
    after: Any = completed.ops[0]
    assert before.bias is None
    assert not completed.constant(after.bias).any()
    assert golden_model(written, completed) is written


@pytest.mark.parametrize("name", ["conv_same", "dense_relu_no_bias", "mean"])
def test_a_model_that_lacks_nothing_stays_as_it_is(name):
    model = single_op_models()[name]
    assert golden_model(model, read_tflite(model)) is model


def test_biases_quantized_along_the_axis_of_the_weights():
    model = bytearray(single_op_models()["depthwise_multiplier_stride"])
    read = schema.Model.GetRootAs(model, 0).Subgraphs(0)
    bias = next(
        t for t in map(read.Tensors, range(read.TensorsLength())) if t.Type() == schema.TensorType.INT32
    )
    quantization = bias.Quantization()
    assert quantization.ScaleLength() > 1
    old = edited(bytes(model), bias.Name())
    inputs = random_inputs(read_tflite(old).tensors[0].shape[1:], 4)
    with pytest.raises(UnsupportedModelError, match="does not load"):
        make_interpreter(old).allocate_tensors()
    repaired = golden_model(old, read_tflite(old))
    assert len(repaired) == len(old)
    np.testing.assert_array_equal(run_reference(old, inputs), run(read_tflite(repaired), inputs))


def test_a_newer_version_of_an_operator_than_the_reference_kernels_know():
    content = schema.ModelT.InitFromPackedBuf(network(RECIPES["tile"]), 0)
    for code in content.operatorCodes:
        code.version = 3
    builder = flatbuffers.Builder(1024)
    builder.Finish(content.Pack(builder), b"TFL3")
    model = bytes(builder.Output())
    graph = read_tflite(model)
    inputs = [random_inputs(graph.tensors[tensor].shape[1:], 3) for tensor in graph.inputs]
    with pytest.raises(UnsupportedModelError, match="does not load"):
        make_interpreter(model)
    np.testing.assert_array_equal(run_reference(model, inputs), run(graph, inputs))
