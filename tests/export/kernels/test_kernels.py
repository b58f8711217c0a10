"""Planned layers run instruction by instruction: results, products, constants and cycles are those of the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.analysis.interpreter import run
from export.costing.counting import kernel_cycles as flow
from export.frontend import read_tflite
from export.ir.ops import Conv2D, FullyConnected
from export.kernels.language.instructions import ENTRY, EXIT, instructions
from export.kernels.language.steps import Step
from export.kernels.plan import calls_of
from export.passes import run_passes
from export.schedule import Requirements, Schedule, plan_network
from export.schedule.stage import Buffer
from export.targets import Instruction, State, Timing, resolve
from tests.export.codegen.test_planned import convolutions, dense_layers
from tests.export.kernels.cpu import run_plan
from tests.export.models.model_builder import ModelBuilder
from tests.export.models.networks import Layers, random_inputs, single_op_models

TARGET = resolve("cortex-m33")


def scheduled(model: bytes, activations: str = "int16") -> Schedule:
    return plan_network(run_passes(read_tflite(model)), Requirements(TARGET, activations))


def run_schedule(schedule: Schedule, image: NDArray[np.int8]) -> tuple[bytes, list[list[list[Step]]]]:
    """Output bytes for one image, and each call's trace of each stage. The arena starts with garbage."""
    graph = schedule.graph
    places = {
        "input": bytearray(image.tobytes()),
        "output": bytearray(graph.tensors[graph.output].size),
        "arena": bytearray(np.random.default_rng(0).bytes(schedule.arena_bytes)),
    }

    def content(buffer: Buffer) -> bytearray:
        place = places[buffer.place]
        return place[buffer.offset : buffer.offset + buffer.layout.size_bytes] if buffer.offset else place

    traces = []
    for stage in schedule.stages:
        assert stage.plan is not None
        output = content(stage.writes)
        traces.append(run_plan(stage.plan, [content(read) for read in stage.reads], output))
        place = places[stage.writes.place]
        place[stage.writes.offset : stage.writes.offset + len(output)] = output
    return bytes(places["output"]), traces


def check(model: bytes, count: int = 2) -> None:
    """Planned with activations of either kind, the network gives the interpreter's bytes."""
    for activations in ("int16", "int8"):
        schedule = scheduled(model, activations)
        if all(stage.plan is not None for stage in schedule.stages):  # the rest is left to plain C
            check_schedule(schedule, model, count)


def check_schedule(schedule: Schedule, model: bytes, count: int) -> None:
    graph = read_tflite(model)
    inputs = random_inputs(graph.tensors[graph.input].shape[1:], count + 2)[2 - count :]
    expected = run(graph, inputs)
    for image, wanted in zip(inputs, expected, strict=True):
        assert run_schedule(schedule, image)[0] == wanted.tobytes()


@settings(max_examples=12)
@given(convolutions())
def test_convolutions(model: bytes) -> None:
    check(model, 1)


@settings(max_examples=12)
@given(dense_layers())
def test_dense_layers(model: bytes) -> None:
    check(model)


def test_kept_products_further_apart_than_a_load_reaches() -> None:
    weights = np.zeros((2, 9000), np.int8)
    weights[0, [0, 8999]] = 100
    weights[1, [2, 4500, 4502]] = -100
    builder = ModelBuilder()
    x = builder.tensor((1, 9000), 0.02, 3)
    y = builder.dense(x, weights, None, weight_scales=[0.01], scale=0.02, zero_point=0)
    check(builder.finish(x, y), 4)


@pytest.mark.parametrize("activation", ["none", "relu"])
@pytest.mark.parametrize("dense", [False, True])
def test_channels_without_products_whose_scale_vanishes(dense: bool, activation: str) -> None:
    """Converters choose such a scale so small that the bias fills 30 bits; the output keeps all its channels."""
    rng = np.random.default_rng(2)
    weights = rng.integers(-127, 128, (6, 8) if dense else (6, 3, 3, 8)).astype(np.int8)
    weights[[1, 4]] = 0
    bias = rng.integers(-3000, 3000, 6).astype(np.int32)
    bias[[1, 4]] = (1 << 30) - 1, -(1 << 30)
    scales = [1e-10 if channel in (1, 4) else 0.004 for channel in range(6)]
    builder = ModelBuilder()
    x = builder.tensor((1, 8) if dense else (1, 4, 6, 8), 0.02, 3)
    build = builder.dense if dense else builder.conv
    y = build(x, weights, bias, weight_scales=scales, scale=0.05, zero_point=-7, activation=activation)
    model = builder.finish(x, y)
    assert all(stage.plan is not None for stage in scheduled(model).stages)
    check(model, 4)


@pytest.mark.parametrize("name", sorted(single_op_models()))
def test_every_operator_alone(name: str) -> None:
    model = single_op_models(seed=1)[name]
    assert all(stage.plan is not None for stage in scheduled(model).stages)
    check(model)


