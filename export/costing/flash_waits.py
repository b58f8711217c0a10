"""Flash waits: cycles in which the core waits for a plan's code and constants on a board.

The same memories as in the simulator (`export.targets.memories`, `flash_model.h`), but a kernel is taken for a body of
so many pieces of code and constants, evenly mixed, that runs so many times: what is expected of it, not what happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from export.costing.candidate import KernelWaits, Price
from export.costing.counting.plans import Count, Run
from export.kernels.language.steps import WORD
from export.targets import Cache, Flash, Prefetch, Reading, Target

_STEPS = 4  # parts of a cycle: the resolution of the time that a piece of code runs


@lru_cache(maxsize=1 << 12)
def price_count(count: Count, target: Target) -> Price:
    """Prices a plan.

    Args:
        count: Of the plan.
        target: Core and board: flash, and RAM for copies of kernels; without a board nothing waits.
    """
    cycles = sum(run.times * run.profile.cycles for run in count.runs)
    if target.board is None:
        return Price(cycles, count.cost.flash_bytes)
    flash = target.board.flash
    runs = [(run, run_waits(run, flash)) for run in count.runs]
    totals = tuple(map(sum, zip(*(waits for _, waits in runs), strict=True))) or (0.0,) * len(flash.readings)
    kernels: tuple[KernelWaits, ...] = ()
    if target.placement is not None and target.placement.code is not None:
        kernels = tuple(
            _kernel_waits([(run, waits) for run, waits in runs if run.kernel == number], flash)
            for number in range(1 + max((run.kernel for run in count.runs), default=-1))
        )
    middle = (min(totals) + max(totals)) / 2
    return Price(round(cycles + middle), count.cost.flash_bytes, totals, kernels)


def _kernel_waits(runs: Sequence[tuple[Run, tuple[float, ...]]], flash: Flash) -> KernelWaits:
    """What a kernel waits in all its calls; one that is never called takes nothing."""
    none = (0.0,) * len(flash.readings)
    copied = [run_waits(replace(run, code_bytes=0), flash) for run, _ in runs]
    return KernelWaits(
        max((run.code_bytes for run, _ in runs), default=0),
        sum(run.times for run, _ in runs),
        tuple(map(sum, zip(*(waits for _, waits in runs), strict=True))) or none,
        tuple(map(sum, zip(*copied, strict=True))) or none,
    )


def run_waits(run: Run, flash: Flash) -> tuple[float, ...]:
    """Cycles that the calls of a kernel wait, by every reading of the documents.

    Every piece is read once; after that, those that do not stay in the caches from one turn to the next. Constants
    that the call before has read are read again if they have not stayed.

    Args:
        run: The call.
        flash: The board's.
    """
    profile = run.profile
    turns = run.times * max(1, profile.blocks)
    code, stream, window = (
        -(-size // flash.width) for size in (run.code_bytes, WORD * profile.words, WORD * profile.window)
    )
    # Turns in which constants are read that were not read before.
    new = min(turns, run.times * -(-stream // max(1, window)))
    time = profile.cycles / max(1, profile.blocks)
    times = time / max(1, code), time / max(1, window)
    lost_code, lost_window = lost_pieces(code, window, flash)
    first = float(window)  # of the constants that are read for the first time, in one turn
    if run.after is not None and stream:
        first *= lost_pieces(code + -(-run.after // flash.width), stream, flash)[1] / stream
    parts: list[tuple[float, float, float]] = [
        (1, code, first),
        (max(0, new - 1), lost_code, first),
        (turns - max(1, new), lost_code, lost_window),
    ]
    waiting = [part for part in parts if part[0] and (part[1] or part[2])]
    return tuple(
        sum(n * _turn_waits(code, words, times, flash.prefetch, reading) for n, code, words in waiting)
        for reading in flash.readings
    )


@lru_cache(maxsize=1 << 14)
def lost_pieces(code: int, stream: int, flash: Flash) -> tuple[float, float]:
    """Pieces of code and of constants that are missing each time a body runs again.

    Args:
        code: Pieces of code.
        stream: Pieces of constants.
        flash: The board's.
    """
    if flash.shared and flash.code is not None:
        lost = lost_lines(code, stream, flash.code, flash.width)
        return lost * code / max(1, code + stream), lost * stream / max(1, code + stream)
    pieces = ((code, flash.code), (stream, flash.constants))
    found = [float(n) if cache is None else lost_lines(n, 0, cache, flash.width) for n, cache in pieces]
    return found[0], found[1]


def lost_lines(code: int, stream: int, cache: Cache, width: int) -> float:
    """Pieces that miss each time a body runs again: those of sets that are asked for more lines than they have ways.

    Code and constants are each contiguous; where one lies against the other only the linker knows, so this is the
    expectation. Least recently used lines go first, so an overfull set keeps none of its lines from turn to turn.

    Args:
        code: Pieces of code.
        stream: Pieces of constants.
        cache: The cache.
        width: Bytes of a piece.
    """
    pieces = cache.line // width
    lost = 0.0
    for code_lines, code_share in _lines_of_set(-(-code // pieces), cache.sets):
        for stream_lines, stream_share in _lines_of_set(-(-stream // pieces), cache.sets):
            if code_lines + stream_lines > cache.ways:
                lost += cache.sets * code_share * stream_share * (code_lines + stream_lines)
    return min(code + stream, pieces * lost)


def _lines_of_set(lines: int, sets: int) -> tuple[tuple[int, float], tuple[int, float]]:
    """How many of a contiguous area's lines a set holds, and the share of sets that hold as many."""
    full, more = divmod(lines, sets)
    return (full, 1 - more / sets), (full + 1, more / sets)


