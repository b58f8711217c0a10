"""Kernels that are only counted take exactly what they take once they are written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.costing.counts import (
    Unnumbered,
    count_bytes,
    count_loop,
    count_plan,
    count_unpacked,
    least_direct,
)
from export.kernels.direct.byte_weights import plan_bytes
from export.kernels.direct.loops import Geometry
from export.kernels.direct.plan import (
    ConvProblem,
    block_channels,
    kept_pairs,
    loop_unrollings,
    plan_loop,
    plan_unpacked,
)
from export.kernels.plan import on_word_boundaries, with_wide_loads
from export.kernels.requantize import Requantization
from export.targets import Timing
from tests.export.timings import timing_of

TIMINGS = [timing_of(name) for name in ("cortex-m33", "cortex-m4", "cortex-m7")]
ENTRY = Requantization(1, 1 << 30, 0, 3, "round", None, None)


def conv(
    weights: np.ndarray,
    *,
    rows: int = 3,
    columns: int = 4,
    stride: int = 1,
    dilation: int = 1,
    width: int | None = None,
    pooled: bool = False,
    widened: bool = False,
    entries: tuple[Requantization, ...] | None = None,
) -> ConvProblem:
    """A convolution over an image as wide as need be, or `width` pixels."""
    out, _, wide, channels = weights.shape
    size = 1 if widened else 2
    pixel = size * (channels + -channels % (4 if widened else 2))
    extent = (columns - 1) * stride + (wide - 1) * dilation + 1
    row = pixel * max(extent, width or 0)
    down = 2 if pooled else 1
    geometry = Geometry(
        rows=rows,
        columns=columns,
        in_x=stride * pixel,
        in_y=stride * row,
        out_x=2 * out,
        out_y=2 * out * (columns // down),
        out_bytes=2,
        pooled=pooled,
    )
    return ConvProblem(
        geometry=geometry,
        weights=weights.astype(np.int32),
        bias=np.zeros(out, np.int64),
        requantization=entries or (ENTRY,) * out,
        tap_y=dilation * row,
        tap_x=dilation * pixel,
        source=0,
        target=0,
        output_offsets=tuple(2 * channel for channel in range(out)),
        output_step=2,
        widened=widened,
    )


def random_weights(
    shape: tuple[int, ...], kept: float, seed: int, granularity: tuple[int, int]
) -> np.ndarray:
    """Weights of which groups of input and output channels are kept at random."""
    rng = np.random.default_rng(seed)
    inputs, outputs = granularity
    out, high, wide, channels = shape
    groups = rng.random((-(-out // outputs), high, wide, -(-channels // inputs))) < kept
    spread = groups.repeat(outputs, axis=0)[:out].repeat(inputs, axis=3)[..., :channels]
    return np.where(spread, rng.integers(1, 100, shape), 0)


def assert_counted(problem: ConvProblem, timings: list[Timing] = TIMINGS) -> None:
    full = block_channels(problem.geometry)
    kept = int(np.count_nonzero(kept_pairs(problem)))
    for size in {full, full - 1, 2}:
        plan = plan_unpacked(problem, size)
        for timing in timings:
            assert count_unpacked(problem, size, timing) == count_plan(plan, timing)
            counted = count_unpacked(problem, size, timing, widely=True)
            assert counted == count_plan(with_wide_loads(plan), timing)
            assert least_direct(problem, kept, timing) <= counted.cost.cycles
            assert least_direct(problem, kept, timing) <= count_plan(plan, timing).cost.cycles


@pytest.mark.parametrize("kernel", [(3, 3), (3, 5), (3, 9)])
def test_kernel_columns_share_inputs_of_neighboring_positions(kernel: tuple[int, int]) -> None:
    weights = random_weights((8, *kernel, 16), 1, 7, (2, 8))
    weights[..., :2] = 0
    assert_counted(conv(weights, rows=4, columns=32))


@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 3), st.integers(1, 3), st.integers(1, 9)),
    positions=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    strides=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    kept=st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0]),
    granularity=st.sampled_from([(1, 1), (2, 1), (2, 4)]),
    pooled=st.booleans(),
    widened=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_random_convolutions(
    shape: tuple[int, ...],
    positions: tuple[int, int],
    strides: tuple[int, int],
    kept: float,
    granularity: tuple[int, int],
    pooled: bool,
    widened: bool,
    seed: int,
) -> None:
    rows, columns = (2 * count for count in positions) if pooled else positions
    assert_counted(
        conv(
            random_weights(shape, kept, seed, granularity),
            rows=rows,
            columns=columns,
            stride=strides[0],
            dilation=strides[1],
            pooled=pooled,
            widened=widened,
        )
    )


@pytest.mark.parametrize("kept", [0.02, 0.5])
@pytest.mark.parametrize("columns", [1, 4])
@pytest.mark.parametrize("width", [60, 400])
def test_rows_that_are_far_apart(width: int, columns: int, kept: float) -> None:
    """The input pointer moves from row to row: by one addition, or beyond the reach of one."""
    weights = random_weights((6, 3, 3, 16), kept, 1, (2, 1))
    assert_counted(conv(weights, columns=columns, width=width))


@pytest.mark.parametrize("kept", [0.004, 0.1, 0.4])
@pytest.mark.parametrize("widened", [False, True])
def test_long_dense_layers(kept: float, widened: bool) -> None:
    weights = random_weights((5, 1, 1, 9000), kept, 2, (1, 1))
    dense = conv(weights, rows=1, columns=1, widened=widened)
    assert_counted(
        replace(dense, geometry=Geometry(1, 1, 0, 0, 0, 0, 2, False), tap_x=0, tap_y=0), TIMINGS[:2]
    )


@pytest.mark.parametrize("columns", [1, 2])
def test_pixels_too_large_for_one_pointer(columns: int) -> None:
    """The pointer moves back and forth: such kernels are written to be counted."""
    assert_counted(conv(random_weights((3, 2, 3, 900), 0.01, 3, (2, 1)), columns=columns), TIMINGS[:1])


def test_channels_that_are_requantized_differently() -> None:
    entries = [
        replace(ENTRY, mode=mode, shift=shift, low=low, high=high)
        for mode in ("round", "signed")
        for shift, low, high in ((0, None, None), (4, -100, None), (9, None, 30), (2, 5, 90))
    ]
    weights = random_weights((8, 3, 3, 4), 0.5, 4, (2, 1))
    assert_counted(conv(weights, entries=tuple(entries)))


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
