"""Kernels that all channels share take the same whatever the weights are, and what the written ones take."""

from __future__ import annotations

import pytest

from export.costing.counting.plans import count_plan
from export.costing.counting.shared import Unnumbered, count_bytes, count_loop
from export.costing.counting.unpacked import least_direct
from export.kernels.direct.byte_weights import plan_bytes
from export.kernels.direct.plan import kept_pairs, loop_unrollings, plan_loop
from export.kernels.plan import on_word_boundaries
from tests.export.costing.counting.problems import TIMINGS, conv, random_weights


@pytest.mark.parametrize("pooled", [False, True])
def test_loops_take_the_same_whatever_their_weights(pooled: bool) -> None:
    for kept in (0.2, 1.0):
        problem = conv(random_weights((6, 3, 3, 8), kept, 5, (1, 1)), rows=4, columns=6, pooled=pooled)
        for unrolled in loop_unrollings(problem):
            for timing in TIMINGS:
                counted = count_loop(Unnumbered.of(problem), unrolled, False, timing)
                assert counted == count_plan(on_word_boundaries(plan_loop(problem, unrolled), timing), timing)
                assert least_direct(problem, kept_pairs(problem).size, timing) <= counted.cost.cycles


@pytest.mark.parametrize("widened", [False, True])
@pytest.mark.parametrize("inputs", [3, 16, 41])
def test_weights_of_a_byte_take_the_same_whatever_they_are(inputs: int, widened: bool) -> None:
    for kept in (0.2, 1.0):
        weights = random_weights((8, 1, 1, inputs), kept, 6, (1, 1))
        problem = conv(weights, rows=1, columns=1, widened=widened)
        for unrolled in (1, 4):
            for timing in TIMINGS:
                counted = count_bytes(Unnumbered.of(problem), unrolled, timing)
                assert counted == count_plan(
                    on_word_boundaries(plan_bytes(problem, unrolled), timing), timing
                )
                assert least_direct(problem, kept_pairs(problem).size, timing) <= counted.cost.cycles
