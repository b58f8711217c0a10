"""Elimination on the int8 graph: nothing changes where nothing goes, and what is left makes up for what went."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

import export
from export.analysis.interpreter import run, trace
from export.artifact.compiling import build_host
from export.elimination.moments import moments, sensitivities
from export.elimination.network import eliminate, kept_share, quantized_inputs
from export.elimination.samples import Run, operands
from export.errors import InputError, ModelFormatError, UnsupportedModelError
from export.frontend import read_tflite
from export.frontend.golden_model import golden_model
from export.frontend.reference import run_reference
from export.frontend.stored_layers import stored_layers
from export.ir.graph import Graph
from export.ir.ops import Conv2D, FullyConnected
from keras_approx.errors import OptionError
from keras_approx.skipping.granularity import group_sums, spread
from keras_approx.skipping.selection import LayerSetting
from tests.export.elimination.networks import SHAPE, images, network
from tests.export.models import recipes
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.networks import random_inputs, random_network, single_op_models


def kernels(data: bytes) -> list[NDArray[np.int8]]:
    graph = read_tflite(data)
    return [graph.constant(op.weights) for op in graph.ops if isinstance(op, Conv2D | FullyConnected)]


def error(data: bytes, other: bytes, samples: NDArray[np.int8]) -> float:
    outputs = [run(read_tflite(each), samples).astype(np.float64) for each in (data, other)]
    return float(np.square(outputs[0] - outputs[1]).mean())


@pytest.mark.parametrize("bias", [True, False])
def test_keeping_everything_changes_nothing(bias):
    data = network(bias=bias)
    assert eliminate(data, images(20), kept=1.0) == golden_model(data, read_tflite(data))


@pytest.mark.parametrize("granularity", ["pair", "kernel block"])
def test_groups_go_and_the_rest_makes_up_for_them(granularity):
    data, samples = network(), images(300)
    layers = {"*": LayerSetting(least=0.2)}
    found = eliminate(data, samples, kept=0.6, granularity=granularity, layers=layers)
    plain = bytearray(data)
    kept = rounded = 0
    for before, after in zip(kernels(data), kernels(found), strict=True):
        left = np.moveaxis(after != 0, 0, -1)
        whole = spread(group_sums(left, granularity) > 0, left.shape, granularity)
        kept += int(whole.sum())
        rounded += int((whole & ~left).sum())
        at = plain.find(before.tobytes())
        plain[at : at + before.size] = np.where(after != 0, before, 0).tobytes()
    # Whole groups are gone; of the others few weights are so small that they round to zero.
    assert kept < 0.7 * sum(each.size for each in kernels(data))
    assert rounded < 0.1 * kept
    others = images(200, seed=5)
    assert error(data, found, others) < error(data, bytes(plain), others)


def test_fitting_in_sequence_comes_nearer():
    data, samples, others = network(3), images(300), images(200, seed=9)
    options = {"kept": 0.4, "granularity": "pair", "scope": "layer"}
    alone, following = (
        error(data, eliminate(data, samples, in_sequence=sequence, **options), others)
        for sequence in (False, True)
    )
    assert following < alone


@pytest.mark.parametrize("bias", [True, False])
def test_what_comes_out_is_exported_exactly(tmp_path, bias):
    found = eliminate(network(4, bias=bias), images(60), kept=0.5, granularity="kernel")
    samples = random_inputs(SHAPE, 12)
    expected = run_reference(found, samples)
    np.testing.assert_array_equal(run(read_tflite(found), samples), expected)
    written = export.to_c(found, tmp_path / "out")
    np.testing.assert_array_equal(build_host(written.path).run(samples), expected)


def test_floats_are_quantized_and_paths_are_read(tmp_path):
    data, samples = network(), images(30)
    (tmp_path / "model.tflite").write_bytes(data)
    found = eliminate(tmp_path / "model.tflite", samples.astype(np.float32) / 128, kept=0.5)
    assert found == eliminate(data, [samples], kept=0.5)


def test_floats_are_quantized_as_the_network_quantizes_them():
    """Halves go away from zero, as TFLite and the generated header take them."""
    graph = read_tflite(network())
    held = graph.tensors[graph.input].quant
    steps = np.float32([-1.5, -0.5, 0.5, 1.5, 2.5, 300, -300, 0.2])
    values = np.resize(steps * np.float32(held.scale), (1, *SHAPE))
    (found,) = quantized_inputs(graph, values)
    wanted = np.clip(np.array([-2, -1, 1, 2, 3, 300, -300, 0]) + held.zero_point, -128, 127)
    np.testing.assert_array_equal(found, np.resize(wanted, (1, *SHAPE)))


def test_single_layers_have_shares_of_their_own():
    data = network()
    graph = read_tflite(data)
    first, second, last = (layer.name for layer in stored_layers(data, graph))
    found = eliminate(
        data, images(60), kept=0.5, exempt=[last], layers={first: LayerSetting(1.0)}, in_sequence=False
    )
    before, after = kernels(data), kernels(found)
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[2], before[2])
    assert 0.4 < (after[1] != 0).mean() < 0.55
    assert second not in (first, last)


def test_a_layer_whose_constants_others_share_stays():
    builder = ModelBuilder()
    x = builder.tensor((1, 6, 6, 4), 0.01, 0)
    weights = np.random.default_rng(0).integers(-127, 128, (4, 3, 3, 4)).astype(np.int8)
    y = x
    for _ in range(2):
        y = builder.conv(y, weights, np.zeros(4, np.int32), weight_scales=[0.002], scale=0.02, zero_point=0)
    shared = builder._tensors[builder._operators[0].inputs[1]]
    builder._tensors[builder._operators[1].inputs[1]].buffer = shared.buffer
    data = builder.finish(x, y)
    with pytest.raises(ModelFormatError, match="no convolution or dense layer"):
        eliminate(data, random_inputs((6, 6, 4), 8), kept=0.5)


def test_moments_are_those_of_the_products():
    graph = read_tflite(network())
    samples = images(130)
    op = graph.ops[0]
    assert isinstance(op, Conv2D)
    found = moments(Run(graph, [samples]).operands(graph, op))
    seen = operands(graph, op, samples).astype(np.float64)
    np.testing.assert_allclose(found.mean, seen.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.covariance, np.cov(seen.T, bias=True), atol=1e-5)
    # An output is the product of these inputs and the weights: the same sums as the interpreter's.
    scales = np.array(graph.tensors[op.weights].quant.scales)
    sums = seen @ (graph.constant(op.weights).reshape(12, -1).T * scales)
    sums += graph.constant(op.bias) * scales / 128
    held = graph.tensors[op.output].quant
    exact = dict(trace(graph, samples))[op.output].reshape(-1, 12)
    wanted = np.clip(np.rint(sums / held.scale) + held.zero_point, *op.clamp)
    assert np.abs(wanted - exact).max() <= 1


def test_sensitivity_of_a_linear_network_is_its_gradient_squared():
    builder = ModelBuilder()
    rng = np.random.default_rng(2)
    x = builder.tensor((1, 5, 5, 3), 0.01, 0)
    first = rng.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    y = builder.conv(x, first, None, weight_scales=[0.001], scale=0.01, zero_point=0, padding="VALID")
    second = rng.integers(-127, 128, (6, 36)).astype(np.int8)
    z = builder.dense(y, second, None, weight_scales=[0.01], scale=0.01, zero_point=0)
    graph = read_tflite(builder.finish(x, z))
    found = sensitivities(graph, [0, 2], [images_of(graph, 64)])  # between them is a reshape
    gradient = np.square(0.01 * second.astype(np.float64)).reshape(6, 9, 4).sum(axis=(0, 1))
    np.testing.assert_allclose(found[0], gradient, rtol=0.25)
    np.testing.assert_allclose(found[2], 1.0, rtol=0.05)  # some of it is cut off


def images_of(graph: Graph, count: int) -> NDArray[np.int8]:
    shape = graph.tensors[graph.input].shape[1:]
    return np.random.default_rng(4).integers(-40, 40, (count, *shape)).astype(np.int8)


@pytest.mark.parametrize("seed", range(3))
def test_random_networks_stay_valid(seed):
    data = random_network(seed)
    graph = read_tflite(data)
    samples = random_inputs(graph.tensors[graph.input].shape[1:], 12, seed)
    found = eliminate(data, samples, kept=0.5, granularity="kernel")
    np.testing.assert_array_equal(run(read_tflite(found), samples), run_reference(found, samples))


def test_wrong_input_is_told():
    data = network()
    with pytest.raises(InputError, match=r"expected inputs \[n, 10, 10, 5\].* got int8 \[3, 10, 10, 4\]"):
        eliminate(data, np.zeros((3, 10, 10, 4), np.int8))
    with pytest.raises(InputError, match="NaN"):
        eliminate(data, np.full((3, *SHAPE), np.nan))
    with pytest.raises(InputError, match="int8 or float"):
        eliminate(data, np.zeros((3, *SHAPE), np.int32))
    with pytest.raises(InputError, match="as many of each input"):
        eliminate(data, np.zeros((0, *SHAPE), np.int8))
    with pytest.raises(OptionError, match=r"between 0 and 1, got 1\.5"):
        eliminate(data, images(2), kept=1.5)
    with pytest.raises(OptionError, match="pattern 'none' matches no layer"):
        eliminate(data, images(2), exempt=["none"])
    with pytest.raises(ModelFormatError, match="no convolution"):
        eliminate(single_op_models()["softmax"], random_inputs((7, 6, 3), 2))


def test_few_samples_are_warned_of():
    """The dense layer at the end has one output a sample, so it takes more samples than it has operands."""
    data = network()
    graph = read_tflite(data)
    operands = kernels(data)[-1][0].size
    name = stored_layers(data, graph)[-1].name
    expected = rf"expected at least {operands + 1} samples to fit weights with, got 3: .* '{name}' "
    with pytest.warns(UserWarning, match=expected):
        eliminate(data, images(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        eliminate(data, images(operands + 1))


def test_nothing_to_skip_is_told():
    data = network()
    for options in ({"exempt": ["*"]}, {"layers": {"*": LayerSetting(least=1.0)}}):
        with pytest.raises(OptionError, match=r"nothing to skip: all layers .* exempt fewer"):
            eliminate(data, images(2), **options)
    assert kept_share(data, ["*"]) == 1


def test_states_are_refused():
    with pytest.raises(UnsupportedModelError, match="keeps states"):
        eliminate(recipes.network(recipes.RECIPES["svdf"]), np.zeros((1, 1), np.int8))


def test_what_was_skipped_before_stays_skipped():
    data, samples = network(2), images(120)
    half = eliminate(data, samples, kept=0.5, granularity="pair")
    less = eliminate(half, samples, kept=0.8, granularity="kernel")
    for before, after in zip(kernels(half), kernels(less), strict=True):
        gone = group_sums(np.moveaxis(before != 0, 0, -1), "pair") == 0
        assert gone.any()
        assert (group_sums(np.moveaxis(after != 0, 0, -1), "pair")[gone] == 0).all()
