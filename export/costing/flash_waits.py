"""Waits for the flash: cycles of a plan on a board, those included that lines of code and constants are waited for."""

from __future__ import annotations

from export.costing.candidate import Price
from export.costing.counts import Count
from export.targets.boards import InstructionCache


def price_count(count: Count, cache: InstructionCache | None, waits: int) -> Price:
    """Prices a plan; with a cache, every line that does not stay in it from one block of positions to the next waits.

    Args:
        count: of the plan.
        cache: the instruction cache, or None for none.
        waits: cycles a line waits.
    """
    cycles = 0
    for run in count.runs:
        profile = run.profile
        cycles += run.times * profile.cycles
        if cache is not None:
            code = -(-run.code_bytes // cache.line)
            stream = -(-4 * profile.words // cache.line)
            lost = lost_lines(code, stream, cache)
            cycles += run.times * waits * round(code + stream + lost * max(0, profile.blocks - 1))
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
