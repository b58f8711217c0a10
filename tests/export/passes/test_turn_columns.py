"""Columns become rows where all that touches them allows it, and no output byte changes."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from export.analysis.interpreter import run
from export.frontend import read_tflite
from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D, Reshape
from export.ir.validate import validate
from export.passes import run_passes
from export.passes.turn_columns import turn_columns
from tests.export.comparison import inputs_of
from tests.export.models.model_builder import Value
from tests.export.models.networks import Layers

KINDS = ("conv", "pointwise", "depthwise", "max", "average", "relu", "table", "add")


def _layer(draw: st.DrawFn, network: Layers, x: Value) -> Value:
    kind = draw(st.sampled_from(KINDS))
    height = x.shape[1]
    window: dict[str, Any] = {
        "kernel": (draw(st.integers(1, min(4, height))), 1),
        "stride": (draw(st.integers(1, 2)), draw(st.integers(1, 2))),
        "padding": draw(st.sampled_from(["SAME", "VALID"])),
    }
    if kind == "conv":
        return network.conv(x, draw(st.integers(1, 5)), **window, dilation=(1, 1), activation="relu")
    if kind == "depthwise":
        return network.depthwise(x, **window)
    if kind == "pointwise":
        return network.conv(x, 3, (1, 1))
    if kind == "add" and height % 2 == 0:
        return network.add(x, network.conv(x, x.shape[3], (1, 1)))
    if kind == "table":
        return network.elementwise(x, "LOGISTIC")
    if kind in ("max", "average"):
        return network.pool(x, kind, **window)
    return network.elementwise(x, "RELU")


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A chain of layers over one column, which may end in a dense layer or a mean."""
    network = Layers(np.random.default_rng(draw(st.integers(0, 99))))
    x = y = network.input((draw(st.integers(2, 9)), 1, draw(st.integers(1, 4))))
    for _ in range(draw(st.integers(1, 4))):
        y = _layer(draw, network, y)
    end = draw(st.sampled_from(["column", "dense", "mean"]))
    y = {"column": lambda: y, "dense": lambda: network.dense(y, 3), "mean": lambda: network.mean(y)}[end]()
    return read_tflite(network.builder.finish(x, y))


def _heights(graph: Graph) -> set[int]:
    """Of the images that convolutions read."""
    return {
        graph.tensors[op.inputs[0]].shape[1] for op in graph.ops if isinstance(op, Conv2D | DepthwiseConv2D)
    }


@settings(max_examples=200)
@given(graphs())
def test_every_byte_stays_and_convolutions_read_rows(graph: Graph) -> None:
    turned = turn_columns(graph)
    validate(turned)
    inputs = inputs_of(graph, 3)
    np.testing.assert_array_equal(run(turned, inputs), run(graph, inputs))
    assert _heights(turned) <= {1}
    assert turn_columns(turned) == turned
    assert [turned.tensors[tensor] for tensor in (*turned.inputs, *turned.outputs)] == [
        graph.tensors[tensor] for tensor in (*graph.inputs, *graph.outputs)
    ]


def test_what_needs_columns_keeps_them() -> None:
    """A padding that makes an image of three columns."""
    network = Layers(np.random.default_rng(0))
    x = network.input((6, 1, 2))
    y = network.builder.pad(network.conv(x, 4, (3, 1)), ((0, 0), (1, 1)))
    graph = read_tflite(network.builder.finish(x, network.mean(y)))
    assert turn_columns(graph) == graph


def test_columns_of_odd_height_keep_sums_in_place() -> None:
    network = Layers(np.random.default_rng(0))
    x = network.input((7, 1, 2))
    y = network.conv(x, 4, (3, 1))
    graph = read_tflite(network.builder.finish(x, network.mean(network.add(y, network.conv(y, 4, (1, 1))))))
    assert turn_columns(graph) == graph


def test_a_kernel_over_one_column_becomes_one_over_a_row() -> None:
    network = Layers(np.random.default_rng(0))
    x = network.input((8, 1, 2))
    y = network.depthwise(network.conv(x, 4), stride=(2, 2))
    graph = run_passes(read_tflite(network.builder.finish(x, network.mean(y))))
    shapes = [graph.tensors[op.weights].shape for op in graph.ops if isinstance(op, Conv2D | DepthwiseConv2D)]
    assert shapes == [(4, 1, 3, 2), (1, 1, 3, 4)]
    assert [type(op) for op in graph.ops].count(Reshape) == 1
