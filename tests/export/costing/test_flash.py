"""Kernels get smaller as flash does, and stay exact choices of the same network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.costing.candidate import Candidate, Price
from export.costing.counting.plans import count_plan
from export.costing.flash import fit_flash, with_plain_c
from export.costing.kernel_cost import KernelCost
from export.costing.plain_c import PlainCost
from export.frontend import read_tflite
from export.passes import run_passes
from export.schedule import Requirements, plan_network
from export.schedule.estimate import estimate_schedule
from export.targets import resolve
from tests.export.models.networks import Layers


def test_less_flash_gives_smaller_kernels() -> None:
    network = Layers(np.random.default_rng(1), zeros=0.75)
    x = network.input((8, 8, 16))
    y = network.conv(network.conv(x, 16), 16)
    graph = run_passes(read_tflite(network.builder.finish(x, y)))
    target = resolve("cortex-m33")
    listed, timing = target.board, target.timing
    assert listed is not None
    assert timing is not None

    def plan(flash_bytes: int) -> tuple[int, list[str]]:
        board = replace(listed, flash=replace(listed.flash, size=flash_bytes))
        stages = plan_network(graph, Requirements(replace(target, board=board))).stages
        plans = [stage.plan for stage in stages if stage.plan is not None]
        taken = sum(count_plan(plan, timing).cost.flash_bytes for plan in plans)
        return taken, [plan.variant for plan in plans if plan.variant != "direct"]

    roomy, variants = plan(1 << 20)
    assert plan(roomy) == (roomy, variants)
    smaller, one_less = plan(roomy - 1)
    assert smaller < roomy
    assert one_less != variants
    least, all_small = plan(0)
    assert least < smaller or one_less == all_small
    assert all_small == ["loop", "loop"]


def _candidate(cycles: int, flash_bytes: int) -> Candidate:
    return Candidate(f"{cycles}", Price(cycles, flash_bytes), KernelCost(cycles, 0, 0, flash_bytes), 0, None)


def test_the_layer_that_has_to_be_smaller_alone_is() -> None:
    """The first one saves most bytes for a cycle, and keeps its fastest kernels all the same."""
    choices = [[_candidate(100, 500), _candidate(110, 100)], [_candidate(100, 1000), _candidate(300, 100)]]
    found = fit_flash([first for first, *_ in choices], choices.__getitem__, 800)
    assert [one.variant for one in found if one is not None] == ["100", "300"]
    tight = fit_flash([first for first, *_ in choices], choices.__getitem__, 610)
    assert [one.variant for one in tight if one is not None] == ["110", "300"]  # some flash is spared


_CHOICES = st.lists(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 40)), min_size=1, max_size=4),
    min_size=1,
    max_size=4,
)


@given(_CHOICES, st.integers(0, 200))
def test_no_choice_that_fits_takes_fewer_cycles(numbers: list[list[tuple[int, int]]], limit: int) -> None:
    choices = [[_candidate(cycles, size) for cycles, size in sorted(stage)] for stage in numbers]
    found = [one for one in fit_flash([first for first, *_ in choices], choices.__getitem__, limit) if one]
    fastest = [first for first, *_ in choices]
    if _bytes(fastest) <= limit:
        assert found == fastest
        return
    least = sum(min(one.price.flash_bytes for one in stage) for stage in choices)
    room = limit - limit // 16 if least <= limit - limit // 16 else max(limit, least)
    assert _cycles(found) == min(_cycles(ways) for ways in product(*choices) if _bytes(ways) <= room)
    assert _bytes(found) <= room


def test_many_stages_fit_closely() -> None:
    """More sums than are kept: what is dropped costs next to nothing, and the limit holds."""
    rng = np.random.default_rng(0)
    choices = [
        [
            _candidate(int(cycles), int(size))
            for cycles, size in zip(
                np.sort(rng.integers(1, 10**6, 12)), rng.integers(1, 10**5, 12), strict=True
            )
        ]
        for _ in range(40)
    ]
    sizes = [[one.price.flash_bytes for one in stage] for stage in choices]
    least = sum(map(min, sizes))
    assert least <= _bytes(fit_flash([stage[0] for stage in choices], choices.__getitem__, least)) <= least
    limit = (least + sum(stage[0].price.flash_bytes for stage in choices)) // 2
    found = fit_flash([stage[0] for stage in choices], choices.__getitem__, limit)
    assert 0.99 * (limit - limit // 16) < _bytes(found) <= limit - limit // 16


def _bytes(ways: Iterable[Candidate | None]) -> int:
    return sum(one.price.flash_bytes for one in ways if one is not None)


def _cycles(ways: Iterable[Candidate]) -> int:
    return sum(one.price.cycles for one in ways)


def test_a_choice_that_is_not_the_fastest_is_where_it_begins() -> None:
    """The caller took a near-tie with less scratch memory, which the limit does not concern."""
    slow, fast = _candidate(101, 500), _candidate(100, 900)
    assert fit_flash([slow], {0: [fast, slow, _candidate(300, 100)]}.__getitem__, 600) == [slow]


def test_plain_c_takes_the_layers_that_do_not_fit() -> None:
    """As few as possible, and none if that does not help."""
    chosen = [_candidate(100, 400), _candidate(100, 500), None, _candidate(400, 2000)]
    plain = [PlainCost(500, 200), PlainCost(300, 250), None, PlainCost(9000, 1000)]

    def left(limit: int) -> list[int]:
        found = with_plain_c(chosen, plain.__getitem__, limit)
        return [index for index, one in enumerate(found) if one is None and chosen[index] is not None]

    assert left(2900) == []
    assert left(2890) == [1]
    assert left(2620) == [0, 1]
    assert left(2200) == [3]
    assert left(1600) == [0, 1, 3]
    assert left(1000) == []


@pytest.mark.parametrize(("size", "kernels"), [(1, {"bytes", "loop"}), (2, {None, "loop", "bytes"})])
def test_a_board_of_little_flash_holds_weights_as_bytes(size: int, kernels: set[str | None]) -> None:
    """In a kernel where a layer has a single position, in plain C where it has more."""
    network = Layers(np.random.default_rng(1))
    x = network.input((size, size, 256))
    y = network.dense(x, 256) if size == 1 else network.mean(network.conv(x, 256, (1, 1)))
    graph = run_passes(read_tflite(network.builder.finish(x, network.dense(y, 8))))
    target = resolve("stm32f405")
    assert target.board is not None
    board = replace(target.board, flash=replace(target.board.flash, size=100_000))
    schedule = plan_network(graph, Requirements(replace(target, board=board)))
    products = [stage for stage in schedule.stages if stage.kind in ("fully_connected", "conv2d")]
    found = [stage.candidate.variant if stage.candidate else None for stage in products]
    assert found[0] == ("bytes" if size == 1 else None)
    assert {*found} <= kernels
    estimate = estimate_schedule(schedule, target)
    assert estimate.flash_bytes is not None
    assert 66_000 < estimate.flash_bytes < 90_000
