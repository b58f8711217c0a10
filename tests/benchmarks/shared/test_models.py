"""Skipping pairs in a .tflite file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.shared.models import keep_pairs
from export.frontend import read_tflite
from export.ir.graph import Graph
from export.ir.ops import Conv2D, FullyConnected
from tests.export.models.networks import Layers


@pytest.fixture(scope="module")
def tflite() -> bytes:
    network = Layers(np.random.default_rng(7))
    x = network.input((6, 6, 3))
    y = network.conv(network.conv(x, 8, activation="relu"), 6, (1, 1))
    return network.builder.finish(x, network.dense(y, 4))


def _weights(graph: Graph, kind: Any) -> list[np.ndarray]:
    return [graph.constant(op.weights) for op in graph.ops if isinstance(op, kind)]


def _kept(weights: np.ndarray) -> np.ndarray:
    """Whether anything of each pair is left, [out, kernel y, kernel x, pair]."""
    padded = np.pad(weights, ((0, 0), (0, 0), (0, 0), (0, weights.shape[3] % 2)))
    return (padded.reshape(*padded.shape[:3], -1, 2) != 0).any(axis=4)


@pytest.mark.parametrize("fraction", [0.5, 0.25, 0.0])
def test_the_fraction_of_pairs_is_kept_whole(tflite: bytes, fraction: float) -> None:
    before, after = read_tflite(tflite), read_tflite(keep_pairs(tflite, fraction))
    for old, new in zip(_weights(before, Conv2D), _weights(after, Conv2D), strict=True):
        kept = _kept(new)
        lost = _kept(old).size - _kept(old).sum()  # pairs that were zero from the start
        assert 0 <= round(fraction * kept.size) - kept.sum() <= lost
        whole = np.repeat(kept, 2, axis=3)[..., : old.shape[3]]
        np.testing.assert_array_equal(new, np.where(whole, old, 0))


def test_nothing_else_changes(tflite: bytes) -> None:
    assert keep_pairs(tflite, 1.0) == tflite
    edited = keep_pairs(tflite, 0.25)
    assert len(edited) == len(tflite)
    before, after = read_tflite(tflite), read_tflite(edited)
    assert before.tensors == after.tensors
    np.testing.assert_array_equal(*(_weights(graph, FullyConnected)[0] for graph in (before, after)))


def test_the_choice_is_the_seeds(tflite: bytes) -> None:
    assert keep_pairs(tflite, 0.5, seed=1) == keep_pairs(tflite, 0.5, seed=1)
    assert keep_pairs(tflite, 0.5, seed=1) != keep_pairs(tflite, 0.5, seed=2)
