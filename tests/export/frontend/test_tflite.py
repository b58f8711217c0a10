"""Reading TFLite models: what is peeled off, resolved and dropped, and the numbers that are derived."""

from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.frontend import read_tflite
from export.ir import ops
from export.ir.tensor import Quantization
from export.ir.validate import validate
from export.reading.activation import clamp_bounds
from tests.export.comparison import assert_interpreter_is_exact
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.networks import Layers, random_network


def layers():
    return Layers(np.random.default_rng(0))


def kinds(graph):
    return [type(op) for op in graph.ops]


def test_graph_of_a_small_network():
    network = layers()
    x = network.input((8, 6, 3))
    y = network.conv(x, 5, (3, 2), stride=(2, 1), activation="relu")
    model = network.builder.finish(x, network.builder.softmax(network.dense(y, 4)))
    graph = read_tflite(model)
    validate(graph)
    assert kinds(graph) == [ops.Conv2D, ops.Reshape, ops.FullyConnected, ops.Softmax]
    operators: Any = graph.ops
    conv, _, dense, softmax = operators
    assert graph.tensors[graph.input].shape == (1, 8, 6, 3)
    assert graph.tensors[graph.input].quant == Quantization((x.scale,), (x.zero_point,))
    assert graph.tensors[conv.output].shape == (1, 4, 6, 5)
    # SAME puts the odd row or column at the end.
    assert conv.padding == ops.Padding(0, 1, 0, 1)
    assert (conv.stride, conv.dilation, conv.clamp) == ((2, 1), (1, 1), (y.zero_point, 127))
    assert graph.constant(conv.weights).shape == (5, 3, 2, 3)
    assert graph.tensors[conv.weights].quant.axis == 0
    assert len(graph.tensors[conv.weights].quant.scales) == 5
    assert graph.constant(dense.weights).shape == (4, 120)
    assert (softmax.beta, graph.output) == (1.0, softmax.output)


def test_float_ends_are_peeled_off():
    network = layers()
    real = network.builder.tensor((1, 6, 6, 2), dtype="float32")
    x = network.builder.elementwise("QUANTIZE", real, 0.02, -7)
    y = network.conv(x, 3)
    out = network.builder.elementwise("DEQUANTIZE", y, 1.0, 0, dtype="float32")
    model = network.builder.finish(real, out)
    graph = read_tflite(model)
    assert kinds(graph) == [ops.Conv2D]
    assert graph.tensors[graph.input].quant == Quantization((x.scale,), (-7,))
    assert graph.tensors[graph.output].quant == Quantization((y.scale,), (y.zero_point,))
    assert_interpreter_is_exact(model)


def test_a_float_input_quantized_twice_in_the_same_way():
    network = layers()
    real = network.builder.tensor((1, 6, 6, 2), dtype="float32")
    first, second = (network.builder.elementwise("QUANTIZE", real, 0.02, -7) for _ in range(2))
    model = network.builder.finish(real, network.add(network.conv(first, 2), second))
    assert kinds(read_tflite(model)) == [ops.Conv2D, ops.Add]
    assert_interpreter_is_exact(model)


def test_a_reader_without_outputs_says_nothing_of_a_float_input():
    network = layers()
    real = network.builder.tensor((1, 6, 6, 2), dtype="float32")
    network.builder.operator("QUANTIZE", [real.index], [])
    first, second = (network.builder.elementwise("QUANTIZE", real, 0.02, -7) for _ in range(2))
    model = network.builder.finish(real, network.add(first, second))
    assert kinds(read_tflite(model)) == [ops.Add]


def test_uint8_ends_are_peeled_off():
    network = layers()
    raw = network.builder.tensor((1, 6, 6, 2), 0.02, 121, dtype="uint8")
    y = network.conv(network.builder.elementwise("QUANTIZE", raw, 0.02, -7), 3)
    out = network.builder.elementwise("QUANTIZE", y, y.scale, y.zero_point + 128, dtype="uint8")
    model = network.builder.finish(raw, out)
    assert kinds(read_tflite(model)) == [ops.Conv2D]
    assert_interpreter_is_exact(model)


