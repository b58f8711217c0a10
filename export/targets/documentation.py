"""The table of listed boards in docs/boards.md, from their files: `python -m export.targets.documentation`."""

from __future__ import annotations

import sys
from pathlib import Path

from export.targets.board import BOARDS, Board
from export.targets.memories import Flash

_START, _END = "<!-- boards -->\n", "<!-- end -->\n"
_HEAD = """\
| board | core | MHz | flash KiB | RAM KiB | wait states | caches, bytes | copies of hot kernels in |
|---|---|---:|---:|---:|---:|---|---|
"""


def with_table(text: str) -> str:
    """The page with today's table between its marks."""
    before, rest = text.split(_START)
    _, after = rest.split(_END)
    rows = "".join(f"| {' | '.join(_row(board))} |\n" for board in BOARDS.values())
    return f"{before}{_START}{_HEAD}{rows}{_END}{after}"


def _row(board: Board) -> tuple[str, ...]:
    flash = board.flash
    banks = dict.fromkeys(placement.code.name for placement in board.placements if placement.code)
    return (
        board.name,
        board.core,
        f"{board.clock_hz / 1e6:g}",
        *(f"{size // 1024:,}" for size in (board.flash_bytes, sum(bank.size for bank in board.banks))),
        f"{flash.waits}" if flash.most_waits is None else f"{flash.waits} to {flash.most_waits}",
        _caches(flash),
        " or ".join(banks) or "-",
    )


def _caches(flash: Flash) -> str:
    if flash.shared and flash.code is not None:
        return f"{flash.code.size:,} for both"
    code, constants = (0 if cache is None else cache.size for cache in (flash.code, flash.constants))
    return f"{code:,} code, {constants:,} constants"


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("usage: python -m export.targets.documentation [docs/boards.md]")
    page = Path(sys.argv[1] if len(sys.argv) == 2 else "docs/boards.md")
    page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")
