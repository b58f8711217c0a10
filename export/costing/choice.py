"""Chooses the kernels of a convolution: candidates are counted, priced, and the cheapest is planned."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, lru_cache, partial
from typing import NamedTuple

import numpy as np

from export.costing.candidate import NEAR_TIE, Candidate, Wanted
from export.costing.counts import Count, count_bytes, count_loop, count_plan, count_unpacked
from export.costing.flash_waits import price_count
from export.costing.kernel_cost import known
from export.costing.winograd_counts import count_winograd, least_products, least_sparse
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
from export.kernels.language.scheduler import OutOfRegistersError
from export.kernels.plan import Plan
from export.kernels.winograd.algorithm import Algorithm
from export.kernels.winograd.plan import layer_constants, least_form, plan_winograd
from export.kernels.winograd.requantization import Form
from export.kernels.winograd.shape import Shape, algorithms_of, oriented, packed_shape, shape_of, sparse_shape
from export.kernels.winograd.tiles import strip_heights
from export.targets import CORES, Target, Timing
from export.targets.timing import Pairing

_SPARSE = 0.6  # with fewer pairs kept, a loop over all of them is slower where code runs often
_FEW_RUNS = 16  # below so many, the wait for the code decides, and a loop has less of it
_LARGEST_TURN = 4096  # bytes of a loop's body worth trying
_BYTES_UNROLLED = (1, 4, 12)  # groups of four inputs in a turn of a kernel of weights of one byte
_MOST_UNROLLED = 32  # pairs of input channels in a turn of Winograd's products


def candidates(problem: ConvProblem, target: Target, wanted: Wanted = Wanted.FASTEST) -> list[Candidate]:
    """Plans worth considering for a target, the one of the fewest cycles first, then of the fewest bytes.

    Args:
        problem: The layer.
        target: Core and board: timing, cache and flash; a core without a timing table is priced as a Cortex-M33.
        wanted: Which of them.
    """
    found = _winograd_candidates(problem, target, wanted)
    small = wanted is not Wanted.FASTEST
    best = None if small else min((candidate.price.cycles for candidate in found), default=None)
    found += [
        Candidate(variant, price_count(count, target), known(count.cost, target), 0, plan)
        for variant, count, plan in _direct_candidates(problem, target, small, best)
    ]
    return sorted(found, key=lambda candidate: (candidate.price.cycles, candidate.price.flash_bytes))


def planned_candidate(plan: Plan, target: Target) -> Candidate:
    """The candidate of a plan that is there already, where there is no choice."""
    count = count_plan(plan, priced_timing(target))
    price = price_count(count, target)
    return Candidate(plan.variant, price, known(count.cost, target), plan.scratch_bytes, lambda: plan)


def priced_timing(target: Target) -> Timing:
    """The pipeline that kernels are chosen for: a Cortex-M33's for a core without a timing table."""
    timing = target.timing or CORES["cortex-m33"].timing
    assert timing is not None
    return timing


def _winograd_candidates(problem: ConvProblem, target: Target, wanted: Wanted) -> list[Candidate]:
    """Those of Winograd's algorithm.

    Of what may be the fastest, all that a lower bound of its cycles puts further from the fewest than scratch memory is
    worth is left out, before anything is written, solved or counted for it.
    """
    if not problem.interleaved:
        return []
    problem, timing = oriented(problem), priced_timing(target)
    constants = cache(partial(layer_constants, problem))
    kept = int(np.count_nonzero(kept_pairs(problem).any(axis=(1, 2))))
    found: list[Candidate] = []

    def beaten(least: float) -> bool:
        return wanted is Wanted.FASTEST and any(least > NEAR_TIE * one.price.cycles for one in found)

    shapes = [_tallest(problem, algorithm) for algorithm in algorithms_of(problem)]
    least = {shape: least_products(shape, kept, timing) for shape in shapes}
    for tallest in sorted(shapes, key=least.__getitem__):
        if beaten(least[tallest]):
            break
        for option in _options(problem, tallest, target, wanted, beaten):
            if beaten(option.least):
                continue
            requantization = constants(tallest.algorithm)
            if requantization is None:
                break
            priced = _priced(option.shape, requantization.form.alike, target)
            if priced is not None:
                plan = partial(plan_winograd, problem, option.shape, requantization, timing)
                found.append(replace(priced, plan=plan))
    return found


