"""Channels of known value and channels that nothing reads: which go, which stay, and that no output byte changes."""

import numpy as np
import pytest

from export.analysis.interpreter import run, trace
from export.analysis.ranges import activation_ranges
from export.api import to_c
from export.artifact.compiling import build_host
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from export.ir import ops
from export.ir.validate import validate
from export.passes import run_passes
from export.passes.fold_constant_channels import fold_constant_channels
from export.passes.remove_unread_channels import remove_unread_channels
from export.simulation import simulate
from tests.export.comparison import inputs_of
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.networks import random_inputs, random_network

SCALES = {"scale": 0.02, "zero_point": -10}


class Net:
    """A network of layers with random positive weights, some channels' all zero, and biases given in hundreds."""

    def __init__(self, channels=4, size=6):
        self.builder = ModelBuilder()
        self.rng = np.random.default_rng(0)
        self.start = self.builder.tensor((1, size, size, channels), 0.02, 3)

    def conv(self, x, channels, dead=(), bias=None, kernel=3, **options):
        weights = self.rng.integers(1, 100, (channels, kernel, kernel, x.shape[3])).astype(np.int8)
        weights[list(dead)] = 0
        return self._conv(x, weights, bias, options)

    def depthwise(self, x, dead=(), bias=None, **options):
        weights = self.rng.integers(1, 100, (1, 3, 3, x.shape[3])).astype(np.int8)
        weights[..., list(dead)] = 0
        return self._conv(x, weights, bias, {"multiplier": 1, **options})

    def _conv(self, x, weights, bias, options):
        channels = weights.shape[3] if "multiplier" in options else len(weights)
        values = np.zeros(channels, np.int32) if bias is None else 100 * np.array(bias, np.int32)
        options = {**SCALES, "padding": "VALID", "activation": "relu"} | options
        return self.builder.conv(x, weights, values, weight_scales=[0.002] * channels, **options)

    def dense(self, x, units=3):
        weights = self.rng.integers(-100, 100, (units, int(np.prod(x.shape)))).astype(np.int8)
        return self.builder.dense(x, weights, None, weight_scales=[0.002], **SCALES)

    def flat(self, x):
        return self.builder.reshape(x, (1, int(np.prod(x.shape))))

    def finish(self, y):
        return self.builder.finish(self.start, y)


def before_and_after(model):
    """The graph, and what the passes make of it, which computes the same bytes and cannot be improved."""
    before = read_tflite(model)
    after = run_passes(before)
    validate(after)
    assert run_passes(after) == after
    inputs = inputs_of(before, 12)
    np.testing.assert_array_equal(run(after, inputs), run(before, inputs))
    return before, after


def widths(graph):
    return [graph.tensors[op.output].shape[-1] for op in graph.ops]


