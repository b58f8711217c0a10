"""Candidates that are left out would not be chosen."""

from __future__ import annotations

import pytest
from hypothesis import event, given, settings

from export.costing.candidate import Candidate, Wanted, copied_cycles, fastest, price_cycles
from export.costing.choice import priced_timing
from export.costing.search import Way
from export.costing.winograd_choice import winograd_ways
from export.frontend import read_tflite
from export.passes import run_passes
from export.schedule import Requirements, price_network
from export.schedule.stage_plans import stage_candidates, stage_problem
from export.targets import resolve
from tests.export.kernels.winograd.test_plan import models


def unstripped(candidates: list[Candidate]) -> list[Candidate]:
    """All but those that skip kernels in strips, which are for little RAM."""
    scratch: dict[str, int] = {}
    for one in candidates:
        scratch[one.variant] = max(one.scratch_bytes, scratch.get(one.variant, 0))
    return [
        one for one in candidates if "sparse" not in one.variant or one.scratch_bytes == scratch[one.variant]
    ]


@pytest.mark.parametrize("name", ["cortex-m33", "nucleo-u575zi-q", "nucleo-h743zi"])
@settings(max_examples=4)
@given(model=models())
def test_what_is_left_out_would_not_be_chosen(name: str, model: bytes) -> None:
    target = resolve(name)
    schedule = price_network(run_passes(read_tflite(model)), Requirements(target))
    for stage in schedule.stages:
        placed = target.placed(schedule.data_bytes)
        found = stage_candidates(schedule.graph, stage, placed)
        every = unstripped(stage_candidates(schedule.graph, stage, placed, Wanted.LESS_MEMORY))
        for cycles in (price_cycles, copied_cycles):
            one, wanted = fastest(found, cycles), fastest(every, cycles)
            if one is None or wanted is None:
                assert one is wanted
            else:
                assert (one.scratch_bytes, cycles(one)) == (wanted.scratch_bytes, cycles(wanted))


@pytest.mark.parametrize("name", ["cortex-m33", "cortex-m4", "nucleo-h743zi"])
@settings(max_examples=4)
@given(model=models())
def test_no_candidate_takes_less_than_the_bounds_of_the_ways_to_it(name: str, model: bytes) -> None:
    target = resolve(name)
    followed = 0
    schedule = price_network(run_passes(read_tflite(model)), Requirements(target))
    for stage in schedule.stages:
        problem = stage_problem(schedule.graph, stage)
        if problem is None:
            continue
        for algorithm in winograd_ways(problem, target, priced_timing(target), Wanted.LESS_MEMORY):
            ways = [algorithm]
            while ways:
                way = ways.pop()
                for found in way.look():
                    if isinstance(found, Way):
                        ways.append(found)
                    else:
                        followed += 1
                        assert max(algorithm.least, way.least) <= found.price.copied_cycles
    event(f"{followed} candidates")
