"""What lies in the arena: never two activations in one byte, and together as large as the arena."""

from __future__ import annotations

import numpy as np
import pytest

from export.frontend import read_tflite
from export.passes import run_passes
from export.schedule import Requirements, plan_network
from export.schedule.live_buffers import live_buffers
from export.targets import resolve
from tests.export.models.networks import Layers


def _network(seed: int) -> bytes:
    network = Layers(np.random.default_rng(seed))
    x = network.input((9, 9, 3))
    y = network.pool(network.conv(x, 8, activation="relu"))
    y = network.add(network.conv(y, 8), network.conv(y, 8, (1, 1)))
    y = network.conv(y, 6, padding="VALID")
    y = network.builder.reshape(y, (1, int(np.prod(y.shape))))
    return network.builder.finish(x, network.dense(network.dense(y, 12), 5))


@pytest.mark.parametrize("activations", ["int16", "int8"])
def test_no_two_share_a_byte_and_the_highest_fills_the_arena(activations: str) -> None:
    graph = run_passes(read_tflite(_network(3)))
    schedule = plan_network(graph, Requirements(resolve("cortex-m33"), activations))
    found = live_buffers(schedule)
    for number, one in enumerate(found):
        assert 0 <= one.first <= one.last < len(schedule.stages)
        for other in found[:number]:
            alive = one.first <= other.last and other.first <= one.last
            apart = one.offset + one.size <= other.offset or other.offset + other.size <= one.offset
            assert apart or not alive
    assert max(one.offset + one.size for one in found) == schedule.arena_bytes
    scratch = [(one.offset, one.size, one.first, one.last) for one in found if one.tensor is None]
    assert scratch == [
        (stage.scratch_offset, stage.scratch_bytes, number, number)
        for number, stage in enumerate(schedule.stages)
        if stage.scratch_bytes
    ]
    assert scratch
    for number, stage in enumerate(schedule.stages):
        for buffer in (*stage.reads, stage.writes):
            if buffer.place == "arena":
                here = [
                    one for one in found if one.offset == buffer.offset and one.first <= number <= one.last
                ]
                assert here and max(one.size for one in here) >= buffer.layout.size_bytes
