"""A microcontroller on its board, and the listed boards: a TOML file each, with the document of each figure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from export.errors import TargetError
from export.targets.board_file import BoardFile, load, parse
from export.targets.cores import nearest
from export.targets.families import Startup
from export.targets.memories import Bank, Flash, Placement

_LARGEST_FILE = 1 << 16  # bytes


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
        startup: How firmware starts it; None where that is not known.
        file: The content of the user's file that describes it; empty for a listed board.
    """

    name: str
    core: str
    clock_hz: int
    flash: Flash
    banks: tuple[Bank, ...]
    placements: tuple[Placement, ...]
    source: str
    caveats: str = ""
    startup: Startup | None = None
    file: str = field(default="", repr=False)

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


def _board(found: BoardFile, text: str = "") -> Board:
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
        found.startup,
        text,
    )


@cache
def _texts() -> Mapping[str, str]:
    """The files of the listed boards, by the name of the board."""
    folder = resources.files("export").joinpath("targets", "boards")
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name
    )
    return {file.name.removesuffix(".toml"): file.read_text(encoding="utf-8") for file in files}


BOARDS: Mapping[str, Board] = MappingProxyType(
    {name: _board(parse(text, f"{name}.toml")) for name, text in _texts().items()}
)


def get_board(name: str | os.PathLike[str]) -> Board:
    """Returns a board by its name, or by the path of the file that describes it.

    Args:
        name: Of a listed board, or a path that ends in .toml.

    Raises:
        TargetError: No board has that name, the file cannot be read, or what it says is impossible.
    """
    if not isinstance(name, str | os.PathLike):
        raise TargetError(f"expected the name of a board or the path of a .toml file, got {name!r}")
    if str(name).endswith(".toml"):
        return read_board(Path(name))
    name = str(name)
    try:
        return BOARDS[name]
    except KeyError:
        raise TargetError(
            f"unknown board {name!r}{nearest(name, BOARDS)}; known boards: {', '.join(sorted(BOARDS))}; or give the "
            "path of a .toml file that describes yours, see keras-approx boards --help"
        ) from None


def read_board(path: Path) -> Board:
    """Reads a user's board file; `like = "NAME"` in it takes what it does not say from a listed board.

    Raises:
        TargetError: The file cannot be read, or what it says is impossible: what was expected and what came.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_FILE + 1).decode("utf-8")
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a NUL in the path
        reason = getattr(error, "strerror", None) or error
        advice = "check the path" if isinstance(error, FileNotFoundError) else "expected TOML in UTF-8"
        raise TargetError(f"cannot read the board file {str(path)!r}: {reason}; {advice}") from error
    if len(text) > _LARGEST_FILE:
        raise TargetError(
            f"expected a board file of at most {_LARGEST_FILE:,} bytes, got a longer {str(path)!r}"
        )
    board = _board(parse(text, str(path), _listed_content), text)
    if board.name in BOARDS:
        raise TargetError(
            f"{path}: name: expected a name that no listed board has, got {board.name!r}; give yours another"
        )
    return board


def _listed_content(name: str) -> Mapping[str, Any]:
    if name not in _texts():
        raise TargetError(f"like: expected one of {', '.join(sorted(_texts()))}, got {name!r}")
    return load(_texts()[name], f"{name}.toml")
