"""Depthwise layers over planes give the interpreter's bytes, along either axis, of any shape that the kernels take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.analysis.interpreter import run
from export.api import to_c
from export.artifact.compiling import build_host
from export.costing.candidate import Wanted
from export.costing.choice import planned_candidate
from export.frontend import read_tflite
from export.ir.graph import Graph
from export.ir.ops import DepthwiseConv2D
from export.kernels.conv_problem import depthwise_problem
from export.kernels.planes.plan import AXES, plan_gathered
from export.passes import run_passes
from export.schedule import Requirements, price_network
from export.schedule.remembered import Remembered
from export.schedule.stage import Stage
from export.schedule.stage_plans import completed, stage_candidates
from export.targets import resolve
from tests.export.kernels.test_kernels import run_schedule
from tests.export.models.networks import ACTIVATIONS, Layers, random_inputs

TARGET = resolve("cortex-m33")


def check(model: bytes, activations: str) -> int:
    """Compares a network whose depthwise layer is computed over planes.

    Returns:
        Along how many axes the kernels computed it.
    """
    graph = run_passes(read_tflite(model))
    inputs = random_inputs(graph.tensors[graph.input].shape[1:], 3)[1:]
    expected, found = run(graph, inputs), 0
    for axis in AXES:

        def planes(graph: Graph, stage: Stage, axis: str = axis) -> object:
            assert isinstance(stage.op, DepthwiseConv2D)
            problem = depthwise_problem(graph, stage.op, stage.reads[0].layout, stage.writes.layout)
            plan = None if problem is None else plan_gathered(problem, axis)
            return None if plan is None else completed(graph, stage, plan)

        def candidates(graph: Graph, stage: Stage, target: object, wanted: Wanted = Wanted.FASTEST) -> object:
            if isinstance(stage.op, DepthwiseConv2D):
                plan = planes(graph, stage)
                return [] if plan is None else [planned_candidate(plan, TARGET)]
            return stage_candidates(graph, stage, TARGET, wanted)

        schedule = price_network(graph, Requirements(TARGET, activations), Remembered(candidates))
        if any(stage.candidate is None for stage in schedule.stages):
            continue
        found += 1
        chosen: list[Any] = [stage.candidate for stage in schedule.stages]
        stages = tuple(
            replace(stage, plan=one.plan()) for stage, one in zip(schedule.stages, chosen, strict=True)
        )
        for image, wanted in zip(inputs, expected, strict=True):
            assert run_schedule(replace(schedule, stages=stages), image)[0] == wanted.tobytes()
    return found


@settings(max_examples=20)
@given(st.data())
def test_any_shape(data: st.DataObject) -> None:
    def drawn(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    network = Layers(
        np.random.default_rng(drawn(0, 99)), contrast=data.draw(st.sampled_from([0.3, 1.0, 3.0]))
    )
    kernel = data.draw(st.sampled_from([(3, 3), (3, 3), (3, 1), (1, 3), (2, 3), (3, 2)]))
    x = network.input((drawn(3, 9), drawn(3, 9), drawn(1, 9)))
    y = network.depthwise(
        x,
        kernel=kernel,
        stride=(drawn(1, 2), drawn(1, 2)),
        padding=data.draw(st.sampled_from(["SAME", "VALID"])),
        activation=data.draw(st.sampled_from(ACTIVATIONS)),
        per_channel=data.draw(st.booleans()),
    )
    assert check(network.builder.finish(x, y), data.draw(st.sampled_from(["int16", "int8"]))) > 0


@pytest.mark.parametrize(
    ("width", "stride", "activations"),
    [(41, 1, "int16"), (48, 1, "int8"), (45, 2, "int16"), (48, 2, "int16")],
)
def test_rows_that_are_not_written_out(width: int, stride: int, activations: str) -> None:
    network = Layers(np.random.default_rng(0))
    x = network.input((2, stride * width, 3))
    y = network.depthwise(x, stride=(1, stride), activation="relu")
    assert check(network.builder.finish(x, y), activations) > 0


def test_dilated_rows_of_taps() -> None:
    network = Layers(np.random.default_rng(0))
    x = network.input((9, 7, 4))
    y = network.depthwise(x, dilation=(2, 1), padding="VALID")
    assert check(network.builder.finish(x, y), "int16") == 1


def test_distances_beyond_the_reach_of_a_store() -> None:
    network = Layers(np.random.default_rng(0))
    x = network.input((1, 9, 300))
    y = network.depthwise(x, kernel=(1, 3), activation="relu")
    assert check(network.builder.finish(x, y), "int16") == 1


def test_a_single_row_compiles_without_a_warning(tmp_path: Path) -> None:
    network = Layers(np.random.default_rng(0))
    x = network.input((1, 32, 8))
    model = network.builder.finish(x, network.depthwise(x, kernel=(1, 3), padding="VALID"))
    done = to_c(model, tmp_path / "out", activations="int16")
    assert "planes" in {layer["kernel"] for layer in done.manifest["layers"]}
    inputs = random_inputs((1, 32, 8), 4)
    np.testing.assert_array_equal(build_host(done.path).run(inputs), run(read_tflite(model), inputs))
