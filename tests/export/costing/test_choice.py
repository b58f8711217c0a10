"""Candidates that are left out cannot win."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from export.costing.candidate import Candidate
from export.frontend import read_tflite
from export.passes import run_passes
from export.schedule import Requirements, price_network
from export.schedule.stage_plans import stage_candidates
from export.targets import resolve
from tests.export.kernels.winograd.test_plan import models


def tallest(candidates: list[Candidate]) -> list[Candidate]:
    """Those of Winograd's algorithm, of the ones that skip kernels only those without strips."""
    scratch: dict[str, int] = {}
    for one in candidates:
        scratch[one.variant] = max(one.scratch_bytes, scratch.get(one.variant, 0))
    return [
        one
        for one in candidates
        if one.variant.startswith("winograd")
        and ("sparse" not in one.variant or one.scratch_bytes == scratch[one.variant])
    ]


@pytest.mark.parametrize("name", ["cortex-m33", "nucleo-u575zi-q", "nucleo-h743zi"])
@settings(max_examples=4)
@given(model=models())
def test_what_is_left_out_is_slower_and_takes_as_much_memory(name: str, model: bytes) -> None:
    target = resolve(name)
    schedule = price_network(run_passes(read_tflite(model)), Requirements(target))
    for stage in schedule.stages:
        placed = target.placed(schedule.data_bytes)
        kept = stage_candidates(schedule.graph, stage, placed)
        for one in tallest(stage_candidates(schedule.graph, stage, placed, small=True)):
            assert any(
                other.price.cycles <= one.price.cycles
                and other.price.copied_cycles <= one.price.copied_cycles
                and other.scratch_bytes <= one.scratch_bytes
                for other in kept
            ), one