@pytest.mark.parametrize("dead", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("seed", range(15))
def test_random_networks_give_the_same_bytes(seed, dead):
    before_and_after(random_network(seed, dead))


@pytest.mark.parametrize("seed", range(20))
def test_values_stay_within_their_ranges(seed):
    graph = read_tflite(random_network(seed, 0.2))
    ranges = activation_ranges(graph)
    for tensor, values in trace(graph, inputs_of(graph, 12)):
        low, high = ranges[tensor]
        assert (low <= values).all()
        assert (values <= high).all()


def test_a_constant_channel_moves_into_the_bias_of_a_convolution():
    net = Net()
    y = net.conv(net.start, 6, dead=(1, 4), bias=[0, 90, 0, 0, -90, 0])
    before, after = before_and_after(net.finish(net.conv(y, 2, kernel=2)))
    assert widths(before) == [6, 2]
    assert widths(after) == [4, 2]
    assert after.constant(after.ops[1].bias).any()
    assert not before.constant(before.ops[1].bias).any()


@pytest.mark.parametrize(("bias", "left"), [(90, 6), (-90, 5), (0, 5)])
def test_behind_padding_only_the_zero_point_is_a_constant(bias, left):
    net = Net()
    y = net.conv(net.start, 6, dead=(2,), bias=[0, 0, bias, 0, 0, 0])
    _, after = before_and_after(net.finish(net.conv(y, 2, padding="SAME")))
    assert widths(after) == [left, 2]


def test_what_a_clamp_hides_is_constant():
    net = Net()
    y = net.conv(net.start, 4, bias=[0, -(10**7), 10**7, 0])
    _, after = before_and_after(net.finish(net.conv(y, 2)))
    assert widths(after) == [2, 2]


@pytest.mark.parametrize("kind", ["max", "average", "mean", "lookup", "depthwise", "depthwise_same"])
def test_constants_pass_through(kind):
    net = Net()
    bias = [0, 90, 0, 50, 0, -90, 0, 0] if kind != "depthwise_same" else [0, -1, 0, -1, 0, -90, 0, 0]
    y = net.conv(net.start, 8, dead=(1, 3, 5), bias=bias)
    y = {
        "max": lambda: net.builder.pool("max", y, (2, 2), (1, 1), padding="SAME"),
        "average": lambda: net.builder.pool("average", y, (2, 2), (2, 2), padding="SAME"),
        "mean": lambda: net.builder.mean(y, 0.01, 5),
        "lookup": lambda: net.builder.elementwise("LOGISTIC", y, 1 / 256, -128),
        "depthwise": lambda: net.depthwise(y),
        "depthwise_same": lambda: net.depthwise(y, padding="SAME"),
    }[kind]()
    last = net.dense(y) if kind == "mean" else net.conv(y, 2, kernel=2)
    _, after = before_and_after(net.finish(last))
    assert widths(after)[:-1] == [5, 5]


def test_a_depthwise_channel_without_weights_frees_its_input():
    net = Net()
    y = net.depthwise(net.conv(net.start, 8), dead=(0, 7), bias=[40] * 8)
    _, after = before_and_after(net.finish(net.conv(y, 2, kernel=2)))
    assert widths(after) == [6, 6, 2]


def test_a_sum_of_two_constants_is_one():
    net = Net()
    left = net.conv(net.start, 8, dead=(0, 1, 2), bias=[50] * 8)
    right = net.conv(net.start, 8, dead=(1, 2, 3), bias=[-70] * 8)
    total = net.builder.add(left, right, 0.03, 4)
    _, after = before_and_after(net.finish(net.conv(total, 2)))
    assert widths(after) == [6, 6, 6, 2]


def test_a_channel_of_a_sum_that_one_branch_still_needs_loses_only_its_products():
    net = Net()
    left, right = net.conv(net.start, 4), net.conv(net.start, 4)
    unread = np.ones((2, 3, 3, 4), np.int8)
    unread[..., 1] = 0
    total = net._conv(net.builder.add(left, right, 0.03, 4), unread, None, {})
    both = net.builder.concatenation([net.flat(total), net.flat(net.conv(left, 2))], axis=1)
    _, after = before_and_after(net.finish(net.builder.softmax(both)))
    assert widths(after)[:3] == [4, 4, 4]
    first, second = (after.constant(op.weights) for op in after.ops[:2])
    assert first[1].any()
    assert not second[1].any()


def test_flattened_channels_go_from_every_position():
    net = Net(size=4)
    y = net.conv(net.start, 12, dead=(0, 3, 6, 9), bias=[80] * 12)
    _, after = before_and_after(net.finish(net.dense(net.dense(net.flat(y), 8))))
    assert widths(after) == [8, 32, 8, 3]
    assert after.constant(after.ops[2].weights).shape == (8, 32)


def test_flattened_channels_stay_a_multiple_of_four_where_they_were_one():
    net = Net(size=4)
    _, after = before_and_after(net.finish(net.dense(net.flat(net.conv(net.start, 12, dead=(3, 6))))))
    assert widths(after)[0] == 12
    _, after = before_and_after(net.finish(net.dense(net.flat(net.conv(net.start, 10, dead=(3, 6, 9))))))
    assert widths(after)[0] == 8


def test_hidden_units_without_weights_go():
    builder = ModelBuilder()
    x = builder.tensor((1, 5), 0.02, 3)
    hidden = np.ones((6, 5), np.int8)
    hidden[[0, 3]] = 0
    y = builder.dense(x, hidden, np.arange(6, dtype=np.int32) * 60, weight_scales=[0.01], **SCALES)
    y = builder.dense(y, np.full((2, 6), 9, np.int8), None, weight_scales=[0.01], **SCALES)
    _, after = before_and_after(builder.finish(x, y))
    assert widths(after) == [4, 2]


def test_whole_pairs_stay_pairs_and_the_rest_is_paired_again():
    net = Net()
    first = net.conv(net.start, 8, dead=(2, 5))
    weights = np.zeros((1, 1, 1, 8), np.int8)
    weights[..., :] = np.arange(1, 9)
    _, after = before_and_after(net.finish(net._conv(first, weights, None, {})))
    assert after.constant(after.ops[1].weights).ravel().tolist() == [1, 2, 7, 8, 4, 5]


def test_the_ends_of_the_network_keep_all_channels():
    net = Net()
    y = net.conv(net.conv(net.start, 4, dead=range(4)), 3, dead=(1,))
    before, after = before_and_after(net.finish(y))
    assert widths(after) == [1, 3]
    assert after.tensors[after.input].shape == before.tensors[before.input].shape


def test_joined_tensors_keep_their_channels_and_lose_their_products():
    net = Net()
    left, right = net.conv(net.start, 4, dead=(0,), bias=[-90] * 4), net.conv(net.start, 2)
    joined = net.builder.concatenation([left, right])
    before, after = before_and_after(net.finish(net.conv(joined, 2)))
    assert widths(after) == widths(before)
    assert before.constant(before.ops[-1].weights)[..., 0].any()
    assert not after.constant(after.ops[-1].weights)[..., 0].any()


def test_a_second_round_finds_nothing():
    graph = read_tflite(random_network(3, 0.5))
    once = remove_unread_channels(fold_constant_channels(run_passes(graph)))
    assert [op for op in once.ops if isinstance(op, ops.Conv2D)] == [
        op for op in run_passes(graph).ops if isinstance(op, ops.Conv2D)
    ]


def test_generated_code_is_exact_and_smaller(tmp_path):
    ram, cycles = [], []
    for dead in ((), range(1, 16, 2)):
        net = Net(size=8)
        y = net.builder.pool(
            "max", net.conv(net.start, 16, dead=dead, bias=range(-80, 80, 10)), (2, 2), (2, 2)
        )
        model = net.finish(net.dense(net.flat(net.conv(y, 8, kernel=2))))
        out_dir = to_c(model, tmp_path / "out").path
        inputs = random_inputs((8, 8, 4), 5)
        expected = run_reference(model, inputs)
        np.testing.assert_array_equal(build_host(out_dir).run(inputs), expected)
        for core in ("cortex-m33", "cortex-m4"):
            result = simulate(out_dir, inputs, core=core)
            np.testing.assert_array_equal(result.outputs, expected)
        ram.append(result.ram_bytes)
        cycles.append(result.cycles)
    assert ram[1] < ram[0]
    assert cycles[1] < cycles[0]
