"""Less RAM costs cycles, and never more than there is."""

from __future__ import annotations

import numpy as np

from export.frontend import read_tflite
from export.ir.graph import Graph
from export.passes import run_passes
from export.schedule import Requirements, Schedule, price_network
from export.targets import resolve
from tests.export.models.networks import Layers

TARGET = resolve("cortex-m33")


def _graph() -> Graph:
    """Three layers that fill the arena to about the same height, so that none can give way alone."""
    network = Layers(np.random.default_rng(3))
    x = network.input((16, 16, 8))
    y = network.conv(network.conv(network.conv(x, 8), 8), 8)
    return run_passes(read_tflite(network.builder.finish(x, y)))


def _cycles(schedule: Schedule) -> int:
    return sum(stage.candidate.price.cycles for stage in schedule.stages if stage.candidate is not None)


def test_less_ram_costs_cycles_and_is_kept_to() -> None:
    graph = _graph()
    roomy = price_network(graph, Requirements(TARGET))
    assert len({stage.scratch_bytes for stage in roomy.stages if stage.scratch_bytes}) == 1
    least = price_network(graph, Requirements(TARGET, max_ram=0)).data_bytes
    assert least < 0.6 * roomy.data_bytes
    limits = np.linspace(least, roomy.data_bytes, 6).astype(int).tolist()
    found = [price_network(graph, Requirements(TARGET, max_ram=limit)) for limit in limits]
    assert all(schedule.data_bytes <= limit for schedule, limit in zip(found, limits, strict=True))
    cycles = [_cycles(schedule) for schedule in found]
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[-1] == _cycles(roomy) < cycles[0]


def test_auto_takes_the_faster_of_both_elements() -> None:
    graph = _graph()
    roomy = price_network(graph, Requirements(TARGET)).data_bytes
    for limit in (roomy // 2, roomy * 3 // 4, roomy):
        found = {
            activations: price_network(graph, Requirements(TARGET, activations, limit))
            for activations in ("auto", "int8", "int16")
        }
        fits = [one for name, one in found.items() if name != "auto" and one.data_bytes <= limit]
        assert _cycles(found["auto"]) <= 1.01 * min(map(_cycles, fits))
