"""The cycles that a layer's products take at the least."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.shared.models import keep_pairs
from export.frontend import read_tflite
from export.passes import run_passes
from export.schedule import Requirements, Schedule, plan_network
from export.schedule.roofline import roofline_cycles
from export.targets import resolve
from tests.export.models.networks import Layers


def _schedule(tflite: bytes) -> Schedule:
    return plan_network(run_passes(read_tflite(tflite)), Requirements(resolve("cortex-m33")))


def test_kept_pairs_count_at_all_positions() -> None:
    network = Layers(np.random.default_rng(8))
    x = network.input((9, 9, 3))
    y = network.pool(network.conv(x, 8, activation="relu"))
    tflite = network.builder.finish(x, network.dense(network.pool(y, "average"), 5))
    schedule = _schedule(keep_pairs(tflite, 0.25))
    limits = [roofline_cycles(schedule.graph, stage) for stage in schedule.stages]
    weighted = [limit for limit in limits if limit is not None]
    first = round(0.25 * 8 * 3 * 3 * 2) * 8 * 8  # two pairs of three channels; the pool needs 8 x 8 of 9 x 9
    assert weighted[0] == first
    assert weighted[-1] <= 5 * 4 * 4 * 8 // 2  # the dense layer: two weights a pair
    assert None in limits


@pytest.mark.parametrize("kernel", [(3, 3), (1, 5), (2, 2)])
def test_depthwise_layers_take_two_taps_at_once(kernel: tuple[int, int]) -> None:
    network = Layers(np.random.default_rng(8))
    x = network.input((9, 9, 4))
    schedule = _schedule(network.builder.finish(x, network.depthwise(x, kernel=kernel)))
    (stage,) = [stage for stage in schedule.stages if stage.kind == "depthwise_conv2d"]
    taps = kernel[0] * kernel[1]
    assert roofline_cycles(schedule.graph, stage) == -(-taps // 2) * 4 * 9 * 9
