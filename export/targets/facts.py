"""What is known of a board, in words and figures for tables."""

from __future__ import annotations

from export.targets.board import Board
from export.targets.memories import Flash

FACTS = ("board", "core", "MHz", "flash KiB", "RAM KiB", "wait states", "caches")


def facts(board: Board) -> tuple[str, ...]:
    """The cells of a board, as FACTS names them."""
    return (
        board.name,
        board.core,
        megahertz(board),
        f"{board.flash_bytes // 1024:,}",
        f"{sum(bank.size for bank in board.banks) // 1024:,}",
        wait_states(board.flash),
        caches(board.flash),
    )


def megahertz(board: Board) -> str:
    """The clock in MHz."""
    return f"{board.clock_hz / 1e6:g}"


def wait_states(flash: Flash) -> str:
    """How long a read waits; a range where documents disagree."""
    return f"{flash.waits}" if flash.most_waits is None else f"{flash.waits} to {flash.most_waits}"


def caches(flash: Flash) -> str:
    """The sizes of the caches before the flash."""
    if flash.shared and flash.code is not None:
        return f"{flash.code.size:,} B for both"
    code, constants = (0 if cache is None else cache.size for cache in (flash.code, flash.constants))
    return f"{code:,} B code, {constants:,} B constants"
