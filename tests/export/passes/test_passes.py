"""What each pass does to the graphs it is made for, and that none changes a single output byte."""

from typing import Any

import numpy as np
import pytest

from export.analysis.interpreter import run
from export.frontend import read_tflite
from export.ir import ops
from export.ir.rewrite import prune
from export.ir.validate import validate
from export.passes import PASSES, run_passes
from export.passes.fold_pad import fold_pad
from export.passes.fuse_relu import fuse_relu
from export.passes.merge_lookups import merge_lookups
from export.passes.merge_reshapes import merge_reshapes
from export.passes.remove_identities import remove_identities
from export.passes.tabulate import tabulate
from tests.export.comparison import inputs_of
from tests.export.models.networks import Layers, random_network, single_op_models


@pytest.fixture
def layers():
    return Layers(np.random.default_rng(0))


def graph_of(layers, x, y):
    return read_tflite(layers.builder.finish(x, y))


def kinds(graph):
    return [type(op).__name__ for op in graph.ops]


def assert_same(before, after, count=8):
    validate(after)
    inputs = inputs_of(before, count)
    np.testing.assert_array_equal(run(after, inputs), run(before, inputs))


@pytest.mark.parametrize("seed", range(40))
def test_every_pass_is_exact_on_random_networks(seed):
    graph = read_tflite(random_network(seed))
    for rewrite in PASSES:
        changed = rewrite(graph)
        assert_same(graph, changed)
        graph = changed
    assert run_passes(graph) == graph


@pytest.mark.parametrize(("name", "model"), single_op_models().items(), ids=single_op_models())
def test_passes_are_exact_on_single_operators(name, model):
    graph = read_tflite(model)
    assert_same(graph, run_passes(graph))


def test_the_log_names_the_passes_that_change_a_network(layers, caplog):
    x = layers.input((6, 5, 2))
    graph = graph_of(layers, x, layers.conv(layers.builder.pad(x, ((1, 1), (1, 1))), 3))
    with caplog.at_level("INFO", logger="export.passes"):
        run_passes(graph)
    assert caplog.messages[0] == "fold_pad: 2 operators before, 1 after"
    caplog.clear()
    run_passes(graph)
    assert caplog.messages == []


def test_pad_is_folded_into_all_its_convolutions(layers):
    x = layers.input((6, 5, 2))
    padded = layers.builder.pad(x, ((1, 2), (0, 3)))
    y = layers.add(
        layers.conv(padded, 4, padding="VALID"), layers.depthwise(padded, 2, (3, 3), padding="VALID")
    )
    before = graph_of(layers, x, y)
    after: Any = fold_pad(before)
    assert kinds(before) == ["Pad", "Conv2D", "DepthwiseConv2D", "Add"]
    assert kinds(after) == ["Conv2D", "DepthwiseConv2D", "Add"]
    assert after.ops[0].padding == after.ops[1].padding == ops.Padding(1, 2, 0, 3)
    assert_same(before, after)


def test_pad_adds_to_the_padding_that_is_there(layers):
    x = layers.input((6, 5, 2))
    before = graph_of(layers, x, layers.conv(layers.builder.pad(x, ((1, 0), (0, 2))), 3, padding="SAME"))
    after: Any = fold_pad(before)
    assert after.ops[0].padding == ops.Padding(2, 1, 1, 3)
    assert_same(before, after)


def test_pad_stays_where_something_else_reads_it(layers):
    x = layers.input((6, 5, 2))
    padded = layers.builder.pad(x, ((1, 1), (1, 1)))
    y = layers.add(layers.conv(padded, 2), padded)
    graph = graph_of(layers, x, y)
    assert fold_pad(graph) == graph


def test_pad_stays_where_it_is_the_output(layers):
    x = layers.input((6, 5, 2))
    graph = graph_of(layers, x, layers.builder.pad(x, ((1, 1), (1, 1))))
    assert fold_pad(graph) == graph


@pytest.mark.parametrize("name", ["RELU", "RELU6", "RELU_N1_TO_1"])
@pytest.mark.parametrize("producer", ["conv", "depthwise", "dense", "add", "pool"])
def test_relu_of_the_same_scale_is_fused(layers, name, producer):
    x = layers.input((4, 4, 2))
    y = {
        "conv": lambda: layers.conv(x, 4),
        "depthwise": lambda: layers.depthwise(x),
        "dense": lambda: layers.dense(x, 5),
        "add": lambda: layers.add(x, x),
        "pool": lambda: layers.pool(x),
    }[producer]()
    before: Any = graph_of(layers, x, layers.builder.elementwise(name, y, y.scale, y.zero_point))
    after: Any = prune(fuse_relu(before))
    assert not any(isinstance(op, ops.Relu) for op in after.ops)
    assert after.ops[-1].clamp == before.ops[-1].clamp
    assert_same(before, after)


