"""A microcontroller on its board, and the listed boards: a TOML file each, with the document of each figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from export.errors import TargetError
from export.targets.board_file import BoardFile, parse
from export.targets.memories import Bank, Flash, Placement


@dataclass(frozen=True)
class Board:
    """A microcontroller on its board.

    Attributes:
        name: As users write it.
        core: Name of its core.
        clock_hz: The core clock that its figures are for.
        flash: The flash, at that clock.
        banks: Its RAM.
        placements: What may lie where, the fastest first.
        source: Documents the figures come from.
        caveats: What the documents leave out, if anything.
    """

    name: str
    core: str
    clock_hz: int
    flash: Flash
    banks: tuple[Bank, ...]
    placements: tuple[Placement, ...]
    source: str
    caveats: str = ""

    @property
    def flash_bytes(self) -> int:
        """Size of the flash."""
        return self.flash.size

    @property
    def ram_bytes(self) -> int:
        """The most that data can take."""
        return max(placement.data_bytes for placement in self.placements)

    def place(self, data_bytes: int) -> Placement:
        """Returns the first placement that holds data and the stack; the roomiest if none does.

        Args:
            data_bytes: Of the arena and other static data.
        """
        fitting = (placement for placement in self.placements if placement.holds(data_bytes))
        return next(fitting, max(self.placements, key=lambda placement: placement.data_bytes))

    def holds(self, data_bytes: int) -> bool:
        """Whether a placement holds so much data and the stack."""
        return any(placement.holds(data_bytes) for placement in self.placements)


def board_of(found: BoardFile) -> Board:
    """The board that a checked file describes."""
    banks = {bank.name: bank for bank in found.banks}
    placements = tuple(
        Placement(
            tuple(banks[name] for name in placement.activations),
            banks[placement.stack],
            None if placement.code is None else banks[placement.code],
        )
        for placement in found.placements
    )
    return Board(
        found.name,
        found.core,
        found.clock_hz,
        found.flash,
        found.banks,
        placements,
        found.source,
        found.caveats,
    )


@cache
def _listed() -> Mapping[str, Board]:
    folder = resources.files("export").joinpath("targets", "boards")
    texts = {
        file.name: file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    }
    boards = [board_of(parse(text, name)) for name, text in sorted(texts.items())]
    return MappingProxyType({board.name: board for board in boards})


BOARDS: Mapping[str, Board] = _listed()


def get_board(name: str) -> Board:
    """Returns a listed board by name.

    Raises:
        TargetError: No board has that name.
    """
    try:
        return BOARDS[name]
    except KeyError:
        raise TargetError(f"unknown board {name!r}; known boards: {', '.join(sorted(BOARDS))}") from None
