"""Cycles by what they are spent on, and the core's limit."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cycles.terms import (
    CONSTANTS,
    ELEMENTWISE,
    INPUTS,
    PRODUCTS,
    REQUANTIZATION,
    TRANSFORMS,
    term_cycles,
)
from benchmarks.shared.models import keep_pairs
from export.costing.counting.plans import count_plan
from export.frontend import read_tflite
from export.passes import run_passes
from export.schedule import Requirements, Schedule, plan_network
from export.schedule.roofline import roofline_cycles
from export.targets import resolve
from tests.export.models.networks import Layers


def _schedule(core: str, kept: float) -> Schedule:
    network = Layers(np.random.default_rng(8))
    x = network.input((9, 9, 3))
    y = network.pool(network.conv(x, 8, activation="relu"))
    y = network.add(network.conv(y, 8), network.depthwise(network.conv(y, 8, (1, 1))))
    tflite = network.builder.finish(x, network.dense(network.pool(y, "average"), 5))
    return plan_network(run_passes(read_tflite(keep_pairs(tflite, kept))), Requirements(resolve(core)))


@pytest.mark.parametrize("core", ["cortex-m33", "cortex-m4"])
@pytest.mark.parametrize("kept", [1.0, 0.25])
def test_terms_add_up_to_the_prediction(core: str, kept: float) -> None:
    timing = resolve(core).core.timing
    assert timing is not None
    schedule = _schedule(core, kept)
    for stage in schedule.stages:
        if stage.plan is None:
            continue
        terms = term_cycles(stage, timing)
        assert sum(terms.values()) == count_plan(stage.plan, timing).cost.cycles
        limit = roofline_cycles(schedule.graph, stage)
        weighted = limit is not None
        assert all((terms[term] > 0) == weighted for term in (PRODUCTS, INPUTS, CONSTANTS, REQUANTIZATION))
        assert (terms[TRANSFORMS] > 0) == stage.plan.variant.startswith("winograd")
        assert (terms[ELEMENTWISE] > 0) == (not weighted)
        if limit is not None:
            assert terms[PRODUCTS] >= limit
