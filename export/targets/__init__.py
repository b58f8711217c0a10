"""Cores and boards as data, and the timing model that prices their instructions."""

from __future__ import annotations

from dataclasses import dataclass

from export.errors import TargetError
from export.targets.boards import BOARDS, Board, InstructionCache, get_board
from export.targets.cores import CORES, Core, get_core
from export.targets.instruction import Instruction, Kind, Memory
from export.targets.pipeline import (
    READY,
    State,
    arrival_cycles,
    block_cycles,
    continue_cycles,
    entered,
    issue_cycles,
)
from export.targets.timing import Timing

__all__ = [
    "BOARDS",
    "CORES",
    "READY",
    "Board",
    "Core",
    "Instruction",
    "InstructionCache",
    "Kind",
    "Memory",
    "State",
    "Target",
    "Timing",
    "arrival_cycles",
    "block_cycles",
    "continue_cycles",
    "entered",
    "get_board",
    "get_core",
    "issue_cycles",
    "resolve",
]

_DEFAULT_BOARDS = {"cortex-m33": "nucleo-u575zi-q"}


@dataclass(frozen=True)
class Target:
    """What code is generated for: a core, and a board where clock, memories and cache are known."""

    core: Core
    board: Board | None


def resolve(target: str) -> Target:
    """Returns the target a core's or a board's name stands for.

    A core alone has no board, but cortex-m33 stands for the NUCLEO-U575ZI-Q.

    Raises:
        TargetError: Neither a core nor a board has that name, or it is no name at all.
    """
    if not isinstance(target, str):
        raise TargetError(
            f"expected the name of a core or a board as target, such as 'cortex-m4', got {target!r}; "
            "export once for each target"
        )
    if target in BOARDS:
        board = BOARDS[target]
        return Target(CORES[board.core], board)
    if target in CORES:
        default = _DEFAULT_BOARDS.get(target)
        return Target(CORES[target], BOARDS[default] if default else None)
    raise TargetError(
        f"unknown target {target!r}; known cores: {', '.join(sorted(CORES))}; "
        f"known boards: {', '.join(sorted(BOARDS))}"
    )