def test_a_second_relu_narrows_the_clamp(layers):
    x = layers.input((4, 4, 2))
    y = layers.conv(x, 4, activation="relu")
    before: Any = graph_of(layers, x, layers.builder.elementwise("RELU_N1_TO_1", y, y.scale, y.zero_point))
    after: Any = fuse_relu(before)
    low, high = before.ops[0].clamp
    assert after.ops[0].clamp == (max(low, before.ops[1].clamp[0]), min(high, before.ops[1].clamp[1]))
    assert_same(before, after)


def test_relu_stays_where_the_unclamped_value_is_needed_or_scales_differ(layers):
    x = layers.input((4, 4, 2))
    y = layers.conv(x, 4)
    same = layers.builder.elementwise("RELU", y, y.scale, y.zero_point)
    needed_twice = graph_of(layers, x, layers.add(y, same))
    assert fuse_relu(needed_twice) == needed_twice
    other = Layers(np.random.default_rng(1))
    x = other.input((4, 4, 2))
    y = other.conv(x, 4)
    rescaled = graph_of(other, x, other.builder.elementwise("RELU", y, y.scale / 2, y.zero_point))
    assert fuse_relu(rescaled) == rescaled


def test_elementwise_operators_become_one_table(layers):
    x = layers.input((4, 4, 2))
    y = layers.elementwise(layers.elementwise(layers.elementwise(x, "QUANTIZE"), "RELU"), "LOGISTIC")
    before = graph_of(layers, x, y)
    tables = tabulate(before)
    assert kinds(tables) == ["Lookup"] * 3
    assert_same(before, tables)
    merged = prune(merge_lookups(tables))
    assert kinds(merged) == ["Lookup"]
    assert merged.tensors[merged.output].quant == before.tensors[before.output].quant
    inputs = np.arange(-128, 128).astype(np.int8).reshape(8, 4, 4, 2)
    np.testing.assert_array_equal(run(merged, inputs), run(before, inputs))


def test_a_table_that_others_read_stays(layers):
    x = layers.input((4, 4, 2))
    first = layers.elementwise(x, "RELU")
    y = layers.add(first, layers.elementwise(first, "RELU6"))
    before = graph_of(layers, x, y)
    after = prune(merge_lookups(tabulate(before)))
    assert kinds(after) == ["Lookup", "Lookup", "Add"]
    assert all(op.inputs == (after.input,) for op in after.ops[:2])
    assert_same(before, after)


def test_reshapes_are_merged_and_identities_removed(layers):
    x = layers.input((4, 3, 2))
    flat = layers.builder.reshape(layers.builder.reshape(x, (1, 6, 4)), (1, 24))
    same = layers.builder.elementwise("QUANTIZE", flat, x.scale, x.zero_point)
    image = layers.builder.reshape(same, (1, 4, 3, 2))
    y = layers.conv(layers.builder.pad(image, ((0, 0), (0, 0))), 3)
    before = graph_of(layers, x, y)
    merged = prune(merge_reshapes(before))
    assert kinds(merged) == ["Reshape", "Lookup", "Reshape", "Pad", "Conv2D"]
    after = run_passes(before)
    assert kinds(after) == ["Conv2D"]
    assert_same(before, after)


def test_a_table_of_identity_between_scales_stays(layers):
    x = layers.input((4, 4, 2))
    y = layers.builder.elementwise("QUANTIZE", x, x.scale * 1.0001, x.zero_point)
    before: Any = tabulate(graph_of(layers, x, layers.conv(y, 3)))
    assert before.ops[0].table == tuple(range(-128, 128))
    assert remove_identities(before) == before


@pytest.mark.parametrize("wrap", [False, True])
def test_an_identity_at_an_end_of_the_network(layers, wrap):
    x = layers.input((4, 4, 2))
    y = layers.conv(x, 3) if wrap else x
    before = graph_of(layers, x, layers.builder.reshape(y, y.shape))
    after = prune(remove_identities(before))
    assert kinds(after) == (["Conv2D"] if wrap else ["Reshape"])
    assert_same(before, after)