def _turn_waits(
    code: float, stream: float, times: tuple[float, float], prefetch: Prefetch, reading: Reading
) -> float:
    """Cycles that a body waits for the pieces that are missing in one turn.

    Args:
        code: Pieces of code.
        stream: Pieces of constants.
        times: Cycles from one piece of code to the next, and from one of constants to the next.
        prefetch: Which pieces are read ahead.
        reading: Of the documents.
    """
    if prefetch is Prefetch.NONE:
        return reading.waits * (code + stream)
    if reading.constants_ahead:  # but either kind spoils it for the other
        alternating = min(code, stream)
        longer = times[0] if code > stream else times[1]
        alone = max(0.0, reading.waits + 1 - longer)
        both = _spoilt_waits(round(_STEPS * times[0]), reading)
        return alternating * both + (max(code, stream) - alternating) * alone
    if code == 0:
        return reading.waits * stream
    disturbed = min(1.0, stream / code)  # share of the pieces of code during which constants are read
    quiet, loud = _piece_waits(round(_STEPS * times[0]), reading)
    return code * ((1 - disturbed) * quiet + disturbed * loud) + max(0.0, stream - code) * reading.waits


@lru_cache(maxsize=1 << 12)
def _piece_waits(steps: int, reading: Reading) -> tuple[float, float]:
    """What the end of a piece of code waits for the next, which is read meanwhile: alone, and with a piece of
    constants read too, at any of its cycles.

    Args:
        steps: Cycles that the piece runs, times `_STEPS`.
        reading: Of the documents.
    """
    waits, time = reading.waits, steps / _STEPS
    read = waits + 1
    moments = max(1, steps)
    loud = 0.0
    for moment in range(moments):
        at = moment / _STEPS
        if at > read:
            loud += waits
        elif reading.aborts:
            loud += waits + max(0.0, at + read - time)
        else:  # what is under way ends first, and is there for the next piece
            loud += waits + read + 1 - at
    return max(0.0, read - time), loud / moments


@lru_cache(maxsize=1 << 12)
def _spoilt_waits(steps: int, reading: Reading) -> float:
    """What a piece of constants and the next one of code wait where each reads ahead what the other does not need.

    Args:
        steps: As for `_piece_waits`.
        reading: Likewise.
    """
    waits, time = reading.waits, steps / _STEPS
    if reading.aborts:
        return 2.0 * waits
    moments = max(1, steps)
    busy = 0.0  # what is under way ends first, each time
    for moment in range(moments):
        at = moment / _STEPS
        busy += max(0.0, waits + 2 - at) + max(0.0, waits + 2 - (time - at))
    return 2 * waits + busy / moments
