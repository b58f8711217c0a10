"""Chooses the kernels of a convolution: candidates are counted, priced, and the cheapest is planned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from export.costing.candidate import Candidate, Price
from export.costing.counts import Count, count_loop, count_unpacked
from export.costing.kernel_cost import known, plan_cost
from export.kernels.conv import (
    ConvProblem,
    block_channels,
    kept_pairs,
    loop_unrollings,
    plan_loop,
    plan_unpacked,
)
from export.kernels.plan import Plan
from export.targets import CORES, Target, Timing
from export.targets.boards import InstructionCache

SPARSE = 0.6  # with fewer pairs kept, a loop over all of them cannot win
DENSE = 0.95  # with more pairs kept, skipping saves nothing
_LARGEST_TURN = 4096  # bytes of a loop's body worth trying


def candidates(problem: ConvProblem, target: Target, *, small: bool = False) -> list[Candidate]:
    """Plans worth considering for a target, the one of the fewest cycles first, then of the fewest bytes.

    Args:
        problem: the layer.
        target: whose timing, cache and flash count; a core without a timing table is priced as a Cortex-M33.
        small: whether plans that are only smaller, not faster, are wanted too.
    """
    timing, board = priced_timing(target), target.board
    cache, waits = (board.cache, board.wait_states) if board else (None, 0)
    found = [
        Candidate(variant, price_count(count, cache, waits), known(count.cost, target), plan)
        for variant, count, plan in _candidates(problem, timing, cache, small)
    ]
    return sorted(found, key=lambda candidate: (candidate.price.cycles, candidate.price.flash_bytes))


def planned_candidate(plan: Plan, target: Target) -> Candidate:
    """The candidate of a plan that is there already, where there is no choice."""
    cost = plan_cost(plan, priced_timing(target))
    price = Price(cost.kernel_cycles or 0, cost.flash_bytes)
    return Candidate(plan.variant, price, known(cost, target), lambda: plan)


def priced_timing(target: Target) -> Timing:
    """The pipeline that kernels are chosen for: a Cortex-M33's for a core without a timing table."""
    timing = target.core.timing or CORES["cortex-m33"].timing
    assert timing is not None
    return timing


def _candidates(
    problem: ConvProblem, timing: Timing, cache: InstructionCache | None, small: bool
) -> Iterator[tuple[str, Count, Callable[[], Plan]]]:
    pairs = kept_pairs(problem)
    kept = np.count_nonzero(pairs) / max(1, pairs.size)
    unrollings = loop_unrollings(problem) if kept > SPARSE or small else []
    columns, channels = problem.weights.shape[2], block_channels(problem.geometry)
    bytes_of_pair = 4 * columns * channels * (problem.geometry.positions + 1)
    sized = [count for count in unrollings if count * bytes_of_pair <= _LARGEST_TURN] or unrollings[:1]
    turns = [(unrolled, False) for unrolled in sized[-3:]]
    whole = -(-problem.weights.shape[3] // problem.channels_of_word) * problem.channels_of_word // 2
    if whole in sized and problem.weights.shape[1] * whole * bytes_of_pair <= _LARGEST_TURN:
        turns.append((whole, True))
    for unrolled, rows in turns:
        plan = partial(plan_loop, problem, unrolled, rows=rows)
        yield "loop", count_loop(problem, unrolled, rows, timing), plan
    if kept <= DENSE or not unrollings:
        sizes = [channels]
        again = problem.geometry.rows * problem.geometry.columns > problem.geometry.positions
        if cache is not None and again and 4 * _bytes_of_block(pairs, channels) > 3 * cache.size:
            sizes += range(channels - 1, 1, -1)
        for size in sizes:
            yield "unpacked", count_unpacked(problem, size, timing), partial(plan_unpacked, problem, size)


def _bytes_of_block(pairs: np.ndarray, channels: int) -> int:
    """Roughly what an unpacked block takes in the cache."""
    return 18 * int(np.count_nonzero(pairs)) * channels // max(1, len(pairs))


def price_count(count: Count, cache: InstructionCache | None, waits: int) -> Price:
    """Prices a plan; with a cache, every line that does not stay in it from one block of positions to the next waits.

    Args:
        count: of the plan.
        cache: the instruction cache, or None for none.
        waits: cycles a line waits.
    """
    cycles = 0
    for number in count.calls:
        kernel = count.kernels[number]
        profile = kernel.profile
        cycles += profile.cycles
        if cache is not None:
            code = -(-kernel.code_bytes // cache.line)
            stream = -(-4 * profile.words // cache.line)
            lost = lost_lines(code, stream, cache)
            cycles += waits * round(code + stream + lost * max(0, profile.blocks - 1))
    return Price(cycles, count.cost.flash_bytes)


def lost_lines(code: int, stream: int, cache: InstructionCache) -> float:
    """Lines that miss each time a body runs again: those of sets that are asked for more lines than they have ways.

    Code and constants are each contiguous; where one lies against the other only the linker knows, so this is the
    expectation. Least recently used lines go first, so an overfull set keeps none of its lines from turn to turn.

    Args:
        code: lines of code.
        stream: lines of constants.
        cache: the cache.
    """
    sets = cache.size // cache.line // cache.ways
    lost = 0.0
    for code_lines, code_share in _lines_of_set(code, sets):
        for stream_lines, stream_share in _lines_of_set(stream, sets):
            if code_lines + stream_lines > cache.ways:
                lost += sets * code_share * stream_share * (code_lines + stream_lines)
    return lost


def _lines_of_set(lines: int, sets: int) -> tuple[tuple[int, float], tuple[int, float]]:
    """How many of a contiguous area's lines a set holds, and the share of sets that hold as many."""
    full, more = divmod(lines, sets)
    return (full, 1 - more / sets), (full + 1, more / sets)
