"""Lines of cache that a body loses from turn to turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.costing.flash_waits import lost_lines
from export.targets.boards import InstructionCache

CACHE = InstructionCache(size=8192, ways=2, line=16, literals=True)
LINES = 8192 // 16


@given(code=st.integers(0, LINES), stream=st.integers(0, LINES))
def test_what_fits_with_room_loses_nothing_and_nothing_is_lost_twice(code: int, stream: int) -> None:
    lost = lost_lines(code, stream, CACHE)
    assert 0 <= lost <= code + stream + 1e-6
    if max(code, stream) <= LINES // 2:
        assert lost == 0


def test_a_body_twice_the_cache_misses_every_line() -> None:
    assert lost_lines(2 * LINES, 0, CACHE) == pytest.approx(2 * LINES)


def test_one_line_too_many_costs_its_whole_set() -> None:
    assert lost_lines(LINES + 1, 0, CACHE) == pytest.approx(3)