def test_a_reshape_whose_target_is_computed_from_the_batch():
    network = layers()
    x = network.input((4, 3, 2))
    model = network.builder.finish(x, network.dense(network.builder.reshape_keeping_batch(x, (24,)), 5))
    graph = read_tflite(model)
    assert kinds(graph) == [ops.Reshape, ops.FullyConnected]
    assert graph.tensors[graph.ops[0].output].shape == (1, 24)
    assert_interpreter_is_exact(model)


def test_a_reshape_with_one_open_dimension():
    builder = ModelBuilder()
    x = builder.tensor((1, 4, 3, 2))
    y = builder.reshape(x, (-1, 8, 3))
    assert read_tflite(builder.finish(x, y)).tensors[-1].shape == (1, 8, 3)


def test_a_batch_of_unknown_size_is_one():
    builder = ModelBuilder()
    x = builder.tensor((-1, 4, 3, 2))
    graph = read_tflite(builder.finish(x, builder.pool("max", x, (2, 2), (2, 2))))
    assert graph.tensors[graph.input].shape == (1, 4, 3, 2)
    assert graph.tensors[graph.output].shape == (1, 2, 1, 2)


def test_dead_operators_are_dropped_even_if_unsupported():
    network = layers()
    x = network.input((6, 6, 2))
    y = network.conv(x, 3)
    network.builder.elementwise("TANH", y, 1 / 128, 0)
    network.dense(y, 3)
    graph = read_tflite(network.builder.finish(x, y))
    assert kinds(graph) == [ops.Conv2D]
    assert len(graph.tensors) == 4  # input, weights, bias, output


def test_an_input_that_is_the_output():
    builder = ModelBuilder()
    x = builder.tensor((1, 4))
    graph = read_tflite(builder.finish(x, x))
    assert (graph.ops, graph.input, graph.output) == ((), 0, 0)


def test_reading_is_deterministic():
    model = random_network(5)
    assert read_tflite(model) == read_tflite(model)


@pytest.mark.parametrize(
    ("activation", "scale", "zero_point", "expected"),
    [
        ("NONE", 0.1, 5, (-128, 127)),
        ("RELU", 0.1, 5, (5, 127)),
        ("RELU", 0.1, -128, (-128, 127)),
        ("RELU6", 0.1, 5, (5, 65)),
        ("RELU6", 0.01, 5, (5, 127)),
        ("RELU_N1_TO_1", 0.1, 5, (-5, 15)),
        ("RELU_N1_TO_1", 0.4, 0, (-3, 3)),  # 2.5 rounds away from zero
    ],
)
def test_clamp_bounds(activation, scale, zero_point, expected):
    assert clamp_bounds(Quantization((scale,), (zero_point,)), activation) == expected


def _signed(names: dict[int, str], *, outputs: int = 2, subgraph: int = 0) -> bytes:
    """A network of several outputs whose signature names some of them, by number."""
    layers = Layers(np.random.default_rng(0))
    x = layers.builder.tensor((1, 6), 0.1, 3)
    data = layers.builder.finish(x, [layers.dense(x, 3) for _ in range(outputs)])
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    signature = schema.SignatureDefT()
    signature.subgraphIndex, signature.outputs = subgraph, []
    for number, name in names.items():
        end = schema.TensorMapT()
        end.name, end.tensorIndex = name, model.subgraphs[0].outputs[number]
        signature.outputs.append(end)
    model.signatureDefs = [signature]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _output_names(data: bytes) -> list[str]:
    graph = read_tflite(data)
    return [graph.tensors[output].name for output in graph.outputs]


def test_outputs_have_the_names_of_the_signature():
    plain = _output_names(_signed({}))
    assert _output_names(_signed({1: "effort", 0: "posture"})) == ["posture", "effort"]
    assert _output_names(_signed({1: "effort"})) == [plain[0], "effort"]
    assert _output_names(_signed({0: "output_1", 1: ""})) == plain
    assert _output_names(_signed({0: "posture"}, subgraph=1)) == plain
    assert _output_names(_signed({0: "posture"}, outputs=1)) == _output_names(_signed({}, outputs=1))