def _tallest(problem: ConvProblem, algorithm: Algorithm) -> Shape:
    """The shape of a layer that is not cut into strips."""
    rows = -(-problem.geometry.rows // algorithm.down.outputs)
    return shape_of(problem, algorithm, rows, _MOST_UNROLLED)


class _Option(NamedTuple):
    """A shape that may be worth its price, and cycles below which it cannot come, wherever its code lies."""

    shape: Shape
    least: float


def _options(
    problem: ConvProblem,
    tallest: Shape,
    target: Target,
    wanted: Wanted,
    beaten: Callable[[float], bool],
) -> Iterator[_Option]:
    """The shapes of an algorithm, with what they take if the requantization is the cheapest that there is.

    Lower strips take more cycles, as a rule, and as much flash: unless scratch memory is short, none are looked at
    below those that take clearly more. Masks of whole kernels are then not computed in strips either.
    """
    form, best = least_form(problem), math.inf
    for height in strip_heights(tallest.strip_rows):
        shape = replace(tallest, strip_rows=height)
        priced = _priced(shape, form, target)
        if priced is None:
            continue
        cycles = priced.price.copied_cycles
        best = min(best, cycles)
        yield _Option(shape, cycles)
        whole = height == tallest.strip_rows
        sparse = sparse_shape(problem, shape) if whole or wanted is Wanted.LESS_MEMORY else None
        if sparse is not None:
            yield _Option(sparse, least_sparse(sparse, form, priced_timing(target)))
        packed = packed_shape(shape)
        transformed = (priced.cost.cycles or 0) + shape.weights_before[-1]  # at the least: each is stored
        if packed is not None and not beaten(transformed):
            again = _priced(packed, form, target)
            if again is not None:
                yield _Option(packed, again.price.copied_cycles)
        if beaten(cycles) or (wanted is not Wanted.LESS_MEMORY and cycles > NEAR_TIE * best):
            break


def _priced(shape: Shape, form: Form, target: Target) -> Candidate | None:
    """A candidate without its plan, or None where no kernel can; of what does not depend on masks there are few."""
    if not shape.within_reach:
        return None
    try:
        return (_priced_once if shape.patterns is None else _price)(shape, form, target)
    except OutOfRegistersError:
        return None  # direct kernels always fit


def _price(shape: Shape, form: Form, target: Target) -> Candidate:
    count, scratch_bytes = count_winograd(shape, form, priced_timing(target))
    return Candidate(shape.name, price_count(count, target), known(count.cost, target), scratch_bytes, None)


_priced_once = lru_cache(maxsize=1 << 10)(_price)

_Counted = tuple[str, Count, Callable[[], Plan]]
"""A plan's variant, what it takes, and how to make it."""


def _direct_candidates(
    problem: ConvProblem, target: Target, small: bool, best: float | None
) -> Iterator[_Counted]:
    """Those that compute every product.

    Args:
        problem: The layer.
        target: Likewise.
        small: Likewise.
        best: Cycles of another candidate, which only faster ones are to be compared with; None for all.
    """
    timing = priced_timing(target)
    flash = target.board.flash if target.board else None
    pairs = kept_pairs(problem)
    kept = np.count_nonzero(pairs) / max(1, pairs.size)
    geometry = problem.geometry
    runs = geometry.rows * geometry.columns / geometry.positions
    unrollings = loop_unrollings(problem) if kept > _SPARSE or small or runs < _FEW_RUNS else []
    columns, channels = problem.weights.shape[2], block_channels(geometry)
    bytes_of_pair = 4 * columns * channels * (geometry.positions + 1)
    sized = [count for count in unrollings if count * bytes_of_pair <= _LARGEST_TURN] or unrollings[:1]
    turns = [(unrolled, False) for unrolled in sized[-3:]]
    whole = -(-problem.weights.shape[3] // problem.channels_of_word) * problem.channels_of_word // 2
    if whole in sized and problem.weights.shape[1] * whole * bytes_of_pair <= _LARGEST_TURN:
        turns.append((whole, True))
    for unrolled, rows in turns:
        plan = partial(plan_loop, problem, unrolled, rows=rows)
        yield "loop", count_loop(problem, unrolled, rows, timing), plan
    if unrollings and takes_bytes(problem):
        for unrolled in _BYTES_UNROLLED:
            yield "bytes", count_bytes(problem, unrolled, timing), partial(plan_bytes, problem, unrolled)
    if (kept <= DENSE or not unrollings) and (best is None or _least_unpacked(problem, pairs, timing) < best):
        sizes = [channels]
        cache = flash.code if flash is not None else None
        if cache is not None and runs > 1 and 4 * _bytes_of_block(pairs, channels) > 3 * cache.size:
            sizes += range(channels - 1, 1, -1)
        for size in sizes:
            plan = partial(plan_unpacked, problem, size)
            yield "unpacked", count_unpacked(problem, size, timing), plan


def _least_unpacked(problem: ConvProblem, pairs: np.ndarray, timing: Timing) -> float:
    """Cycles below which no unpacked kernel comes, where a core issues one instruction a cycle.

    A kept pair is multiplied at each position. Its weights are loaded at each block of positions, its inputs at least
    once for each block of channels. An output is scaled, saturated and stored.
    """
    if timing.pairing is Pairing.WIDE:
        return 0
    geometry = problem.geometry
    of_pair = 1 + 1 / geometry.positions + 1 / block_channels(geometry)
    outputs = len(pairs) / (4 if geometry.pooled else 1)
    of_position = int(np.count_nonzero(pairs)) * of_pair + 3 * outputs
    return geometry.rows * geometry.columns * of_position


def _bytes_of_block(pairs: np.ndarray, channels: int) -> int:
    """Roughly what an unpacked block takes in the cache."""
    return 18 * int(np.count_nonzero(pairs)) * channels // max(1, len(pairs))
