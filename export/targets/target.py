"""What code is generated for: a core, or a board with its core."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from export.errors import TargetError
from export.targets.board import BOARDS, Board, read_board
from export.targets.cores import CORES, Core, nearest
from export.targets.memories import Placement
from export.targets.timing import Timing

_DEFAULT_BOARDS = {"cortex-m33": "nucleo-u575zi-q"}


@dataclass(frozen=True)
class Target:
    """What code is generated for.

    Attributes:
        core: The core.
        board: Where clock and memories are known, or None.
        placement: What lies where on the board; None without a board.
    """

    core: Core
    board: Board | None
    placement: Placement | None = None

    def placed(self, data_bytes: int) -> Target:
        """The target with the placement that a network takes.

        Args:
            data_bytes: Of its arena and other static data.
        """
        return self if self.board is None else replace(self, placement=self.board.place(data_bytes))

    @property
    def timing(self) -> Timing | None:
        """The core's pipeline, on the board as things are placed there; None for the host."""
        return placed_timing(self.core, self.placement)


def placed_timing(core: Core, placement: Placement | None) -> Timing | None:
    """A core's pipeline, where data and stack lie as a placement says."""
    timing = core.timing
    if timing is None or placement is None or not placement.stack_apart:
        return timing
    return _stack_apart(timing)


@cache
def _stack_apart(timing: Timing) -> Timing:
    """The timing of a core whose stack lies apart; one object for all who ask, since prices are kept by timing."""
    return replace(timing, stack_apart=True) if timing.pipelined_loads else timing


def resolve(target: str | os.PathLike[str]) -> Target:
    """Returns the target a core's or a board's name stands for.

    A core alone has no board, but cortex-m33 stands for the NUCLEO-U575ZI-Q.

    Args:
        target: Name of a core or of a listed board, or the path of a .toml file that describes a board.

    Raises:
        TargetError: Neither a core nor a board has that name, it is no name at all, or what a board file says is
            impossible.
    """
    if isinstance(target, os.PathLike) or (isinstance(target, str) and target.endswith(".toml")):
        return _on_board(read_board(Path(target)))
    if not isinstance(target, str):
        raise TargetError(
            f"expected the name of a core or a board as target, such as 'cortex-m4', got {target!r}; "
            "export once for each target"
        )
    if target in BOARDS:
        return _on_board(BOARDS[target])
    if target in CORES:
        default = _DEFAULT_BOARDS.get(target)
        return _on_board(BOARDS[default]) if default else Target(CORES[target], None)
    raise TargetError(
        f"unknown target {target!r}{nearest(target, (*CORES, *BOARDS))}; known cores: {', '.join(sorted(CORES))}; "
        f"known boards: {', '.join(sorted(BOARDS))}; or give the path of a .toml file that describes a board"
    )


def _on_board(board: Board) -> Target:
    return Target(CORES[board.core], board, board.placements[0])
