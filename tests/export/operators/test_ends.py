"""Inputs and outputs of other types and scales, and what becomes of functions of one tensor."""

from __future__ import annotations

import numpy as np
import pytest

from export import to_c
from export.analysis.interpreter import run
from export.artifact.compiling import build_host
from export.errors import UnsupportedModelError
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from export.ir.ops import Lookup
from export.passes import run_passes
from tests.export.models.bench import Bench, lstm
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.networks import Layers, random_inputs
from tests.export.models.recipes import RECIPES, network


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


@pytest.mark.parametrize(
    "name", ["mul swish", "mul square", "add scalar", "mul scalar, relu6", "prelu shared"]
)
def test_functions_of_one_tensor_are_one_table(name: str) -> None:
    graph = run_passes(read_tflite(network(RECIPES[name])))
    assert [type(op) for op in graph.ops] == [Lookup]


@pytest.mark.parametrize("activations", ["int16", "int8"])
@pytest.mark.parametrize("channels", [5, 6])
def test_a_dense_layer_and_a_convolution_read_one_image(tmp_path, activations: str, channels: int) -> None:
    """The convolution wants its channels in pairs or shuffled, the dense layer without gaps and in order."""
    layers = Layers(np.random.default_rng(0))
    x = layers.input((5, 6, 4))
    y = layers.conv(x, channels, (3, 3))
    outputs = [layers.dense(y, 3), layers.depthwise(y, 1, (2, 2)), layers.conv(y, 3, (2, 2))]
    model = layers.builder.finish(x, outputs)
    given = random_inputs((5, 6, 4), 6)
    done = to_c(model, tmp_path / "out", activations=activations)
    for found, wanted in zip(build_host(done.path).run(given), run_reference(model, given), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("time_major", [False, True])
def test_an_lstm_of_a_batch_is_refused(time_major: bool) -> None:
    """Which of its first two dimensions is the batch is an option: no batch may be taken for steps."""
    bench = Bench()
    shape = (1, 7, 6) if time_major else (7, 1, 6)
    y = lstm(bench, bench.builder.reshape(bench.s, shape), 3, time_major=time_major)
    with pytest.raises(UnsupportedModelError, match="sequence of batch 1"):
        read_tflite(bench.builder.finish(bench.inputs, y))


def test_a_slice_whose_ends_count_from_its_beginnings_is_refused() -> None:
    bench = Bench()
    inputs = [bench.x, bench.ints(0, 1, 1, 0), bench.ints(1, 2, 2, 4), bench.ints(1, 1, 1, 1)]
    y = bench.op("STRIDED_SLICE", inputs, (1, 2, 2, 4), kind="StridedSliceOptions", offset=True)
    with pytest.raises(UnsupportedModelError, match="its option offset"):
        read_tflite(bench.builder.finish(bench.inputs, y))


def test_an_lstm_of_diagonals_is_refused() -> None:
    bench = Bench()
    y = lstm(bench, bench.s, 3)
    bench.builder._operators[-1].builtinOptions.diagonalRecurrentTensors = True
    with pytest.raises(UnsupportedModelError, match="diagonals"):
        read_tflite(bench.builder.finish(bench.inputs, y))
