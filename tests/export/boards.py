"""Boards of other sizes than the listed ones."""

from __future__ import annotations

from dataclasses import replace

from export.targets import Bank, Board, Placement, get_board


def board_of_size(like: str, *, flash_bytes: int, ram_bytes: int) -> Board:
    """A listed board with so much flash and so much RAM for data; the stack lies elsewhere."""
    board = get_board(like)
    data = Bank("RAM", 0x20000000, ram_bytes, 0)
    stack = Bank("stack", 0x10000000, 4096, 0)
    return replace(
        board,
        name="small",
        flash=replace(board.flash, size=flash_bytes),
        banks=(data, stack),
        placements=(Placement((data,), stack, None),),
    )
