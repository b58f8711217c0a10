"""Kernels of weights of one byte give the bytes of the reference arithmetic, take what they are priced at, and are
chosen where flash is short or slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export import estimate, simulate, to_c
from export.costing.candidate import Candidate, Wanted
from export.frontend import read_tflite
from export.ir.graph import Graph
from export.passes import run_passes
from export.schedule import Requirements, Schedule, plan_network
from export.schedule.network import price_network
from export.schedule.stage import Stage
from export.schedule.stage_plans import stage_candidates
from export.targets import Target, resolve
from tests.export.boards import board_of_size
from tests.export.codegen.test_planned import dense_layers
from tests.export.kernels.test_kernels import check_schedule
from tests.export.models.model_builder import ModelBuilder


def dense(inputs: int, outputs: int, *, zero_point: int = 3, seed: int = 0) -> bytes:
    """A model of one layer that keeps nearly all its products."""
    rng = np.random.default_rng(seed)
    builder = ModelBuilder()
    x = builder.tensor((1, inputs), 0.02, zero_point)
    weights = rng.integers(-127, 128, (outputs, inputs)).astype(np.int8)
    bias = rng.integers(-3000, 3000, outputs).astype(np.int32)
    scales = rng.uniform(0.001, 0.01, outputs).tolist()
    y = builder.dense(x, weights, bias, weight_scales=scales, scale=0.4, zero_point=-5)
    return builder.finish(x, y)


def only_bytes(
    pick: int, graph: Graph, stage: Stage, target: Target, wanted: Wanted = Wanted.FASTEST
) -> Sequence[Candidate]:
    """The candidates of weights of one byte, where a stage has them: one of their loops."""
    found = stage_candidates(graph, stage, target, Wanted.LESS_FLASH)
    ours = [candidate for candidate in found if candidate.variant == "bytes"]
    return [ours[pick % len(ours)]] if ours else found


def scheduled(model: bytes, target: str, activations: str, pick: int) -> Schedule:
    graph = run_passes(read_tflite(model))
    requirements = Requirements(resolve(target), activations)
    schedule = price_network(graph, requirements, partial(only_bytes, pick))
    stages = tuple(
        replace(stage, plan=stage.candidate.plan()) if stage.candidate and stage.candidate.plan else stage
        for stage in schedule.stages
    )
    return replace(schedule, stages=stages)


TARGETS = st.sampled_from(["cortex-m33", "cortex-m4", "cortex-m7"])


@settings(max_examples=15)
@given(dense_layers(), TARGETS, st.sampled_from(["int16", "int8"]), st.integers(0, 2))
def test_any_layer_exactly(model: bytes, target: str, activations: str, pick: int) -> None:
    schedule = scheduled(model, target, activations, pick)
    if all(
        stage.plan is not None for stage in schedule.stages
    ):  # scales that no kernel takes are left to plain C
        assert "bytes" in [stage.plan.variant for stage in schedule.stages if stage.plan]
        check_schedule(schedule, model, 2)


@pytest.mark.parametrize("inputs", range(1, 14))
@pytest.mark.parametrize("activations", ["int16", "int8"])
def test_every_rest_of_inputs_and_channels(inputs: int, activations: str) -> None:
    for outputs in (1, 2, 5, 7):
        model = dense(inputs, outputs, zero_point=-128, seed=inputs)
        check_schedule(scheduled(model, "cortex-m33", activations, inputs), model, 2)


def test_weights_and_inputs_of_the_largest_size() -> None:
    builder = ModelBuilder()
    x = builder.tensor((1, 50), 0.02, 127)
    weights = np.where(np.arange(50) % 2, -128, 127).astype(np.int8)[None].repeat(3, 0)
    y = builder.dense(x, weights, None, weight_scales=[0.01], scale=2.0, zero_point=0)
    model = builder.finish(x, y)
    check_schedule(scheduled(model, "cortex-m4", "int16", 1), model, 4)


@pytest.mark.parametrize("target", ["cortex-m33", "cortex-m4"])
def test_half_the_flash_of_a_loop(target: str) -> None:
    schedule = scheduled(dense(512, 64), target, "int16", 0)
    found = stage_candidates(schedule.graph, schedule.stages[-1], resolve(target), Wanted.LESS_FLASH)
    least = {
        kind: min(one.cost.flash_bytes for one in found if one.variant == kind) for kind in ("loop", "bytes")
    }
    assert 512 * 64 < least["bytes"] < 0.55 * least["loop"]


@pytest.mark.parametrize("board", ["nucleo-f446re", "nucleo-h743zi"])
def test_predicted_cycles_are_the_simulated_ones(board: str, tmp_path: Path) -> None:
    """Where flash waits, bytes win; the C that is compiled gives the reference's outputs in the cycles predicted."""
    model = dense(250, 61)
    written = to_c(model, tmp_path / "out", target=board)
    assert [layer.kernel for layer in written.estimate.layers][-1] == "bytes"
    inputs = np.random.default_rng(1).integers(-128, 128, (3, 250)).astype(np.int8)
    measured = simulate(tmp_path / "out", inputs)
    assert written.estimate.cycles == pytest.approx(measured.cycles, rel=0.02)


def test_chosen_where_flash_is_short() -> None:
    model = dense(1024, 128)
    assert [layer.kernel for layer in estimate(model, target="nucleo-u575zi-q").layers][-1] == "loop"
    board = board_of_size("nucleo-u575zi-q", flash_bytes=192 << 10, ram_bytes=1 << 16)
    target = replace(resolve("nucleo-u575zi-q"), board=board)
    schedule = plan_network(run_passes(read_tflite(model)), Requirements(target))
    assert schedule.stages[-1].plan is not None
    assert schedule.stages[-1].plan.variant == "bytes"
