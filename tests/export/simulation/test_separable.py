"""Separable networks as compiled: every byte on the host and on emulated cores, cycles within 2 % of the estimate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.analysis.interpreter import run
from export.api import to_c
from export.artifact.compiling import build_host
from export.frontend import read_tflite
from export.simulation import simulate
from tests.export.models.networks import Layers, random_inputs

SHAPE = (13, 12, 1)


def network() -> bytes:
    """A first layer of one channel, depthwise ones over planes and over gathered pixels, of either stride and none."""
    layers = Layers(np.random.default_rng(3))
    x = layers.input(SHAPE)
    y = layers.conv(x, 10, (4, 3), stride=(1, 2), activation="relu")
    y = layers.conv(layers.depthwise(y, activation="relu"), 9, (1, 1), activation="relu")
    y = layers.depthwise(layers.pool(y, kernel=(2, 1), stride=(1, 1)), stride=(2, 2))
    y = layers.depthwise(layers.depthwise(y, kernel=(3, 1)), kernel=(1, 3), activation="relu6")
    return layers.builder.finish(x, layers.conv(y, 5, (1, 1)))


@pytest.mark.parametrize("activations", ["int16", "int8"])
@pytest.mark.parametrize("core", ["cortex-m33", "cortex-m4"])
def test_bytes_and_cycles(tmp_path: Path, core: str, activations: str) -> None:
    model, inputs = network(), random_inputs(SHAPE, 3)
    expected = run(read_tflite(model), inputs)
    export = to_c(model, tmp_path / "out", target=core, activations=activations)
    np.testing.assert_array_equal(build_host(export.path).run(inputs), expected)
    measured = simulate(export.path, inputs[2:])
    np.testing.assert_array_equal(measured.outputs, expected[2:])
    kernels = set()
    for predicted, layer in zip(export.estimate.layers, measured.per_layer, strict=False):
        kernels.add(predicted.kernel)
        assert predicted.cycles is not None
        calls = 60 if layer.kind == "depthwise_conv2d" else 30  # compiled C around the kernels
        assert abs(predicted.cycles - layer.cycles) <= 0.02 * layer.cycles + calls, predicted
    assert "planes" in kernels
