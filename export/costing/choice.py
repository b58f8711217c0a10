"""Chooses the kernels of a convolution: candidates are counted, priced, and the cheapest is planned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from export.costing.candidate import Candidate, Wanted
from export.costing.counting.plans import Count, count_plan
from export.costing.counting.shared import Unnumbered, count_bytes, count_loop
from export.costing.counting.unpacked import count_unpacked, least_direct
from export.costing.flash_waits import price_count
from export.costing.kernel_cost import known
from export.costing.search import Way, search
from export.costing.winograd_choice import winograd_ways
from export.kernels.direct.byte_weights import plan_bytes, takes_bytes
from export.kernels.direct.plan import (
    DENSE,
    ConvProblem,
    block_channels,
    kept_pairs,
    loop_unrollings,
    plan_loop,
    plan_unpacked,
)
from export.kernels.plan import Plan, on_word_boundaries, with_wide_loads
from export.targets import CORES, Target, Timing

_SPARSE = 0.6  # with fewer pairs kept, a loop over all of them is slower where code runs often
_FEW_RUNS = 16  # below so many, the wait for the code decides, and a loop has less of it
_SMALLER_BLOCKS = 0.95  # of a block's cycles without waits, at the least, as a rule: they share fewer loads
_LARGEST_TURN = 4096  # bytes of a loop's body worth trying
_BYTES_UNROLLED = (1, 4, 12)  # groups of four inputs in a turn of a kernel of weights of one byte


def candidates(problem: ConvProblem, target: Target, wanted: Wanted = Wanted.FASTEST) -> list[Candidate]:
    """Plans worth considering for a target, the one of the fewest cycles first, then of the fewest bytes.

    Args:
        problem: The layer.
        target: Core and board: timing, cache and flash; a core without a timing table is priced as a Cortex-M33.
        wanted: Which of them.
    """
    ways = [
        *_direct_ways(problem, target, wanted),
        *winograd_ways(problem, target, priced_timing(target), wanted),
    ]
    return search(ways, wanted)


def planned_candidate(plan: Plan, target: Target) -> Candidate:
    """The candidate of a plan that is there already, where there is no choice; on word boundaries."""
    timing = priced_timing(target)
    plan = on_word_boundaries(plan, timing)
    count = count_plan(plan, timing)
    price = price_count(count, target)
    return Candidate(plan.variant, price, known(count.cost, target), plan.scratch_bytes, lambda: plan)


def priced_timing(target: Target) -> Timing:
    """The pipeline that kernels are chosen for: a Cortex-M33's for a core without a timing table."""
    timing = target.timing or CORES["cortex-m33"].timing
    assert timing is not None
    return timing


def _direct_ways(problem: ConvProblem, target: Target, wanted: Wanted) -> list[Way]:
    """Kernels that channels share, which compute all products, and unpacked ones, which compute the kept ones."""
    timing = priced_timing(target)
    flash = target.board.flash if target.board else None
    pairs = kept_pairs(problem)
    kept = int(np.count_nonzero(pairs))
    share = kept / max(1, pairs.size)
    geometry = problem.geometry
    runs = geometry.rows * geometry.columns / geometry.positions
    looped = share > _SPARSE or wanted is not Wanted.FASTEST or runs < _FEW_RUNS
    unrollings = loop_unrollings(problem) if looped else []
    least = least_direct(problem, pairs.size, timing)
    ways = [Way(least, look) for look in _shared(problem, unrollings, target)]
    if share > DENSE and unrollings:
        return ways
    channels = block_channels(geometry)
    sizes = [channels]
    cache = flash.code if flash is not None else None
    if cache is not None and runs > 1 and 4 * _bytes_of_block(pairs, channels) > 3 * cache.size:
        sizes += range(channels - 1, 1, -1)
    least = least_direct(problem, kept, timing)
    # Wide loads take more flash; where alignment matters, they may save cycles.
    widths = (False, True) if timing.aligns else (False,)
    looks = [partial(_unpacked, problem, sizes, widely, target) for widely in widths]
    return ways + [Way(least, look) for look in looks]


def _shared(
    problem: ConvProblem, unrollings: list[int], target: Target
) -> Iterator[Callable[[], Iterator[Candidate]]]:
    """Looks at kernels that channels share. Their cost does not depend on masks, so they are counted once for all."""
    if not unrollings:
        return
    columns, channels = problem.weights.shape[2], block_channels(problem.geometry)
    bytes_of_pair = 4 * columns * channels * (problem.geometry.positions + 1)
    sized = [count for count in unrollings if count * bytes_of_pair <= _LARGEST_TURN] or unrollings[:1]
    turns = [(unrolled, False) for unrolled in sized[-3:]]
    whole = -(-problem.weights.shape[3] // problem.channels_of_word) * problem.channels_of_word // 2
    if whole in sized and problem.weights.shape[1] * whole * bytes_of_pair <= _LARGEST_TURN:
        turns.append((whole, True))
    layer = Unnumbered.of(problem)
    for unrolled, rows in turns:
        yield partial(_loop, problem, layer, unrolled, rows, target)
    if takes_bytes(problem):
        for unrolled in _BYTES_UNROLLED:
            yield partial(_bytes, problem, layer, unrolled, target)


def _loop(
    problem: ConvProblem, layer: Unnumbered, unrolled: int, rows: bool, target: Target
) -> Iterator[Candidate]:
    timing = priced_timing(target)
    plan = _on_word_boundaries(partial(plan_loop, problem, unrolled, rows=rows), timing)
    yield _candidate("loop", count_loop(layer, unrolled, rows, timing), target, plan)


def _bytes(problem: ConvProblem, layer: Unnumbered, unrolled: int, target: Target) -> Iterator[Candidate]:
    timing = priced_timing(target)
    plan = _on_word_boundaries(partial(plan_bytes, problem, unrolled), timing)
    yield _candidate("bytes", count_bytes(layer, unrolled, timing), target, plan)


def _unpacked(
    problem: ConvProblem, sizes: list[int], widely: bool, target: Target
) -> Iterator[Candidate | Way]:
    """The kernel with blocks of so many channels, and the way to those of fewer, which may wait less for the flash."""
    size, *smaller = sizes
    count = count_unpacked(problem, size, priced_timing(target), widely=widely)
    plan = partial(plan_unpacked, problem, size)
    yield _candidate("unpacked", count, target, (lambda: with_wide_loads(plan())) if widely else plan)
    if smaller:
        least = _SMALLER_BLOCKS * sum(run.times * run.profile.cycles for run in count.runs)
        yield Way(least, partial(_unpacked, problem, smaller, widely, target))


def _on_word_boundaries(plan: Callable[[], Plan], timing: Timing) -> Callable[[], Plan]:
    """Makes a plan on word boundaries."""
    return lambda: on_word_boundaries(plan(), timing)


def _candidate(variant: str, count: Count, target: Target, plan: Callable[[], Plan]) -> Candidate:
    return Candidate(variant, price_count(count, target), known(count.cost, target), 0, plan)


def _bytes_of_block(pairs: np.ndarray, channels: int) -> int:
    """Roughly what an unpacked block takes in the cache."""
    return 18 * int(np.count_nonzero(pairs)) * channels // max(1, len(pairs))
