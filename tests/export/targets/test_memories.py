"""Sizes of memories as text."""

from __future__ import annotations

from export.reporting.format import text
from export.targets import get_board


def test_limits_read_as_makers_write_them():
    assert [text.memory(number) for number in (786432, 2 << 20, 1536, 1000)] == [
        "768 KiB",
        "2 MiB",
        "1.5 KiB",
        "1,000 B",
    ]
    assert [text.size(number) for number in (1023, 1024, 262144)] == ["1,023 B", "1.0 KiB", "256.0 KiB"]
    board = get_board("stm32f405")
    assert [text.milliseconds(board, cycles) for cycles in (168_000, 1_680)] == ["1 ms", "10 \u00b5s"]
    assert text.milliseconds(None, 5) == ""
