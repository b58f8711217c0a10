"""Every operator's rules of ranges and of what it reads, on random ranges and masks: they hold for its arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from export.frontend import read_tflite
from export.ir.graph import Graph
from export.ir.ops import Op
from export.operators.table import operator_of
from tests.export.models.recipes import RECIPES, all_at_once

SAMPLES = 6


@pytest.fixture(scope="module")
def graph() -> Graph:
    """A network with an operator of each recipe, and several of most."""
    return read_tflite(all_at_once(tuple(RECIPES)))


def computed(graph: Graph, op: Op, values: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The output alone, of operators with states too."""
    found = operator_of(op).compute(graph, op, *values)
    return np.asarray(found[0] if op.updates else found)


def between(low: NDArray[Any], high: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Values of each element within its range, its ends more often than others."""
    shape = (SAMPLES, *low.shape)
    values = rng.integers(low, high.astype(np.int64) + 1, shape)
    ends = rng.integers(0, 4, shape)
    return np.where(ends == 0, low, np.where(ends == 1, high, values)).astype(low.dtype)


def whole(graph: Graph, tensor: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The least and the most that the elements of a tensor can be, without the batch; a constant's are its values."""
    if graph.is_constant(tensor):
        return graph.constant(tensor)[0], graph.constant(tensor)[0]
    held = graph.tensors[tensor]
    limits = np.iinfo(held.dtype)
    return np.full(held.shape[1:], limits.min, held.dtype), np.full(held.shape[1:], limits.max, held.dtype)


@pytest.mark.parametrize("seed", range(5))
def test_outputs_stay_within_their_ranges(graph: Graph, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for op in graph.ops:
        if op.updates or graph.tensors[op.output].dtype != "int8":
            continue  # whose outputs can be anything
        sources, values = [], []
        for tensor in op.inputs:
            low, high = whole(graph, tensor)
            if not graph.is_constant(tensor):
                ends = np.sort(between(low, high, rng)[:2], axis=0)
                if rng.random() < 0.3:  # every position like the first, as behind a convolution
                    first = ends[(slice(None), *[slice(1)] * (ends.ndim - 2))]
                    ends = np.broadcast_to(first, ends.shape)
                low, high = ends
                sources.append(ends)
            else:
                sources.append(np.stack([low, high]))
            values.append(between(low, high, rng))
        least, most = operator_of(op).ranges(graph, op, sources)
        found = computed(graph, op, values)
        assert ((least <= found) & (found <= most)).all(), op


@pytest.mark.parametrize("seed", range(5))
def test_what_is_not_read_changes_nothing(graph: Graph, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for op in graph.ops:
        wanted = rng.random(graph.tensors[op.output].shape[1:]) < rng.choice([0.05, 0.5])
        read = operator_of(op).reads(graph, op, wanted)
        ends = [whole(graph, tensor) for tensor in op.inputs]
        values = [between(*one, rng) for one in ends]
        others = [
            np.where(mask, value, between(*one, rng)).astype(value.dtype)
            for mask, value, one in zip(read, values, ends, strict=True)
        ]
        before, after = computed(graph, op, values), computed(graph, op, others)
        np.testing.assert_array_equal(before[:, wanted], after[:, wanted], err_msg=str(op))


def test_a_resized_image_takes_no_value_that_it_did_not_have(graph: Graph) -> None:
    resized = [op for op in graph.ops if operator_of(op).kind == "resize_bilinear"]
    assert resized
    for op in resized:
        shape = graph.tensors[op.inputs[0]].shape[1:]
        source = np.stack([np.full(shape, -5, np.int8), np.full(shape, 9, np.int8)])
        least, most = operator_of(op).ranges(graph, op, [source])
        assert (int(least.min()), int(most.max())) == (-5, 9)