@settings(max_examples=20)
@given(st.data())
def test_pools_of_any_window(data: st.DataObject) -> None:
    def drawn(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    network = Layers(np.random.default_rng(drawn(0, 99)))
    x = network.input((drawn(5, 9), drawn(5, 9), drawn(1, 9)))
    kind, padding = (
        data.draw(st.sampled_from(["max", "average"])),
        data.draw(st.sampled_from(["SAME", "VALID"])),
    )
    window, stride = (drawn(1, 5), drawn(1, 5)), (drawn(1, 3), drawn(1, 3))
    model = network.builder.finish(x, network.pool(x, kind, window, stride=stride, padding=padding))
    assert all(stage.plan is not None for stage in scheduled(model).stages)
    check(model, 1)


@pytest.mark.parametrize("channels", [3, 4, 6, 11])
@pytest.mark.parametrize("kind", ["max", "average", "mean"])
def test_windows_too_large_to_be_unrolled(kind: str, channels: int) -> None:
    network = Layers(np.random.default_rng(0))
    x = network.input((7, 6, channels))
    y = network.mean(x) if kind == "mean" else network.pool(x, kind, (5, 5), stride=(1, 1), padding="SAME")
    check(network.builder.finish(x, y), 1)


def test_channels_that_keep_the_same_inputs_share_their_loads() -> None:
    weights = np.zeros((8, 1, 1, 16), np.int8)
    weights[0::2, ..., :8] = weights[1::2, ..., 8:] = 50
    builder = ModelBuilder()
    x = builder.tensor((1, 4, 4, 16), 0.02)
    y = builder.conv(x, weights, None, weight_scales=[0.01], scale=0.05, zero_point=0)
    (plan,) = [stage.plan for stage in scheduled(builder.finish(x, y)).stages if stage.kind == "conv2d"]
    assert plan is not None
    assert len(plan.kernels) == 2
    loads = sum(item.name == "X" for kernel in plan.kernels for item in kernel.steps)
    assert loads == 2 * 4 * 2  # blocks, pairs, positions


def multiplications(steps: Sequence[Step]) -> int:
    return sum(item.name in ("MAC", "DOT_FROM") for item in steps)


@settings(max_examples=20)
@given(st.one_of(convolutions(), dense_layers()), st.sampled_from(["int16", "int8"]))
def test_skipped_pairs_leave_no_instruction(model: bytes, activations: str) -> None:
    schedule = scheduled(model, activations)
    for stage in schedule.stages:
        op, plan = stage.op, stage.plan
        if not isinstance(op, Conv2D | FullyConnected) or plan is None or plan.variant != "unpacked":
            continue
        weights = np.asarray(schedule.graph.constant(op.weights))
        weights = weights.reshape(len(weights), 1, -1) if weights.ndim == 2 else weights
        odd = weights.shape[-1] % 2
        padded = np.pad(weights, [*([(0, 0)] * (weights.ndim - 1)), (0, odd)])
        pairs = np.count_nonzero(padded[..., 0::2] | padded[..., 1::2])
        loads = sum(item.name == "X" for kernel in plan.kernels for item in kernel.steps)
        found = sum(multiplications(kernel.steps) for kernel in plan.kernels)
        assert found in ({0} if pairs == 0 else {pairs, 2 * pairs})  # at one position or two
        assert loads <= found


@settings(max_examples=20)
@given(st.one_of(convolutions(), dense_layers()), st.sampled_from(["int16", "int8"]))
def test_the_predicted_way_is_the_way_taken(model: bytes, activations: str) -> None:
    schedule = scheduled(model, activations)
    graph = schedule.graph
    _, traces = run_schedule(schedule, random_inputs(graph.tensors[graph.input].shape[1:], 1)[0])

    def count(code: Sequence[Instruction], timing: Timing, taken: bool, before: State) -> int:
        return len(code)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flow, "block_cycles", count)
        for stage, calls in zip(schedule.stages, traces, strict=True):
            assert stage.plan is not None
            for call, trace in zip(calls_of(stage.plan), calls, strict=True):
                steps = stage.plan.kernels[call.kernel].steps
                assert TARGET.core.timing is not None
                profile = flow.kernel_profile(steps, TARGET.core.timing, call.counts)
                ran = sum(len(instructions(item)) for item in trace)
                assert profile.cycles == len(ENTRY) + ran + len(EXIT)
                kinds = Counter(item.name for item in trace)
                loaded = sum(
                    len(item.args) * n for item, n in Counter(trace).items() if item.name[:4] == "LOAD"
                )
                if kinds["DONE"] == 0:  # a pooled block reads its first words twice
                    assert profile.words * profile.blocks == loaded
                else:
                    assert profile.words * profile.blocks // 2 < loaded <= profile.words * profile.blocks
