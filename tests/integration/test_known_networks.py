"""Networks that people bring go the whole way: wrapped, masked, exported, and every byte that of the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import export
import keras_approx
from export.artifact.compiling import build_host
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from tests.integration import known_networks

pytestmark = pytest.mark.slow


def _assert_exact(model: Any, folder: Path) -> None:
    done = export.to_c(model, folder / "out")
    tflite = (done.path / "model.tflite").read_bytes()
    graph = read_tflite(tflite)
    rng = np.random.default_rng(1)
    shapes = [graph.tensors[tensor].shape[1:] for tensor in graph.inputs]
    inputs = [rng.integers(-128, 128, (6, *shape)).astype(np.int8) for shape in shapes]
    found, wanted = build_host(done.path).run(inputs), run_reference(tflite, inputs)
    pairs = zip(found, wanted, strict=True) if isinstance(found, tuple) else [(found, wanted)]
    for outputs, expected in pairs:
        np.testing.assert_array_equal(outputs, expected)


@pytest.mark.parametrize("name", known_networks.NETWORKS)
def test_keras_network(name: str, tmp_path: Path) -> None:
    wrapped = keras_approx.wrap(known_networks.network(name))
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (16, *wrapped.input_shape[1:])).astype(np.float32)
    keras_approx.calibrate(wrapped, images, verbose=False)
    masks = {name: rng.random(mask.shape) < 0.5 for name, mask in keras_approx.get_masks(wrapped).items()}
    keras_approx.set_masks(wrapped, masks)
    _assert_exact(wrapped, tmp_path)


def test_streaming_network(tmp_path: Path) -> None:
    _assert_exact(known_networks.streaming(), tmp_path)
