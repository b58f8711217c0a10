"""Chooses the kernels of a convolution: candidates are planned, priced, and the cheapest is taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..targets import CORES, Target, Timing
from ..targets.boards import InstructionCache
from .conv import ConvProblem, block_channels, loop_unrollings, packed_pairs, plan_loop, plan_unpacked
from .flow import kernel_profile
from .instructions import kernel_bytes, plan_bytes
from .plan import Plan

SPARSE = 0.6  # with fewer pairs kept, a loop over all of them cannot win
DENSE = 0.95  # with more pairs kept, skipping saves nothing
_LARGEST_TURN = 4096  # bytes of a loop's body worth trying


@dataclass(frozen=True)
class Price:
    """What a plan takes: cycles, those waiting for flash included, then bytes of flash."""

    cycles: int
    flash_bytes: int


def priced_plans(problem: ConvProblem, target: Target, *, small: bool = False) -> list[tuple[Price, Plan]]:
    """Plans worth considering for a target, the one of the fewest cycles first, then of the fewest bytes.

    Args:
        problem: the layer.
        target: whose timing, cache and flash count; a core without a timing table is priced as a Cortex-M33.
        small: whether plans that are only smaller, not faster, are wanted too.
    """
    timing, cache, waits = _pricing(target)
    plans = _candidates(problem, cache, small)
    priced = [(price_plan(plan, timing, cache, waits), plan) for plan in plans]
    return sorted(priced, key=lambda entry: (entry[0].cycles, entry[0].flash_bytes))


def _pricing(target: Target) -> tuple[Timing, InstructionCache | None, int]:
    timing = target.core.timing or CORES["cortex-m33"].timing
    assert timing is not None
    board = target.board
    return timing, board.cache if board else None, board.wait_states if board else 0


def _candidates(problem: ConvProblem, cache: InstructionCache | None, small: bool) -> Iterator[Plan]:
    pairs = packed_pairs(problem)
    kept = np.count_nonzero(pairs) / max(1, pairs.size)
    unrollings = loop_unrollings(problem) if kept > SPARSE or small else []
    columns, channels = problem.weights.shape[2], block_channels(problem.geometry)
    bytes_of_pair = 4 * columns * channels * (problem.geometry.positions + 1)
    sized = [count for count in unrollings if count * bytes_of_pair <= _LARGEST_TURN] or unrollings[:1]
    for unrolled in sized[-3:]:
        yield plan_loop(problem, unrolled)
    whole = -(-problem.weights.shape[3] // problem.channels_of_word) * problem.channels_of_word // 2
    if whole in sized and problem.weights.shape[1] * whole * bytes_of_pair <= _LARGEST_TURN:
        yield plan_loop(problem, whole, rows=True)
    if kept <= DENSE or not unrollings:
        yield plan_unpacked(problem, channels)
        if cache is not None and 4 * _bytes_of_block(pairs, channels) > 3 * cache.size:
            for fewer in range(channels - 1, 1, -1):
                yield plan_unpacked(problem, fewer)


def _bytes_of_block(pairs: np.ndarray, channels: int) -> int:
    """Roughly what an unpacked block takes in the cache."""
    return 18 * int(np.count_nonzero(pairs)) * channels // max(1, len(pairs))


def price_plan(plan: Plan, timing: Timing, cache: InstructionCache | None, waits: int) -> Price:
    """Prices a plan; with a cache, every line that does not stay in it from one block of positions to the next waits.

    Args:
        plan: the plan.
        timing: the core's pipeline.
        cache: the instruction cache, or None for none.
        waits: cycles a line waits.
    """
    profiles = [kernel_profile(kernel.steps, timing) for kernel in plan.kernels]
    flash = plan_bytes(plan)
    cycles = 0
    for call in plan.calls:
        profile = profiles[call.kernel]
        cycles += profile.cycles
        if cache is not None:
            code = -(-kernel_bytes(plan.kernels[call.kernel].steps) // cache.line)
            stream = -(-4 * profile.words // cache.line)
            lost = lost_lines(code, stream, cache)
            cycles += waits * round(code + stream + lost * max(0, profile.blocks - 1))
    return Price(cycles, flash)


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
