"""Winograd's plans run instruction by instruction: every candidate gives the interpreter's bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.costing.candidate import Candidate, Wanted
from export.costing.counting.plans import count_plan
from export.frontend import read_tflite
from export.ir.ops import Padding
from export.kernels.layout import Layout
from export.operators.table import operator_of
from export.passes import run_passes
from export.schedule import Requirements, Schedule, Stage, price_network
from export.schedule.stage_plans import stage_candidates
from export.targets import resolve
from tests.export.kernels.cpu import run_plan
from tests.export.models.model_builder import ModelBuilder, Value
from tests.export.models.networks import Layers

TARGET = resolve("cortex-m33")


SQUARE = ((3, 3), (1, 1))
KERNELS = [
    SQUARE,
    SQUARE,
    ((3, 3), (2, 2)),
    ((1, 3), (1, 1)),
    ((3, 1), (1, 1)),
    ((3, 3), (2, 1)),
    ((5, 3), (1, 1)),
]
"""Rows and columns of kernels, and their strides."""


@st.composite
def models(draw: st.DrawFn) -> bytes:
    """A convolution between two others, maybe with a max pool, an Add or a depthwise layer behind it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ending = draw(st.sampled_from(["", "pool", "add", "depthwise", "pool and depthwise"]))
    kernel, stride = SQUARE if ending == "add" else draw(st.sampled_from(KERNELS))
    padding = "SAME" if ending == "add" else draw(st.sampled_from(["SAME", "VALID"]))
    least = kernel if padding == "VALID" else (1, 1)
    height, width = draw(st.integers(least[0], 11)), draw(st.integers(least[1], 11))
    filters = draw(st.integers(1, 9))
    channels = draw(st.integers(1, 9))
    extreme = draw(st.booleans())
    kept = draw(st.sampled_from([1, 1, 0.6, 0.2]))  # of whole kernels
    builder = ModelBuilder()
    start = builder.tensor((1, height, width, 2), 0.02, draw(st.integers(-128, 127)))

    def conv(
        x: Value, out: int, kernel: tuple[int, int], stride: tuple[int, int], padding: str, activation: str
    ) -> Value:
        shape = (out, *kernel, x.shape[3])
        weights = rng.choice([-127, 127], shape) if extreme else rng.integers(-127, 128, shape)
        weights[rng.random(out) < 0.1] = 0
        pairs = rng.random((out, -(-x.shape[3] // 2))) < kept
        weights *= np.repeat(pairs, 2, axis=1)[:, None, None, : x.shape[3]]
        scale = draw(st.sampled_from([0.0004, 0.02, 0.3]))
        return builder.conv(
            x,
            weights.astype(np.int8),
            rng.integers(-3000, 3000, out).astype(np.int32),
            weight_scales=rng.uniform(0.003, 0.01, out).tolist(),
            scale=scale,
            zero_point=draw(st.sampled_from([-128, -128, -5, 127])),
            stride=stride,
            padding=padding,
            activation=activation,
        )

    residual = conv(start, filters, (1, 1), (1, 1), "SAME", "none")
    x = conv(start, channels, (1, 1), (1, 1), "SAME", "none")
    y = conv(x, filters, kernel, stride, padding, draw(st.sampled_from(["none", "relu", "relu6"])))
    if ending.startswith("pool") and min(y.shape[1:3]) > 1:
        y = builder.pool("max", y, (2, 2), (2, 2))
    elif ending == "add":
        y = builder.add(y, residual, 0.05, draw(st.sampled_from([-128, 3])))
    if ending.endswith("depthwise"):
        y = builder.conv(
            y,
            rng.integers(-127, 128, (1, 3, 3, filters)).astype(np.int8),
            None,
            weight_scales=[0.005] * filters,
            scale=0.05,
            zero_point=-128,
            stride=draw(st.sampled_from([(1, 1), (2, 2)])),
            multiplier=1,
        )
    last = (3, 3) if min(y.shape[1:3]) > 2 else (1, 1)
    return builder.finish(start, conv(y, 3, last, (1, 1), "SAME", "none"))


def winograd(schedule: Schedule, stage: Stage) -> list[Candidate]:
    return [
        candidate
        for candidate in stage_candidates(schedule.graph, stage, TARGET, Wanted.LESS_MEMORY)
        if candidate.variant.startswith("winograd")
    ]


def places(layout: Layout, border: Padding) -> NDArray[np.int64]:
    """Element offset of each value of an image and of so much around it, [y, x, channel]."""
    down = np.arange(-border.top, layout.height + border.bottom) * layout.row
    across = np.arange(-border.left, layout.width + border.right) * layout.pixel
    channels = np.array([layout.channel_offset(channel) for channel in range(layout.channels)])
    return layout.offset(0, 0) + down[:, None, None] + across[:, None] + channels


def stored(values: NDArray[np.int8], layout: Layout, zero_point: int) -> bytearray:
    """An activation as it lies in memory; bytes that are never read are garbage."""
    element = np.int8 if layout.element == "int8" else np.int16
    memory = np.full(layout.size_bytes // layout.element_bytes, 0x55, element)
    memory[places(layout, layout.border)] = zero_point
    memory[places(layout, Padding())] = values.reshape(layout.height, layout.width, layout.channels)
    return bytearray(memory.tobytes())


def taken(memory: bytearray, layout: Layout) -> NDArray[np.int64]:
    element = np.int8 if layout.element == "int8" else np.int16
    return np.frombuffer(bytes(memory), element)[places(layout, Padding())].astype(np.int64)


def check(model: bytes, activations: str, image: Callable[[tuple[int, ...]], NDArray[np.int8]]) -> int:
    """Runs every candidate of every convolution on what the interpreter gives it; returns how many there were."""
    schedule = price_network(run_passes(read_tflite(model)), Requirements(TARGET, activations))
    graph = schedule.graph
    inputs = image(graph.tensors[graph.input].shape[1:])[None]
    values = {graph.input: inputs}
    for op in graph.ops:
        values[op.output] = operator_of(op).compute(graph, op, *[values[tensor] for tensor in op.inputs])
    timing = TARGET.core.timing
    assert timing is not None
    found = 0
    for stage in schedule.stages:
        for candidate in winograd(schedule, stage) if stage.op is not None else []:
            assert stage.op is not None
            assert candidate.plan is not None
            source, target = stage.reads[0], stage.writes
            zero_point = graph.tensors[source.tensor].quant.zero_point
            before = stored(values[source.tensor][0], source.layout, zero_point)
            if stage.add is not None:
                first, second = stage.add.inputs
                residual = second if first == stage.op.output else first
                after = stored(values[residual][0], target.layout, graph.tensors[residual].quant.zero_point)
            else:
                after = bytearray(b"\x55" * target.layout.size_bytes)
            plan = candidate.plan()
            assert count_plan(plan, timing).cost == candidate.cost
            run_plan(plan, [before], after)
            expected = values[target.tensor][0].reshape(
                target.layout.height, target.layout.width, target.layout.channels
            )
            np.testing.assert_array_equal(taken(after, target.layout), expected)
            found += 1
    return found


@settings(max_examples=10)
@given(models(), st.sampled_from(["int16", "int8"]), st.integers(0, 99))
def test_every_candidate_gives_the_interpreters_bytes(model: bytes, activations: str, seed: int) -> None:
    rng = np.random.default_rng(seed)

    def image(shape: tuple[int, ...]) -> NDArray[np.int8]:
        values = rng.choice([-128, 127], shape) if seed % 3 == 0 else rng.integers(-128, 128, shape)
        return values.astype(np.int8)

    check(model, activations, image)


@pytest.mark.parametrize("core", ["cortex-m33", "cortex-m4"])
def test_a_wide_residual_layer_has_kernels(core: str) -> None:
    """Its rows of outputs are further apart than a store reaches, and the Add behind it needs registers too."""
    rng = np.random.default_rng(1)
    builder = ModelBuilder()
    x = builder.tensor((1, 8, 34, 64), 0.02, 0)
    weights = rng.integers(-40, 41, (64, 3, 3, 64)).astype(np.int8)
    point = rng.integers(-40, 41, (64, 1, 1, 64)).astype(np.int8)
    residual, first = (
        builder.conv(x, point, None, weight_scales=[0.01] * 64, scale=0.1, zero_point=0) for _ in range(2)
    )
    y = builder.conv(first, weights, None, weight_scales=[0.001] * 64, scale=0.02, zero_point=0)
    total = builder.add(y, residual, 0.1, 0)
    model = builder.finish(
        x, builder.conv(total, point, None, weight_scales=[0.01] * 64, scale=0.1, zero_point=0)
    )
    schedule = price_network(run_passes(read_tflite(model)), Requirements(resolve(core), "int16"))
    fused = [stage for stage in schedule.stages if stage.add is not None]
    assert len(fused) == 1
    assert fused[0].candidate is not None
    assert fused[0].candidate.variant == "winograd4"


def test_kept_kernels_are_found_from_zeros_and_cost_less() -> None:
    """With half of the kernels, in blocks of four channels, the products take about half the cycles."""
    rng = np.random.default_rng(0)
    weights = rng.integers(-127, 128, (16, 3, 3, 32)).astype(np.int8)

    def model(weights: NDArray[np.int8]) -> dict[str, int]:
        builder = ModelBuilder()
        x = builder.tensor((1, 12, 12, 32), 0.02, 0)
        y = builder.conv(x, weights, None, weight_scales=[0.01] * 16, scale=0.1, zero_point=0)
        schedule = price_network(run_passes(read_tflite(builder.finish(x, y))), Requirements(TARGET))
        found: dict[str, int] = {}
        for stage in schedule.stages:
            for candidate in winograd(schedule, stage) if stage.op is not None else []:
                found.setdefault(candidate.variant, candidate.price.cycles)
        return found

    dense = model(weights)
    kept = np.repeat(rng.permutation(64).reshape(4, 16) < 32, 4, axis=0)
    half = model(weights * np.repeat(kept, 2, axis=1)[:, None, None, :].astype(np.int8))
    assert not any(name.endswith("sparse") for name in dense)
    assert half["winograd4"] == dense["winograd4"]
    assert half["winograd4 sparse"] < 0.7 * dense["winograd4"]


@pytest.mark.slow
def test_a_layer_has_candidates_of_both_algorithms_and_of_several_strips() -> None:
    network = Layers(np.random.default_rng(0))
    x = network.input((11, 9, 6))
    model = network.builder.finish(x, network.conv(network.conv(x, 5), 4, activation="relu"))
    schedule = price_network(run_passes(read_tflite(model)), Requirements(TARGET))
    found = [
        (candidate.variant, candidate.scratch_bytes)
        for stage in schedule.stages
        if stage.op is not None
        for candidate in winograd(schedule, stage)
    ]
    assert len({size for name, size in found if name == "winograd4"}) >= 3
    assert len({size for name, size in found if name == "winograd2"}) >= 3
    assert check(model, "int16", lambda shape: np.full(shape, -128, np.int8)) == len(found)
