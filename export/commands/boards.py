"""The command `boards`: lists the known boards, or shows all that is known of one."""

from __future__ import annotations

import argparse
from typing import Any

from export.commands.program.console import Result
from export.commands.program.options import Commands, add_command
from export.targets import BOARDS, Board, Prefetch, get_board
from export.targets.facts import FACTS, caches, facts, megahertz, wait_states
from keras_approx.text import text_table

_EXAMPLES = """\
  keras-approx boards
  keras-approx boards --board stm32f405
  keras-approx boards --board my-board.toml --json -

A board of your own is a small TOML file, given wherever a board is: keras-approx export MODEL --target my-board.toml.
It takes what it does not say from a listed board:

  name = "my-board"
  like = "stm32f405"
  clock_hz = 120_000_000
  source = "schematic, revision B"
  [flash]
  waits = 3

export/targets/board_file.py shows all that a file can say.
"""


def add_parser(commands: Commands[argparse.ArgumentParser], help: str) -> None:
    """Adds the command to the program's parser."""
    parser = add_command(
        commands,
        "boards",
        help=help,
        description="Lists the boards whose clock, memories and caches are known, or shows all of one.",
        examples=_EXAMPLES,
    )
    parser.add_argument("--board", metavar="NAME", help="show this one: its name, or a .toml file")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    """Lists the boards, or shows one."""
    if options.board is not None:
        board = get_board(options.board)
        return Result(_shown(board), _record(board))
    shown = text_table(FACTS, [facts(board) for board in BOARDS.values()], text=(0, 1, -1))
    return Result(shown, {"boards": [_record(board) for board in BOARDS.values()]})


def _shown(board: Board) -> str:
    flash = board.flash
    ahead = "" if flash.prefetch is Prefetch.NONE else f", reads ahead {flash.prefetch.value}"
    lines = [
        f"{board.name}: {board.core} at {megahertz(board)} MHz",
        f"flash: {flash.size:,} B at {flash.origin:#010x}; a read gives {flash.width} B after "
        f"{_waiting(wait_states(flash))}{ahead}; caches: {caches(flash)}",
        f"cycles with waits: a range over {len(flash.readings)} readings of what the documents leave open"
        if len(flash.readings) > 1
        else "cycles with waits: the documents leave nothing open",
    ]
    for bank in board.banks:
        waits = "waits undocumented" if bank.waits is None else _waiting(f"{bank.waits}")
        runs = f", code runs from it at {bank.code_origin:#010x}" if bank.code_origin is not None else ""
        lines.append(f"{bank.name}: {bank.size:,} B at {bank.origin:#010x}, {waits}{runs}")
    for placement in board.placements:
        names = " and ".join(bank.name for bank in placement.activations)
        copies = f", copies of hot kernels in {placement.code.name}" if placement.code else ""
        lines.append(
            f"up to {placement.data_bytes:,} B of activations in {names}, stack in {placement.stack.name}{copies}"
        )
    lines.append(f"source: {board.source}")
    return "\n".join([*lines, *([f"caveat: {board.caveats}"] if board.caveats else [])])


def _waiting(waits: str) -> str:
    return f"{waits} wait state" if waits == "1" else f"{waits} wait states"


def _record(board: Board) -> dict[str, Any]:
    flash = board.flash
    return {
        "name": board.name,
        "core": board.core,
        "clock_hz": board.clock_hz,
        "flash_bytes": flash.size,
        "wait_states": [flash.waits, flash.waits if flash.most_waits is None else flash.most_waits],
        "read_bytes": flash.width,
        "prefetch": flash.prefetch.value,
        "banks": [
            {"name": bank.name, "origin": bank.origin, "bytes": bank.size, "wait_states": bank.waits}
            for bank in board.banks
        ],
        "data_bytes": board.ram_bytes,
        "source": board.source,
        "caveats": board.caveats,
    }
