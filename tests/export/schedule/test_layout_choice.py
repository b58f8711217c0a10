"""Activations in other layouts: taken where they are faster, exact in any chain, refused where others read them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from export.frontend import read_tflite
from export.passes import run_passes
from export.schedule import Requirements, Schedule, plan_network
from export.targets import resolve
from tests.export.kernels.test_kernels import check_schedule
from tests.export.models.networks import Layers


def planned(model: bytes, target: str = "cortex-m33", activations: str = "int16") -> Schedule:
    return plan_network(run_passes(read_tflite(model)), Requirements(resolve(target), activations))


def planes(schedule: Schedule) -> int:
    return sum(stage.writes.layout.lines > 0 for stage in schedule.stages)


@settings(max_examples=12)
@given(st.data())
def test_chains_are_exact(data: st.DataObject) -> None:
    def drawn(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    network = Layers(np.random.default_rng(drawn(0, 99)))
    x = network.input((drawn(3, 9), drawn(3, 9), drawn(1, 6)))
    y = network.conv(x, drawn(1, 9), data.draw(st.sampled_from([(1, 1), (3, 3)])), activation="relu")
    if data.draw(st.booleans()):
        y = network.pool(y)
    for _ in range(drawn(1, 2)):
        padding = data.draw(st.sampled_from(["SAME", "VALID"])) if min(y.shape[1:3]) > 2 else "SAME"
        kernel = data.draw(st.sampled_from([(3, 3), (1, 3)]))
        y = network.depthwise(y, kernel=kernel, stride=(drawn(1, 2), drawn(1, 2)), padding=padding)
    model = network.builder.finish(x, network.conv(y, drawn(1, 5), (1, 1)))
    check_schedule(planned(model), model, 1)


class Positive(Layers):
    """Layers whose zero points are those of a ReLU's output."""

    def zero_point(self) -> int:
        return -128


def separable(size: int = 12, *, twice: bool = False) -> bytes:
    network = Positive(np.random.default_rng(1))
    x = network.input((size, size, 4))
    y = network.conv(x, 8, (1, 1), activation="relu")
    z = network.depthwise(y, activation="relu")
    if twice:
        z = network.add(z, y)
    return network.builder.finish(x, network.conv(z, 4, (1, 1)))


def test_planes_are_taken_where_they_are_faster() -> None:
    for target in ("cortex-m33", "cortex-m4"):
        schedule = planned(separable(), target)
        assert planes(schedule) == 1
        depthwise = next(stage for stage in schedule.stages if stage.kind == "depthwise_conv2d")
        assert depthwise.candidate is not None
        assert depthwise.scratch_bytes == 0
        assert depthwise.candidate.cost.cycles <= 14.5 * 12 * 12 * 8 * (1.1 if target == "cortex-m4" else 1)
    check_schedule(planned(separable()), separable(), 2)


def test_winograds_outputs_go_to_planes() -> None:
    network = Positive(np.random.default_rng(1))
    x = network.input((12, 12, 8))
    y = network.conv(x, 8, activation="relu")
    model = network.builder.finish(x, network.conv(network.depthwise(y), 4, (1, 1)))
    schedule = planned(model)
    written = [stage for stage in schedule.stages if stage.writes.layout.lines]
    assert [stage.candidate.variant for stage in written if stage.candidate] == ["winograd4"]
    check_schedule(schedule, model, 2)


def test_pixels_stay_where_somebody_else_reads_them() -> None:
    assert planes(planned(separable(twice=True))) == 0
    assert planes(planned(separable(), activations="int8")) == 0


@settings(max_examples=10)
@given(st.data())
def test_few_channels_are_exact(data: st.DataObject) -> None:
    """Pairs along a kernel's rows, where windows start with whole words; whatever is chosen is exact."""

    def drawn(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    network = Layers(np.random.default_rng(drawn(0, 99)), zeros=data.draw(st.sampled_from([0.0, 0.6])))
    kernel = (drawn(1, 4), drawn(1, 5))
    x = network.input((drawn(4, 9), drawn(5, 9), data.draw(st.sampled_from([1, 3, 5]))))
    y = network.conv(
        x,
        drawn(1, 6),
        kernel,
        stride=(drawn(1, 3), data.draw(st.sampled_from([1, 2, 2, 4]))),
        padding=data.draw(st.sampled_from(["SAME", "VALID"])),
    )
    model = network.builder.finish(x, y)
    check_schedule(planned(model), model, 1)


def test_pairs_along_rows_halve_what_single_channels_cost() -> None:
    """The first layer of keyword spotting; 40 products an output."""
    network = Positive(np.random.default_rng(0))
    x = network.input((49, 10, 1))
    y = network.conv(x, 8, (10, 4), stride=(2, 2), activation="relu")
    model = network.builder.finish(x, y)
    schedule = planned(model)
    assert [stage.writes.layout.pixel for stage in schedule.stages[:1]] == [1]
    layer = schedule.stages[1]
    assert layer.candidate is not None
    assert layer.candidate.cost.cycles <= 45 * 25 * 5 * layer.writes.layout.channels
    check_schedule(schedule, model, 1)
