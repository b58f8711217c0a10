"""Predicted cycles and bytes against simulated and linked ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.api import to_c
from export.simulate import simulate
from tests.export.networks import Layers, random_inputs

CYCLES_OFF, BYTES_OFF = 0.02, 0.02
GLUE_CYCLES, GLUE_BYTES = 40, 64  # compiled C around a layer's kernels, which only a compiler knows exactly


def _network(zeros: float) -> bytes:
    network = Layers(np.random.default_rng(3), zeros=zeros)
    x = network.input((16, 16, 3))
    y = network.pool(network.conv(x, 16, activation="relu"))
    z = network.conv(y, 16, padding="SAME", activation="relu")
    y = network.add(network.depthwise(z), network.conv(z, 16, padding="SAME"))
    return network.builder.finish(x, network.dense(network.mean(y), 10))


@pytest.mark.parametrize("core", ["cortex-m33", "cortex-m4"])
@pytest.mark.parametrize("zeros", [0.0, 0.85])
def test_every_layer_takes_what_was_predicted(tmp_path: Path, core: str, zeros: float) -> None:
    export = to_c(_network(zeros), tmp_path / "out", target=core)
    measured = simulate(export.path, random_inputs((16, 16, 3), 1), core=core)
    assert export.estimate.ram_bytes == measured.ram_bytes
    for predicted, layer in zip(export.estimate.layers, measured.per_layer, strict=False):
        assert predicted.cycles is not None
        assert predicted.flash_bytes is not None
        assert abs(predicted.cycles - layer.cycles) <= CYCLES_OFF * layer.cycles + GLUE_CYCLES, predicted.kind
        assert abs(predicted.flash_bytes - layer.flash_bytes) <= BYTES_OFF * layer.flash_bytes + GLUE_BYTES
