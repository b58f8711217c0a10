"""The table of listed boards in docs/boards.md, from their files: `python -m export.targets.documentation`."""

from __future__ import annotations

import sys
from pathlib import Path

from export.targets.board import BOARDS, Board
from export.targets.facts import FACTS, facts

_START, _END = "<!-- boards -->\n", "<!-- end -->\n"
_NUMBERS = {"MHz", "flash KiB", "RAM KiB", "wait states"}


def with_table(text: str) -> str:
    """The page with today's table between its marks."""
    before, rest = text.split(_START)
    _, after = rest.split(_END)
    head = (*FACTS, "copies of hot kernels in")
    rules = ["---:" if name in _NUMBERS else "---" for name in head]
    lines = [head, *((*facts(board), _copies(board)) for board in BOARDS.values())]
    first, *rows = (f"| {' | '.join(line)} |\n" for line in lines)
    return f"{before}{_START}{first}|{'|'.join(rules)}|\n{''.join(rows)}{_END}{after}"


def _copies(board: Board) -> str:
    """The memories that take copies of hot kernels."""
    banks = dict.fromkeys(placement.code.name for placement in board.placements if placement.code)
    return " or ".join(banks) or "-"


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("usage: python -m export.targets.documentation [docs/boards.md]")
    page = Path(sys.argv[1] if len(sys.argv) == 2 else "docs/boards.md")
    page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")
