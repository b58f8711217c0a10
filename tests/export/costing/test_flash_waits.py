"""Waits priced from how much code and constants a body has, against the model that the simulator runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.costing.counting.kernel_cycles import Profile
from export.costing.counting.plans import Run
from export.costing.flash_waits import lost_lines, run_waits
from export.targets import BOARDS, Cache, Prefetch
from tests.export.simulation.flash_reference import FlashReference

CACHE = Cache(size=8192, ways=2, line=16)
LINES = 8192 // 16


@given(code=st.integers(0, LINES), stream=st.integers(0, LINES))
def test_what_fits_with_room_loses_nothing_and_nothing_is_lost_twice(code: int, stream: int) -> None:
    lost = lost_lines(code, stream, CACHE, 16)
    assert 0 <= lost <= code + stream + 1e-6
    if max(code, stream) <= LINES // 2:
        assert lost == 0


def test_a_body_twice_the_cache_misses_every_line() -> None:
    assert lost_lines(2 * LINES, 0, CACHE, 16) == pytest.approx(2 * LINES)


def test_one_line_too_many_costs_its_whole_set() -> None:
    assert lost_lines(LINES + 1, 0, CACHE, 16) == pytest.approx(3)


def test_lines_of_several_pieces_are_lost_whole() -> None:
    assert lost_lines(4 * 33, 0, Cache(1024, 32, 32), 8) == pytest.approx(4 * 33)


def simulated_waits(run: Run, board: str) -> list[int]:
    """What the model makes of a body of so many pieces, its constants spread evenly over its cycles."""
    flash = BOARDS[board].flash
    turns = run.profile.blocks
    code, stream = -(-run.code_bytes // flash.width), -(-4 * run.profile.words // flash.width)
    time = run.profile.cycles / turns
    events = [(time * piece / code, True, piece) for piece in range(code)]
    events += [(time * (piece + 0.5) / stream, False, (1 << 20) + piece) for piece in range(stream)]
    totals = []
    for reading in flash.readings:
        model, waited = FlashReference(flash, reading), 0
        for turn in range(turns):
            for at, is_code, piece in sorted(events):
                now = round(time * turn + at) + waited
                waited += model.fetch(piece, now) if is_code else model.load(piece, now)
        totals.append(waited)
    return totals


BODIES = {
    "straight-line code longer than the cache": (15_000, 1_000, 4.5),
    "long code that computes longer than a read takes": (15_000, 1_000, 8.0),
    "a loop that streams constants": (200, 2_000, 40.0),
    "what fits the cache": (700, 20, 5.0),
    "code without constants": (20_000, 0, 4.5),
}


@pytest.mark.parametrize("board", ["stm32f405", "nucleo-u575zi-q", "nucleo-l4r5zi", "nucleo-h743zi2"])
@pytest.mark.parametrize("body", BODIES)
def test_prices_are_near_what_the_model_waits(board: str, body: str) -> None:
    """Within a fifth of the waits and a twentieth of the cycles: which board waits longer must come out right."""
    code, words, cycles_a_line = BODIES[body]
    turns = 20
    cycles = round(turns * cycles_a_line * code / 16)
    run = Run(Profile(cycles, words, words, turns), code)
    priced, simulated = run_waits(run, BOARDS[board].flash), simulated_waits(run, board)
    ends = ((min(priced), min(simulated)), (max(priced), max(simulated)))
    for mine, theirs in ends:
        assert abs(mine - theirs) <= max(0.2 * theirs, 0.05 * cycles)


def test_without_prefetch_every_missing_piece_waits() -> None:
    flash = BOARDS["nucleo-h743zi2"].flash
    assert flash.prefetch is Prefetch.NONE
    run = Run(Profile(1000, 8, 8, 1), 320)
    assert run_waits(run, flash) == (11 * 9, 11 * 15)
    # Code stays in the cache from call to call; each of them has constants of its own.
    assert run_waits(Run(run.profile, 320, times=5), flash) == (15 * 9, 15 * 15)
