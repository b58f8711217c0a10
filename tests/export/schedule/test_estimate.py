"""Predicted cycles and bytes against simulated and linked ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.api import estimate, to_c
from export.costing import plain_c
from export.simulation import simulate
from tests.export.models.bench import Bench
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.networks import Layers, random_inputs
from tests.export.models.recipes import RECIPES

CYCLES_OFF, BYTES_OFF = 0.02, 0.02
PRODUCT = RECIPES["matrix product"]  # plain C
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


@pytest.mark.parametrize("core", ["cortex-m3", "cortex-m0plus", "host"])
def test_cores_without_prices_have_no_figures(tmp_path: Path, core: str) -> None:
    predicted = estimate(_network(0.0), target=core)
    assert (predicted.cycles, predicted.flash_bytes) == (None, None)
    assert "cycles and flash unknown" in str(predicted)
    assert ("keras-approx simulate counts them" in str(predicted)) == (core != "host")
    assert predicted.unpriced == predicted.layers
    export = to_c(_network(0.0), tmp_path / "out", target=core)
    assert {layer["predicted_cycles"] for layer in export.manifest["layers"]} == {None}


def test_plain_c_has_prices() -> None:
    bench = Bench()
    predicted = estimate(bench.builder.finish(bench.inputs, PRODUCT(bench)), target="cortex-m4")
    assert [(layer.kernel, layer.kind) for layer in predicted.layers] == [("plain", "batch_matmul")]
    assert predicted.cycles
    assert not predicted.unpriced


def test_the_total_names_the_layers_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_c, "plain_prices", lambda: plain_c.PlainPrices({}, {}))
    bench = Bench()
    predicted = estimate(bench.builder.finish(bench.inputs, PRODUCT(bench)), target="cortex-m4")
    left_out = [layer for layer in predicted.layers if layer.kernel == "plain"]
    assert left_out
    assert predicted.unpriced == tuple(left_out)
    assert predicted.cycles == sum(layer.cycles or 0 for layer in predicted.layers)
    assert all(f"{layer.index} ({layer.kind})" in str(predicted).splitlines()[-1] for layer in left_out)


def test_layers_have_the_names_of_their_users() -> None:
    """A convolution keeps its name where a pool is fused, and where the converter renamed its output."""
    builder = ModelBuilder()
    x = builder.tensor((1, 6, 6, 2), 0.1, name="serving_default_image:0")
    how: dict[str, Any] = {"weight_scales": [0.01] * 4, "scale": 0.1, "zero_point": 0}
    first = builder.conv(x, np.ones((4, 3, 3, 2), np.int8), None, **how)
    pooled = builder.pool("max", first, (2, 2), (2, 2))
    last = builder.conv(pooled, np.ones((4, 1, 1, 4), np.int8), None, **how)
    named = {
        first.index: "net/first_relu/Relu;net/first/BiasAdd;net/first/Conv2D",
        pooled.index: "net/pool/MaxPool",
        last.index: "StatefulPartitionedCall:0",
        last.index - 1: "net/block/last/Conv2D",
    }
    for index, name in named.items():
        builder._tensors[index].name = name
    layers = estimate(builder.finish(x, last), target="cortex-m33").layers
    assert [layer.name for layer in layers if layer.kind == "conv2d"] == ["first", "block/last"]
