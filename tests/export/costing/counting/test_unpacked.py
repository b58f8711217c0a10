"""Unpacked kernels that are only counted take exactly what they take once they are written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.costing.counting.plans import count_plan
from export.costing.counting.unpacked import count_unpacked, least_direct
from export.kernels.direct.loops import Geometry
from export.kernels.direct.plan import ConvProblem, block_channels, kept_pairs, plan_unpacked
from export.kernels.plan import with_wide_loads
from export.targets import Timing
from tests.export.costing.counting.problems import ENTRY, TIMINGS, conv, random_weights


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
